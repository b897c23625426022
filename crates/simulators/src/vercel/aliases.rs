//! Aliases: other hosts of a deployment. A host shows one deployment; giving it another moves it.

use http::StatusCode;
use serde_json::{Value, json};

use super::{
    hosts, ids,
    refused::Refused,
    scene::{Answer, Page, Scene, text},
    world::World,
};

/// An alias.
#[derive(Clone, Debug)]
pub(super) struct Alias {
    pub(super) id: String,
    pub(super) owner: String,
    pub(super) project: String,
    pub(super) deployment: String,
    /// The host as it is told: with the simulator's port where the host is the simulator's.
    pub(super) told: String,
    pub(super) created_ms: u64,
    pub(super) updated_ms: u64,
}

impl Alias {
    pub(super) fn new(
        told: &str,
        owner: &str,
        project: &str,
        deployment: &str,
        now_ms: u64,
    ) -> Self {
        Self {
            id: ids::new("", 24),
            owner: owner.to_owned(),
            project: project.to_owned(),
            deployment: deployment.to_owned(),
            told: told.to_owned(),
            created_ms: now_ms,
            updated_ms: now_ms,
        }
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "uid": self.id,
            "alias": self.told,
            "created": self.created_ms,
            "createdAt": self.created_ms,
            "updatedAt": self.updated_ms,
            "deploymentId": self.deployment,
            "projectId": self.project,
            "redirect": null,
        })
    }
}

impl World {
    /// Gives a ready deployment the aliases that Vercel gives by itself; of two in a row the later one has them.
    pub(super) fn assign_own_aliases(&mut self, id: &str, at_ms: u64) {
        let Some(deployment) = self.by_id(id) else {
            return;
        };
        let Some(project) = self.projects.get(&deployment.project) else {
            return;
        };
        let owner = self.account(&deployment.owner);
        let user = &self.options.user;
        let mut hosts = Vec::new();
        if deployment.is_production() {
            hosts.push(self.ground.host(&hosts::label(&[&project.name])));
            let domains = project.domains.values().filter(|one| one.is_verified);
            hosts.extend(domains.map(|one| one.name.clone()));
        } else {
            hosts.push(
                self.ground
                    .host(&hosts::label(&[&project.name, &user.slug, &owner.slug])),
            );
        }
        let (owner, project) = (deployment.owner.clone(), deployment.project.clone());
        for host in hosts {
            self.aliases
                .entry(hosts::key(&host))
                .and_modify(|alias| {
                    id.clone_into(&mut alias.deployment);
                    alias.updated_ms = at_ms;
                })
                .or_insert_with(|| Alias::new(&host, &owner, &project, id, at_ms));
        }
        if let Some(deployment) = self.by_id_mut(id) {
            deployment.aliased_ms = Some(at_ms);
        }
    }
}

pub(super) fn assign(scene: &mut Scene<'_>) -> Answer {
    let body = scene.object()?;
    let asked = text(&body, "alias")?.ok_or_else(|| {
        Refused::bad_request("Invalid request: missing required property `alias`.")
    })?;
    let mut key = hosts::key(asked);
    if !key.contains('.') {
        key = hosts::own(&key);
    }
    if !hosts::is_valid(&key) {
        let message = format!("The alias `{asked}` is not a valid host name.");
        return Err(Refused::new(
            StatusCode::BAD_REQUEST,
            "invalid_alias",
            message,
        ));
    }
    let deployment = scene
        .world
        .find(&scene.owner, scene.call.param("id"))
        .ok_or_else(|| {
            Refused::new(
                StatusCode::NOT_FOUND,
                "deployment_not_found",
                "The deployment could not be found.",
            )
        })?;
    if deployment.ready_ms().is_none() {
        let message = format!(
            "The deployment is {}, not READY.",
            deployment.ready_state(scene.now_ms)
        );
        return Err(Refused::new(
            StatusCode::BAD_REQUEST,
            "deployment_not_ready",
            message,
        ));
    }
    if !hosts::is_given(&key) {
        check_domain(scene, &key)?;
    }
    let told = match key.strip_suffix(".localhost") {
        Some(label) => scene.world.ground.host(label),
        None => key.clone(),
    };
    let (id, project) = (deployment.id.clone(), deployment.project.clone());
    let (owner, now_ms) = (scene.owner.clone(), scene.now_ms);
    if scene.world.is_own_host(&key) {
        return Err(Refused::conflict(
            "alias_in_use",
            "The alias is the host of a deployment.",
        ));
    }
    let before = match scene.world.aliases.get_mut(&key) {
        Some(alias) if alias.owner != owner => {
            return Err(Refused::conflict(
                "alias_in_use",
                "The alias is used by another account.",
            ));
        }
        Some(alias) if alias.deployment == id => {
            return Err(Refused::conflict(
                "not_modified",
                "The alias is already assigned to this deployment.",
            ));
        }
        Some(alias) => {
            alias.project = project;
            alias.updated_ms = now_ms;
            Some(std::mem::replace(&mut alias.deployment, id))
        }
        None => {
            let alias = Alias::new(&told, &owner, &project, &id, now_ms);
            scene.world.aliases.insert(key.clone(), alias);
            None
        }
    };
    let alias = &scene.world.aliases[&key];
    let mut told = json!({"uid": alias.id, "alias": alias.told, "created": alias.created_ms});
    if let Some(before) = before {
        told["oldDeploymentId"] = json!(before);
    }
    Ok(told)
}

