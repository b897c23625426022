//! Reading, listing, cancelling and removing deployments.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;

use super::{
    deployment::{Deployment, End},
    hosts,
    refused::Refused,
    scene::{Answer, Page, Scene},
    tree,
};

pub(super) fn get(scene: &mut Scene<'_>) -> Answer {
    Ok(scene.world.show(scene.deployment()?))
}

pub(super) fn list(scene: &mut Scene<'_>) -> Answer {
    let query = &scene.call.query;
    if query.get("projectId").is_some() && query.get("projectIds").is_some() {
        return Err(Refused::bad_request(
            "`projectId` and `projectIds` cannot be used together.",
        ));
    }
    let asked = |name| query.get(name).filter(|value: &&str| !value.is_empty());
    let id_of = |name: &str| {
        let found = scene.world.project(&scene.owner, name);
        found.map_or(name.to_owned(), |project| project.id.clone())
    };
    let projects: Vec<String> = asked("projectId")
        .into_iter()
        .chain(query.all("projectIds").flat_map(|ids| ids.split(',')))
        .map(id_of)
        .collect();
    let states: Vec<_> = asked("state")
        .map(|states| states.split(',').map(str::to_ascii_uppercase).collect())
        .unwrap_or_default();
    let metas: Vec<_> = query
        .pairs()
        .iter()
        .filter_map(|(name, value)| Some((name.strip_prefix("meta-")?, value)))
        .filter(|_| scene.knobs.filters_by_meta)
        .collect();
    let now_ms = scene.now_ms;
    let fits = |one: &Deployment| {
        one.owner == scene.owner
            && (projects.is_empty() || projects.contains(&one.project))
            && asked("app").is_none_or(|app| one.name == app)
            && asked("target")
                .is_none_or(|target| one.target.as_deref().unwrap_or("preview") == target)
            && asked("users").is_none_or(|users| {
                users
                    .split(',')
                    .any(|user| user == scene.world.options.user.id)
            })
            && (states.is_empty() || states.iter().any(|state| state == one.ready_state(now_ms)))
            && metas
                .iter()
                .all(|(name, value)| one.meta.get(*name) == Some(*value))
    };
    let fitting = scene
        .world
        .deployments
        .iter()
        .rev()
        .filter(|(_, one)| fits(one));
    let (page, pagination) = Page::of(scene).cut(fitting.map(|(at, one)| (*at, one)));
    let deployments: Vec<_> = page
        .into_iter()
        .map(|one| scene.world.show_item(one))
        .collect();
    Ok(json!({"deployments": deployments, "pagination": pagination}))
}

pub(super) fn cancel(scene: &mut Scene<'_>) -> Answer {
    let found = scene.deployment()?;
    if found.is_ended() {
        let state = found.ready_state(scene.now_ms);
        return Err(Refused::bad_request(format!(
            "The deployment is {state} and cannot be canceled."
        )));
    }
    let id = found.id.clone();
    scene.world.shelf(&scene.owner).builds.remove(&id);
    scene.world.end(&id, scene.now_ms, End::Canceled);
    Ok(scene
        .world
        .by_id(&id)
        .map(|one| scene.world.show(one))
        .unwrap_or_default())
}

/// `?url=` wins over the id.
pub(super) fn delete(scene: &mut Scene<'_>) -> Answer {
    let asked = scene
        .call
        .query
        .get("url")
        .unwrap_or_else(|| scene.call.param("id"));
    let found = scene.world.find(&scene.owner, asked);
    let id = found
        .map(|one| one.id.clone())
        .ok_or_else(|| Refused::not_found("The deployment could not be found."))?;
    scene.world.remove(&id);
    Ok(json!({"uid": id, "state": "DELETED"}))
}

/// No part of a deployment is built apart from the others.
pub(super) fn list_builds(scene: &mut Scene<'_>) -> Answer {
    scene.deployment()?;
    Ok(json!({"builds": []}))
}

pub(super) fn list_files(scene: &mut Scene<'_>) -> Answer {
    Ok(tree::to_json(&scene.deployment()?.sources))
}

pub(super) fn get_file(scene: &mut Scene<'_>) -> Answer {
    let sha = scene.call.param("file");
    let deployment = scene.deployment()?;
    let found = deployment.sources.iter().find(|one| one.sha == sha);
    let found = found.ok_or_else(|| Refused::not_found("File not found."))?;
    Ok(json!({"data": STANDARD.encode(&found.content)}))
}

impl super::world::World {
    /// Removes a deployment as retention would: its host says so from now on.
    pub(super) fn vanish(&mut self, id_or_url: &str) -> bool {
        let found = self
            .by_id(id_or_url)
            .or_else(|| self.by_host(&hosts::key(id_or_url)));
        let Some(id) = found.map(|one| one.id.clone()) else {
            return false;
        };
        if let Some(removed) = self.remove(&id) {
            self.vanished.insert(hosts::own(&removed.label), removed.id);
        }
        true
    }
}
