//! Making, reading, changing and removing projects.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{
    env,
    project::Project,
    refused::Refused,
    scene::{Answer, Page, Scene, text},
};

/// The longest name.
const NAME_MAX: usize = 100;

pub(super) fn check_name(name: &str) -> Result<(), Refused> {
    let is_letter = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
    if (1..=NAME_MAX).contains(&name.len()) && name.bytes().all(is_letter) && !name.contains("---")
    {
        return Ok(());
    }
    Err(Refused::new(
        StatusCode::BAD_REQUEST,
        "invalid_name",
        "Project names can be up to 100 characters long and must be lowercase. They can include letters, digits, and the \
         following characters: '.', '_', '-'. However, they cannot contain the sequence '---'.",
    ))
}

pub(super) fn create(scene: &mut Scene<'_>) -> Answer {
    let body = scene.object()?;
    let name = text(&body, "name")?.ok_or_else(|| {
        Refused::bad_request("Invalid request: missing required property `name`.")
    })?;
    check_name(name)?;
    if scene.world.project(&scene.owner, name).is_some() {
        return Err(taken());
    }
    let protection = scene.knobs.protection_of_new_projects.as_deref();
    let mut project = Project::new(&scene.owner, name, protection, scene.now_ms);
    change(&mut project, &body)?;
    if let Some(Value::Array(variables)) = body.get("environmentVariables") {
        for variable in variables {
            project.env.push(env::EnvVar::read(variable, scene.now_ms)?);
        }
    }
    let told = project.to_json();
    scene.world.projects.insert(project.id.clone(), project);
    Ok(told)
}

pub(super) fn list(scene: &Scene<'_>) -> Value {
    let search = scene.call.query.get("search").unwrap_or_default();
    let mut own: Vec<_> = scene
        .world
        .projects
        .values()
        .filter(|one| one.owner == scene.owner && one.name.contains(search))
        .map(|one| (one.updated_ms, one))
        .collect();
    own.sort_by(|(one, _), (other, _)| other.cmp(one));
    let (page, pagination) = Page::of(scene).cut(own.into_iter());
    let projects: Vec<_> = page.into_iter().map(Project::to_json).collect();
    json!({"projects": projects, "pagination": pagination})
}

pub(super) fn get(scene: &mut Scene<'_>) -> Answer {
    Ok(scene.project()?.to_json())
}

pub(super) fn update(scene: &mut Scene<'_>) -> Answer {
    let body = scene.object()?;
    let id = scene.project()?.id.clone();
    if let Some(name) = text(&body, "name")? {
        check_name(name)?;
        if scene
            .world
            .project(&scene.owner, name)
            .is_some_and(|one| one.id != id)
        {
            return Err(taken());
        }
    }
    let now_ms = scene.now_ms;
    let project = scene.project_mut()?;
    if let Some(name) = text(&body, "name")? {
        name.clone_into(&mut project.name);
    }
    change(project, &body)?;
    project.updated_ms = now_ms;
    Ok(project.to_json())
}

pub(super) fn delete(scene: &mut Scene<'_>) -> Answer {
    let id = scene.project()?.id.clone();
    let of: Vec<_> = scene
        .world
        .deployments
        .values()
        .filter(|one| one.project == id)
        .map(|one| one.id.clone())
        .collect();
    for deployment in of {
        scene.world.remove(&deployment);
    }
    scene.world.projects.remove(&id);
    Ok(Value::Null)
}

/// There are none: what is no production is a preview here.
pub(super) fn custom_environments(scene: &mut Scene<'_>) -> Answer {
    scene.project()?;
    Ok(json!({"environments": [], "accountLimit": {"total": 0}}))
}

fn change(project: &mut Project, body: &Map<String, Value>) -> Result<(), Refused> {
    for name in [
        "buildCommand",
        "installCommand",
        "outputDirectory",
        "devCommand",
    ] {
        if text(body, name)?.is_some_and(|command| command.len() > 256) {
            return Err(Refused::bad_request(format!(
                "`{name}` should not be longer than 256 characters."
            )));
        }
    }
    project.set_up(body);
    match body.get("ssoProtection") {
        None => {}
        Some(Value::Null) => project.sso_protection = Value::Null,
        Some(told) => {
            let kinds = [
                "preview",
                "all",
                "prod_deployment_urls_and_all_previews",
                "all_except_custom_domains",
            ];
            let kind = told
                .get("deploymentType")
                .and_then(Value::as_str)
                .unwrap_or_default();
            if !kinds.contains(&kind) {
                return Err(Refused::bad_request(
                    "`ssoProtection.deploymentType` is not one of the allowed values.",
                ));
            }
            project.sso_protection = told.clone();
        }
    }
    for name in [
        "publicSource",
        "deploymentExpiration",
        "passwordProtection",
        "autoExposeSystemEnvs",
    ] {
        if let Some(value) = body.get(name) {
            project.others.insert(name.to_owned(), value.clone());
        }
    }
    Ok(())
}

fn taken() -> Refused {
    Refused::conflict(
        "conflict",
        "A project with the provided name already exists.",
    )
}
