//! CloudEvents 1.0 in, in structured mode: one JSON document that holds the attributes and the data.
//!
//! Reading goes in steps, each with its own rejection codes: format → JSON → attributes → data → the rules between
//! fields. Binary mode, where the attributes travel as headers, would join at `resolve::event`: it takes attributes
//! and data from wherever they came.

mod attributes;
mod encode;
mod fields;
mod resolve;

use serde_json::Value;

pub use encode::encode;

use crate::rejection::{Refusal, clip};
use crate::{
    EventKind, Headers, IncomingEvent, RejectedEvent, Rejection, RejectionCode, Revision, Sha256,
};

/// The most bytes an encoded event may have: 8 MiB, half of what brokers refuse by default (16 MiB since RabbitMQ 4.0).
pub const MAX_EVENT_BYTES: usize = 8 * 1024 * 1024;

/// The content type of structured CloudEvents in JSON, which [`encode`] writes.
pub const STRUCTURED_JSON: &str = "application/cloudevents+json";

/// A message as it came from a broker, in either mode.
#[derive(Clone, Copy, Debug)]
pub struct RawMessage<'a> {
    /// The property `content-type`: `application/cloudevents+json`, in any case and with any parameters, is structured
    /// mode. Plain `application/json`, or none at all, is taken too where the body is an envelope.
    pub content_type: Option<&'a str>,
    /// The property `type`. RabbitMQ sets `amqp-1.0` where the body is still encoded as an AMQP 1.0 section.
    pub message_type: Option<&'a str>,
    /// The headers, which hold the attributes in binary mode.
    pub headers: &'a Headers,
    /// The body.
    pub body: &'a [u8],
}

static NO_HEADERS: Headers = Headers::new();

impl<'a> RawMessage<'a> {
    /// A message with a body and no headers: structured mode.
    pub fn structured(content_type: Option<&'a str>, body: &'a [u8]) -> Self {
        Self {
            content_type,
            message_type: None,
            headers: &NO_HEADERS,
            body,
        }
    }
}

/// Reads a context event.
///
/// # Errors
/// A [`Rejection`] with a stable code, the place, and whatever could be read nevertheless.
pub fn decode(message: RawMessage<'_>) -> Result<IncomingEvent, Box<Rejection>> {
    let RawMessage {
        content_type, body, ..
    } = message;
    let unread = |refusal: Refusal| {
        refusal.about(RejectedEvent {
            body_digest: digest(body),
            ..Default::default()
        })
    };
    if body.len() > MAX_EVENT_BYTES {
        let message = format!(
            "the event has {} bytes, and at most {MAX_EVENT_BYTES} are read: send the files as a bundle",
            body.len()
        );
        return Err(unread(Refusal::new(RejectionCode::TooLarge, message)));
    }
    check_format(content_type).map_err(unread)?;
    let root: Value = serde_json::from_slice(body).map_err(|error| {
        let message = format!("the body is not JSON: {error}");
        unread(Refusal::new(RejectionCode::MalformedJson, message))
    })?;
    let (attributes, data) = (attributes::read(&root), attributes::data(&root));
    let seen = data.as_deref().ok();
    attributes
        .and_then(|attributes| resolve::event(attributes, data.as_deref().map_err(Refusal::clone)?))
        .map_err(|refusal| refusal.about(glimpse(&root, seen, body)))
}

/// Structured JSON by its content type, or something that may turn out to be it.
fn check_format(content_type: Option<&str>) -> Result<(), Refusal> {
    let Some(content_type) = content_type else {
        return Ok(());
    };
    let media_type = content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    match media_type.as_str() {
        "" | STRUCTURED_JSON | "application/cloudevents" | "application/json" => Ok(()),
        other => {
            let message = format!(
                "the content type `{}` is not read here: send one event as {STRUCTURED_JSON}",
                clip(other, 100)
            );
            Err(Refusal::new(RejectionCode::UnsupportedFormat, message))
        }
    }
}

/// Whatever is valid by itself in an event that as a whole is not.
fn glimpse(root: &Value, data: Option<&Value>, body: &[u8]) -> RejectedEvent {
    let attribute = |name| {
        root.get(name)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    };
    let field = |name| data.and_then(|data| data.get(name)).and_then(Value::as_str);
    let kind = attribute("type").and_then(EventKind::from_event_type);
    let revision = data
        .and_then(|data| data.get("revision"))
        .filter(|revision| !revision.is_null());
    RejectedEvent {
        id: attribute("id").map(str::to_owned),
        source: attribute("source").map(str::to_owned),
        tenant: field("tenantId").and_then(|raw| raw.parse().ok()),
        context: field("contextId").and_then(|raw| raw.parse().ok()),
        revision: match (kind, revision) {
            (Some(EventKind::Touch), _) => None,
            (_, Some(revision)) => serde_json::from_value::<Revision>(revision.clone()).ok(),
            (_, None) => attributes::time(root)
                .ok()
                .flatten()
                .and_then(|time| resolve::revision_of(time).ok()),
        },
        kind,
        body_digest: digest(body),
    }
}

fn digest(body: &[u8]) -> String {
    Sha256::of(body).to_hex()
}
