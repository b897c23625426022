//! Webhooks: who wants to hear what, and what they are told.

use http::{StatusCode, Uri};
use serde_json::{Value, json};

use super::{
    deployment::Deployment,
    ids,
    refused::Refused,
    scene::{Answer, Scene, text},
    world::World,
};

/// Something that webhooks are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HookEvent {
    Created,
    Ready,
    Succeeded,
    Error,
    Canceled,
    Blocked,
}

impl HookEvent {
    fn name(self) -> &'static str {
        match self {
            Self::Created => "deployment.created",
            Self::Ready => "deployment.ready",
            Self::Succeeded => "deployment.succeeded",
            Self::Error => "deployment.error",
            Self::Canceled => "deployment.canceled",
            Self::Blocked => "deployment.blocked",
        }
    }
}

/// Who wants to hear.
#[derive(Clone, Debug)]
pub(super) struct Webhook {
    id: String,
    owner: String,
    secret: String,
    url: Uri,
    events: Vec<String>,
    projects: Vec<String>,
    created_ms: u64,
}

impl Webhook {
    /// Without the secret: that is told once, to who made it.
    pub(super) fn to_json(&self) -> Value {
        json!({
            "id": self.id,
            "url": self.url.to_string(),
            "events": self.events,
            "projectIds": self.projects,
            "ownerId": self.owner,
            "createdAt": self.created_ms,
            "updatedAt": self.created_ms,
        })
    }
}

/// Something to be sent.
#[derive(Clone, Debug)]
pub(super) struct Parcel {
    pub(super) url: Uri,
    pub(super) secret: String,
    pub(super) body: Value,
}

impl World {
    /// Notes something that webhooks have to be told, for each that wants to hear it.
    pub(super) fn tell(&mut self, id: &str, event: HookEvent) {
        let Some(deployment) = self.by_id(id) else {
            return;
        };
        let wants = |one: &&Webhook| {
            one.owner == deployment.owner
                && one.events.iter().any(|wanted| wanted == event.name())
                && (one.projects.is_empty() || one.projects.contains(&deployment.project))
        };
        let parcels: Vec<_> = self
            .webhooks
            .values()
            .filter(wants)
            .map(|one| Parcel {
                url: one.url.clone(),
                secret: one.secret.clone(),
                body: self.event_body(deployment, event),
            })
            .collect();
        self.outbox.extend(parcels);
    }

    fn event_body(&self, deployment: &Deployment, event: HookEvent) -> Value {
        let host = self.ground.host(&deployment.label);
        let dashboard = format!(
            "https://vercel.com/{}/{}",
            self.account(&deployment.owner).slug,
            deployment.name
        );
        let mut told = json!({
            "id": deployment.id,
            "meta": deployment.meta,
            "url": host,
            "name": deployment.name,
        });
        if event != HookEvent::Created {
            told["alias"] = json!(self.aliases_of(&deployment.id));
        }
        let is_team = deployment.owner != self.options.user.id;
        json!({
            "id": ids::new("", 24),
            "type": event.name(),
            "createdAt": self.clock().now_ms(),
            "region": "iad1",
            "payload": {
                "team": is_team.then(|| json!({"id": deployment.owner})),
                "user": {"id": self.options.user.id},
                "project": {"id": deployment.project},
                "deployment": told,
                "links": {
                    "deployment": format!("{dashboard}/{}", deployment.id),
                    "project": dashboard,
                },
                "target": deployment.target,
                "plan": "pro",
                "regions": ["iad1"],
            },
        })
    }
}

pub(super) fn create(scene: &mut Scene<'_>) -> Answer {
    let body = scene.object()?;
    let url = text(&body, "url")?
        .and_then(|url| url.parse::<Uri>().ok())
        .filter(|url| url.host().is_some());
    let url = url.ok_or_else(|| Refused::bad_request("Invalid request: `url` should be a URL."))?;
    if url.scheme_str() != Some("http") {
        return Err(Refused::new(
            StatusCode::BAD_REQUEST,
            "bad_request",
            "The simulator delivers webhooks over plain http only.",
        ));
    }
    let texts = |name: &str| -> Vec<String> {
        let all = body
            .get(name)
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        all.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let (events, projects) = (texts("events"), texts("projectIds"));
    if events.is_empty() {
        return Err(Refused::bad_request(
            "Invalid request: `events` should NOT have fewer than 1 items.",
        ));
    }
    if projects.len() > 50 {
        return Err(Refused::bad_request(
            "Invalid request: `projectIds` should NOT have more than 50 items.",
        ));
    }
    let webhook = Webhook {
        id: ids::new("account_hook_", 24),
        owner: scene.owner.clone(),
        secret: ids::new("", 24),
        url,
        events,
        projects,
        created_ms: scene.now_ms,
    };
    let mut told = webhook.to_json();
    told["secret"] = json!(webhook.secret);
    scene.world.webhooks.insert(webhook.id.clone(), webhook);
    Ok(told)
}

pub(super) fn list(scene: &Scene<'_>) -> Value {
    let own = scene
        .world
        .webhooks
        .values()
        .filter(|one| one.owner == scene.owner);
    Value::Array(own.map(Webhook::to_json).collect())
}

pub(super) fn get(scene: &mut Scene<'_>) -> Answer {
    find(scene).map(Webhook::to_json)
}

pub(super) fn delete(scene: &mut Scene<'_>) -> Answer {
    let id = find(scene)?.id.clone();
    scene.world.webhooks.remove(&id);
    Ok(Value::Null)
}

fn find<'a>(scene: &'a Scene<'_>) -> Result<&'a Webhook, Refused> {
    let found = scene.world.webhooks.get(scene.call.param("webhook"));
    let own = found.filter(|one| one.owner == scene.owner);
    own.ok_or_else(|| Refused::not_found("The webhook could not be found."))
}
