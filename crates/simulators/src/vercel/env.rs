//! A project's environment variables. Values that are not `plain` are told only to whom asks for one with `decrypt`, and
//! sensitive ones never again.

use http::StatusCode;
use serde_json::{Value, json};

use super::{
    ids,
    refused::Refused,
    scene::{Answer, Scene, text},
};

/// An environment variable.
#[derive(Clone, Debug)]
pub(super) struct EnvVar {
    id: String,
    key: String,
    value: String,
    kind: String,
    targets: Vec<String>,
    environments: Vec<String>,
    branch: Option<String>,
    comment: Option<String>,
    created_ms: u64,
    updated_ms: u64,
}

impl EnvVar {
    pub(super) fn read(told: &Value, now_ms: u64) -> Result<Self, Refused> {
        let object = told
            .as_object()
            .ok_or_else(|| Refused::bad_request("Invalid request: should be object."))?;
        let need = |name: &str| {
            let missing = || {
                Refused::bad_request(format!(
                    "Invalid request: missing required property `{name}`."
                ))
            };
            text(object, name)?.map(str::to_owned).ok_or_else(missing)
        };
        let mut variable = Self {
            id: ids::new("", 16),
            key: need("key")?,
            value: need("value")?,
            kind: need("type")?,
            targets: Vec::new(),
            environments: Vec::new(),
            branch: None,
            comment: None,
            created_ms: now_ms,
            updated_ms: now_ms,
        };
        variable.change(told, now_ms)?;
        if variable.targets.is_empty() && variable.environments.is_empty() {
            return Err(Refused::bad_request(
                "Invalid request: `target` or `customEnvironmentIds` is required.",
            ));
        }
        Ok(variable)
    }

    fn change(&mut self, told: &Value, now_ms: u64) -> Result<(), Refused> {
        let Some(object) = told.as_object() else {
            return Err(Refused::bad_request("Invalid request: should be object."));
        };
        let own = |name: &str| text(object, name).map(|text| text.map(str::to_owned));
        self.key = own("key")?.unwrap_or_else(|| self.key.clone());
        self.value = own("value")?.unwrap_or_else(|| self.value.clone());
        self.kind = own("type")?.unwrap_or_else(|| self.kind.clone());
        self.branch = own("gitBranch")?.or_else(|| self.branch.take());
        self.comment = own("comment")?.or_else(|| self.comment.take());
        if !["plain", "encrypted", "secret", "sensitive", "system"].contains(&self.kind.as_str()) {
            return Err(Refused::bad_request(
                "Invalid request: `type` is not one of the allowed values.",
            ));
        }
        if self
            .comment
            .as_ref()
            .is_some_and(|comment| comment.len() > 500)
        {
            return Err(Refused::bad_request(
                "Invalid request: `comment` should not be longer than 500 characters.",
            ));
        }
        if let Some(target) = object.get("target") {
            self.targets = texts(target);
            let known = ["production", "preview", "development"];
            if !self.targets.iter().all(|one| known.contains(&one.as_str())) {
                return Err(Refused::bad_request(
                    "Invalid request: `target` is not one of the allowed values.",
                ));
            }
        }
        if let Some(environments) = object.get("customEnvironmentIds") {
            self.environments = texts(environments);
        }
        self.updated_ms = now_ms;
        Ok(())
    }

    fn is_like(&self, other: &Self) -> bool {
        self.key == other.key
            && self.branch == other.branch
            && (self.targets.iter().any(|one| other.targets.contains(one))
                || self
                    .environments
                    .iter()
                    .any(|one| other.environments.contains(one)))
    }

    pub(super) fn to_json(&self, decrypt: bool) -> Value {
        let value = match self.kind.as_str() {
            "plain" | "system" => self.value.clone(),
            "sensitive" => String::new(),
            _ if decrypt => self.value.clone(),
            _ => "encrypted-by-the-simulator".to_owned(),
        };
        json!({
            "id": self.id,
            "key": self.key,
            "value": value,
            "type": self.kind,
            "target": self.targets,
            "customEnvironmentIds": self.environments,
            "gitBranch": self.branch,
            "comment": self.comment,
            "decrypted": decrypt && self.kind != "sensitive",
            "createdAt": self.created_ms,
            "updatedAt": self.updated_ms,
        })
    }
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(one) => vec![one.clone()],
        Value::Array(many) => many
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    }
}

pub(super) fn list(scene: &mut Scene<'_>) -> Answer {
    let decrypt = scene.call.query.is_set("decrypt");
    let envs: Vec<_> = scene
        .project()?
        .env
        .iter()
        .map(|one| one.to_json(decrypt))
        .collect();
    Ok(json!({"envs": envs}))
}

/// One or several. What fails is told beside what was created; where there is only one, it is refused.
pub(super) fn create(scene: &mut Scene<'_>) -> Answer {
    let body = scene
        .call
        .json()
        .map_err(|_| Refused::bad_request("Invalid JSON in the request body."))?;
    let (now_ms, upsert) = (scene.now_ms, scene.call.query.is_set("upsert"));
    let project = scene.project_mut()?;
    let mut set = |told: &Value| {
        let variable = EnvVar::read(told, now_ms)?;
        match project.env.iter_mut().find(|one| one.is_like(&variable)) {
            Some(_) if !upsert => Err(Refused::new(
                StatusCode::FORBIDDEN,
                "ENV_ALREADY_EXISTS",
                format!(
                    "A variable with the name `{}` already exists for the target {}.",
                    variable.key,
                    variable.targets.join(",")
                ),
            )),
            Some(like) => {
                like.change(told, now_ms)?;
                Ok(like.to_json(false))
            }
            None => {
                let told = variable.to_json(false);
                project.env.push(variable);
                Ok(told)
            }
        }
    };
    let created = match &body {
        Value::Array(many) => Value::Array(many.iter().map(&mut set).collect::<Result<_, _>>()?),
        one => set(one)?,
    };
    Ok(json!({"created": created, "failed": []}))
}

pub(super) fn get(scene: &mut Scene<'_>) -> Answer {
    let id = scene.call.param("env");
    let found = scene.project()?.env.iter().find(|one| one.id == id);
    found.map(|one| one.to_json(true)).ok_or_else(unknown)
}

pub(super) fn update(scene: &mut Scene<'_>) -> Answer {
    let body = Value::Object(scene.object()?);
    let (id, now_ms) = (scene.call.param("env"), scene.now_ms);
    let found = scene
        .project_mut()?
        .env
        .iter_mut()
        .find(|one| one.id == id)
        .ok_or_else(unknown)?;
    found.change(&body, now_ms)?;
    Ok(found.to_json(false))
}

pub(super) fn delete(scene: &mut Scene<'_>) -> Answer {
    let id = scene.call.param("env");
    let env = &mut scene.project_mut()?.env;
    let at = env
        .iter()
        .position(|one| one.id == id)
        .ok_or_else(unknown)?;
    Ok(env.remove(at).to_json(false))
}

pub(super) fn delete_many(scene: &mut Scene<'_>) -> Answer {
    let body = scene.object()?;
    let ids = texts(body.get("ids").unwrap_or(&Value::Null));
    let env = &mut scene.project_mut()?.env;
    let before = env.len();
    env.retain(|one| !ids.contains(&one.id));
    Ok(json!({"deleted": before - env.len(), "ids": ids}))
}

fn unknown() -> Refused {
    Refused::not_found("The environment variable could not be found.")
}
