//! The log of a build. It follows from the deployment's phase, so it is the same whoever asks and how often.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, StatusCode, header::CONTENT_TYPE};
use serde_json::{Value, json};

use super::{
    Vercel,
    deployment::{Deployment, End, Phase},
    knobs::EventShape,
    scene::Scene,
};
use crate::core::{self, BuildOutcome};

/// How often whoever follows is told news.
const FOLLOW_EVERY: Duration = Duration::from_millis(20);

/// How many events are told where nobody says how many.
const DEFAULT_LIMIT: i64 = 100;

struct Event {
    at_ms: u64,
    kind: &'static str,
    text: String,
    info: Value,
}

/// What happened in a build so far.
fn log_of(deployment: &Deployment, aliases: &[String]) -> Vec<Event> {
    let mut events = Vec::new();
    let mut say = |at_ms, kind, text: String| {
        events.push(Event {
            at_ms,
            kind,
            text,
            info: json!({"type": "build", "name": "bld_simulator", "entrypoint": "."}),
        });
    };
    let (began, ended) = match &deployment.phase {
        Phase::Queued => (None, None),
        Phase::Building { since_ms, .. } => (Some(*since_ms), None),
        Phase::Ended {
            since_ms,
            at_ms,
            end,
        } => (*since_ms, Some((*at_ms, end))),
    };
    if let Some(at_ms) = began {
        say(
            at_ms,
            "stdout",
            "Running build in Washington, D.C., USA (East) – iad1".to_owned(),
        );
        say(
            at_ms,
            "stdout",
            format!(
                "Downloading {} deployment files...",
                deployment.sources.len()
            ),
        );
        if let Some(command) = deployment
            .settings
            .get("buildCommand")
            .and_then(Value::as_str)
        {
            say(at_ms, "command", command.to_owned());
        }
    }
    if let Some((at_ms, end)) = ended {
        match end {
            End::Ready => {
                say(
                    at_ms,
                    "stdout",
                    "Build Completed in /vercel/output".to_owned(),
                );
                say(at_ms, "stdout", "Deploying outputs...".to_owned());
                say(at_ms, "deployment-state", "READY".to_owned());
            }
            End::Failed => {
                if let BuildOutcome::Failed { log } = &deployment.outcome {
                    for line in log {
                        say(at_ms, "stderr", line.clone());
                    }
                }
                say(
                    at_ms,
                    "stderr",
                    "Error: Command \"npm run build\" exited with 1".to_owned(),
                );
                say(at_ms, "deployment-state", "ERROR".to_owned());
            }
            End::Canceled => say(at_ms, "deployment-state", "CANCELED".to_owned()),
            End::Other(state) => say(at_ms, "deployment-state", state.clone()),
        }
    }
    if let Some(at_ms) = deployment.aliased_ms {
        events.push(Event {
            at_ms,
            kind: "alias-assigned",
            text: String::new(),
            info: json!({"alias": aliases}),
        });
    }
    events
}

/// The events in the shape that is asked for, each with its instant.
fn told(
    deployment: &Deployment,
    aliases: &[String],
    shape: EventShape,
    is_old: bool,
) -> Vec<(u64, Value)> {
    let log = log_of(deployment, aliases);
    let told = log.into_iter().enumerate().map(|(place, event)| {
        let is_nested = match shape {
            EventShape::ByVersion => is_old,
            EventShape::Nested => true,
            EventShape::Flat => false,
            EventShape::Mixed => place % 2 == 0,
        };
        let id = format!("{}{place:06}", event.at_ms);
        let mut body = json!({
            "deploymentId": deployment.id,
            "id": id,
            "date": event.at_ms,
            "serial": id,
            "text": event.text,
            "info": event.info,
        });
        if event.kind == "alias-assigned" {
            body["alias"] = json!(aliases);
            body["aliasError"] = Value::Null;
            body["aliasWarning"] = Value::Null;
        }
        let value = if is_nested {
            json!({"type": event.kind, "created": event.at_ms, "payload": body})
        } else {
            let is_error = event.kind == "stderr";
            body["type"] = json!(event.kind);
            body["created"] = json!(event.at_ms);
            if is_error {
                body["level"] = json!("error");
            }
            body
        };
        (event.at_ms, value)
    });
    told.collect()
}

/// `GET /v3/deployments/{idOrUrl}/events`
pub(super) fn answer(
    vercel: &Arc<Vercel>,
    scene: &Scene<'_>,
) -> Result<Response, super::refused::Refused> {
    let deployment = scene.deployment()?;
    let query = &scene.call.query;
    let is_old = scene.call.path.starts_with("/v1/") || scene.call.path.starts_with("/v2/");
    let shape = scene.knobs.events;
    if query.is_set("follow") {
        return Ok(follow(
            Arc::clone(vercel),
            deployment.id.clone(),
            shape,
            is_old,
        ));
    }
    let since = query.number("since").unwrap_or(0);
    let until = query.number("until").unwrap_or(u64::MAX);
    let aliases = scene.world.aliases_of(&deployment.id);
    let mut events: Vec<_> = told(deployment, &aliases, shape, is_old)
        .into_iter()
        .filter(|(at_ms, _)| (since..=until).contains(at_ms))
        .map(|(_, event)| event)
        .collect();
    if query.get("direction") == Some("backward") {
        events.reverse();
    }
    let limit = query.number("limit").unwrap_or(DEFAULT_LIMIT);
    if let Ok(limit) = usize::try_from(limit) {
        events.truncate(limit);
    }
    if query.get("format") == Some("lines") {
        let lines = as_lines(events.iter());
        return Ok(lines_of(Body::from(lines)));
    }
    Ok(core::json(StatusCode::OK, &Value::Array(events)))
}

/// Tells what happened, and then what happens until the deployment ended and has its aliases.
fn follow(vercel: Arc<Vercel>, id: String, shape: EventShape, is_old: bool) -> Response {
    let steps = stream::unfold(
        (vercel, id, None, false),
        move |(vercel, id, told_so_far, is_over)| async move {
            if is_over {
                return None;
            }
            let from: usize = told_so_far.unwrap_or(0);
            if told_so_far.is_some() {
                tokio::time::sleep(FOLLOW_EVERY).await;
            }
            let (lines, count, is_over) = {
                let world = vercel.world_now();
                let deployment = world.by_id(&id)?;
                let all = told(deployment, &world.aliases_of(&id), shape, is_old);
                let news = &all[from.min(all.len())..];
                let lines = as_lines(news.iter().map(|(_, event)| event));
                let is_over = deployment.is_ended()
                    && (deployment.ready_ms().is_none() || deployment.aliased_ms.is_some());
                (lines, all.len(), is_over)
            };
            // A build that waits has nothing to say yet: an empty line would be no JSON, an empty chunk is not sent.
            Some((
                Ok::<_, Infallible>(Bytes::from(lines)),
                (vercel, id, Some(count), is_over),
            ))
        },
    );
    lines_of(Body::from_stream(steps))
}

fn as_lines<'a>(events: impl Iterator<Item = &'a Value>) -> String {
    events.fold(String::new(), |lines, event| {
        lines + &event.to_string() + "\n"
    })
}

pub(super) fn lines_of(body: Body) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/stream+json"),
    );
    response
}
