//! `POST /v13/deployments`: from digests or inline files to a deployment that builds.
//!
//! Nothing is created unless everything is in order, and what is missing is told all at once, each content once: the official
//! client uploads exactly that and asks again with the same body. There is no idempotency: the same body twice is two deployments.

use std::{collections::BTreeMap, sync::Arc};

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{
    deployment::{Deployment, Phase},
    hosts, ids,
    project::{Project, SETTINGS},
    projects,
    refused::Refused,
    scene::{Answer, Scene, text},
    sources, tree,
    webhooks::HookEvent,
};
use crate::core::BuildOutcome;

pub(super) fn create(scene: &mut Scene<'_>) -> Answer {
    let body = scene.object()?;
    let meta = strings(&body, "meta")?;
    let env = names(&body, "env")?;
    let build_env = match body.get("build") {
        Some(Value::Object(build)) => names(build, "env")?,
        _ => Vec::new(),
    };
    let target = target(&body)?;
    let project = choose_project(scene, &body)?;
    let sources = sources::read(scene, &body)?;
    let settings = settings(scene, &body, project.as_ref())?;

    let (now_ms, knobs) = (scene.now_ms, scene.knobs);
    scene
        .world
        .shelf(&scene.owner)
        .creates
        .count(now_ms, knobs.deployments_per_day, knobs.day_ms)
        .map_err(|(total, reset_ms)| {
            Refused::limited("api-deployments-free-per-day", total, reset_ms)
        })?;

    let project = project.unwrap_or_else(|| {
        let protection = knobs.protection_of_new_projects.as_deref();
        let name = text(&body, "name").ok().flatten().unwrap_or_default();
        Project::new(&scene.owner, name, protection, now_ms)
    });
    let (project_id, name) = (project.id.clone(), project.name.clone());
    let project = scene
        .world
        .projects
        .entry(project_id.clone())
        .or_insert(project);
    if !project.is_set_up {
        project.set_up(&settings);
        project.is_set_up = true;
    }

    let (builds, outcome) = scene
        .dial
        .turn(|knobs| (knobs.builds.clone(), knobs.builds.take_outcome()));
    let takes_ms = (outcome != BuildOutcome::Never).then_some(builds.build_ms);
    let created_ms = scene.world.next_created_ms();
    let slug = scene.world.account(&scene.owner).slug.clone();
    let deployment = Deployment {
        id: ids::new("dpl_", 28),
        owner: scene.owner.clone(),
        project: project_id,
        label: hosts::label(&[&name, &ids::of_host(), &slug]),
        name,
        created_ms,
        target,
        meta,
        source: text(&body, "source")?.map(str::to_owned),
        env,
        build_env,
        site: Arc::new(tree::site_of(&sources, &settings)),
        sources: Arc::new(sources),
        settings,
        outcome,
        phase: Phase::Queued,
        aliased_ms: None,
    };
    let id = deployment.id.clone();
    let from_ms = created_ms.saturating_add(builds.queue_ms);
    scene
        .world
        .shelf(&scene.owner)
        .builds
        .add(id.clone(), from_ms, takes_ms);
    scene.world.add(deployment);
    scene.world.tell(&id, HookEvent::Created);
    scene.world.advance(created_ms, knobs);
    let created = scene.world.by_id(&id).map(|one| scene.world.show(one));
    Ok(created.unwrap_or_default())
}

/// The project that `project` or `name` means; `None` where `name` is a new one.
fn choose_project(
    scene: &Scene<'_>,
    body: &Map<String, Value>,
) -> Result<Option<Project>, Refused> {
    let find = |name: &str| scene.world.project(&scene.owner, name).cloned();
    let name = text(body, "name")?;
    if let Some(asked) = text(body, "project")? {
        let found = find(asked).ok_or_else(|| {
            Refused::new(
                StatusCode::NOT_FOUND,
                "project_not_found",
                "The specified project could not be found.",
            )
        });
        return found.map(Some);
    }
    let Some(name) = name else {
        return Err(Refused::bad_request(
            "Invalid request: missing required property `name`.",
        ));
    };
    projects::check_name(name)?;
    Ok(find(name))
}

/// The settings this deployment is built by: the project's, under its own.
fn settings(
    scene: &Scene<'_>,
    body: &Map<String, Value>,
    project: Option<&Project>,
) -> Result<Map<String, Value>, Refused> {
    let mut settings = project.map(|one| one.settings.clone()).unwrap_or_default();
    let is_confirmed = scene.call.query.is_set("skipAutoDetectionConfirmation");
    match body.get("projectSettings") {
        Some(Value::Object(own)) => {
            let known = own
                .iter()
                .filter(|(name, _)| SETTINGS.contains(&name.as_str()));
            settings.extend(known.map(|(name, value)| (name.clone(), value.clone())));
        }
        Some(Value::Null) | None => {
            let is_set_up = project.is_some_and(|one| one.is_set_up);
            if scene.knobs.requires_project_settings && !is_set_up && !is_confirmed {
                return Err(Refused::new(
                    StatusCode::BAD_REQUEST,
                    "missing_project_settings",
                    "The `projectSettings` object is required for new projects, but is missing in the deployment payload.",
                )
                .with("framework", json!({"name": "Other", "slug": null}))
                .with("projectSettings", json!({"framework": null, "buildCommand": null, "outputDirectory": null})));
            }
        }
        Some(_) => {
            return Err(Refused::bad_request(
                "Invalid request: `projectSettings` should be object.",
            ));
        }
    }
    Ok(settings)
}

fn target(body: &Map<String, Value>) -> Result<Option<String>, Refused> {
    let target = text(body, "target")?.filter(|target| *target != "preview");
    Ok(target
        .or(text(body, "customEnvironmentSlugOrId")?)
        .map(str::to_owned))
}

fn strings(object: &Map<String, Value>, name: &str) -> Result<BTreeMap<String, String>, Refused> {
    let bad = || {
        Refused::bad_request(format!(
            "Invalid request: `{name}` should be an object of strings."
        ))
    };
    match object.get(name) {
        None => Ok(BTreeMap::new()),
        Some(Value::Object(pairs)) => pairs
            .iter()
            .map(|(key, value)| Ok((key.clone(), value.as_str().ok_or_else(bad)?.to_owned())))
            .collect(),
        Some(_) => Err(bad()),
    }
}

/// The names of environment variables: values are never told again.
fn names(object: &Map<String, Value>, name: &str) -> Result<Vec<String>, Refused> {
    strings(object, name)
        .map(|env| env.into_keys().collect())
        .map_err(|_| {
            let message = format!("The values of `{name}` should be strings.");
            Refused::new(StatusCode::BAD_REQUEST, "env_value_invalid_type", message)
        })
}