/// A host of somebody's own needs a verified domain of the account above it.
fn check_domain(scene: &Scene<'_>, key: &str) -> Result<(), Refused> {
    let own = scene
        .world
        .projects
        .values()
        .filter(|one| one.owner == scene.owner);
    let mut fitting = own
        .flat_map(|project| project.domains.values())
        .filter(|domain| hosts::apex(&domain.name) == hosts::apex(key))
        .peekable();
    if fitting.peek().is_none() {
        let message = format!("The domain `{}` was not found.", hosts::apex(key));
        return Err(Refused::new(
            StatusCode::NOT_FOUND,
            "domain_not_found",
            message,
        ));
    }
    if fitting.any(|domain| domain.is_verified) {
        return Ok(());
    }
    let message = format!("The domain `{}` is not verified.", hosts::apex(key));
    Err(Refused::new(
        StatusCode::BAD_REQUEST,
        "domain_not_verified",
        message,
    ))
}

pub(super) fn list_of_deployment(scene: &mut Scene<'_>) -> Answer {
    let id = &scene.deployment()?.id;
    let of = scene
        .world
        .aliases
        .values()
        .filter(|one| one.deployment == *id);
    Ok(json!({"aliases": of.map(Alias::to_json).collect::<Vec<_>>()}))
}

pub(super) fn list(scene: &Scene<'_>) -> Value {
    let query = &scene.call.query;
    let project = query.get("projectId").map(|asked| {
        let found = scene.world.project(&scene.owner, asked);
        found.map_or(asked.to_owned(), |one| one.id.clone())
    });
    let domain = query.get("domain").map(hosts::key);
    let mut own: Vec<_> = scene
        .world
        .aliases
        .iter()
        .filter(|(key, one)| {
            one.owner == scene.owner
                && project
                    .as_ref()
                    .is_none_or(|project| one.project == *project)
                && domain.as_ref().is_none_or(|domain| *key == domain)
        })
        .map(|(_, one)| (one.created_ms, one.to_json()))
        .collect();
    own.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    let (aliases, pagination) = Page::of(scene).cut(own.into_iter());
    json!({"aliases": aliases, "pagination": pagination})
}

pub(super) fn get(scene: &mut Scene<'_>) -> Answer {
    let key = find(scene)?;
    let alias = &scene.world.aliases[&key];
    let mut told = alias.to_json();
    if let Some(deployment) = scene.world.by_id(&alias.deployment) {
        let host = scene.world.ground.host(&deployment.label);
        told["deployment"] = json!({"id": deployment.id, "url": host, "meta": deployment.meta});
    }
    Ok(told)
}

pub(super) fn delete(scene: &mut Scene<'_>) -> Answer {
    let key = find(scene)?;
    scene.world.aliases.remove(&key);
    Ok(json!({"status": "SUCCESS"}))
}

/// The alias that the path names, by id or host.
fn find(scene: &Scene<'_>) -> Result<String, Refused> {
    let asked = scene.call.param("alias");
    let host = hosts::key(asked);
    let mut own = scene
        .world
        .aliases
        .iter()
        .filter(|(_, one)| one.owner == scene.owner);
    let found = own.find(|(key, one)| one.id == asked || **key == host);
    found
        .map(|(key, _)| key.clone())
        .ok_or_else(|| Refused::not_found("The alias could not be found."))
}
