//! CloudEvents 1.0 over AMQP, in and out.
//!
//! In *structured mode* one JSON document holds attributes and data; in *binary mode* the attributes are headers, and
//! the body is the data. Both are read, as senders' clients write them; the same event means the same in either.
//!
//! Reading goes in steps, each with its own rejection codes: mode → body → attributes → data → the rules between fields.
//! The first two know where things are; from `resolve::event` on nothing tells the modes apart but the places that
//! rejections name.

mod amqp;
mod attributes;
mod binary;
mod document;
mod encode;
mod fields;
mod headers;
mod mode;
mod open;
mod resolve;
mod routed;
mod trace;

use std::borrow::Cow;

use serde_json::Value;

pub use binary::BinaryMessage;
pub use encode::{encode, encode_binary};
pub(crate) use open::{Opened, open};
pub use routed::decode_routed;

use attributes::Carrier;
use document::Document;
use headers::AttributeHeaders;
use mode::Mode;

use crate::rejection::Refusal;
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
    /// mode. In binary mode it is the data's, which must be JSON. Plain `application/json`, or none at all, without
    /// attribute headers is taken too where the body is an envelope.
    pub content_type: Option<&'a str>,
    /// The property `type`. RabbitMQ sets `amqp-1.0` where the body is still encoded as an AMQP 1.0 section.
    pub message_type: Option<&'a str>,
    /// The headers. Those under `ce-`, `cloudEvents_` or `cloudEvents:` are the attributes in binary mode; of the others
    /// only `traceparent` and `tracestate` are read, where no attribute says them.
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

/// Reads a context event, in either mode.
///
/// # Errors
/// A [`Rejection`] with a stable code, the place, and whatever could be read nevertheless.
pub fn decode(message: RawMessage<'_>) -> Result<IncomingEvent, Box<Rejection>> {
    match Mode::of(&message) {
        Ok(Mode::Structured) => structured(&message),
        Ok(Mode::Binary(headers)) => binary(&message, &headers),
        Err(refusal) => Err(unread(refusal, &message)),
    }
}

fn structured(message: &RawMessage<'_>) -> Result<IncomingEvent, Box<Rejection>> {
    let body = event_body(message).map_err(|refusal| unread(refusal, message))?;
    let root = fields::json(&body, "the body").map_err(|refusal| unread(refusal, message))?;
    let document = Document(&root);
    conclude(Carrier::Document(document), document.data(), message)
}

fn binary(
    message: &RawMessage<'_>,
    headers: &AttributeHeaders<'_>,
) -> Result<IncomingEvent, Box<Rejection>> {
    let carrier = Carrier::Headers(headers);
    let body = event_body(message)
        .map_err(|refusal| refusal.about(glimpse(carrier, None, message.body)))?;
    let data = headers.data(message.content_type, &body).map(Cow::Owned);
    conclude(carrier, data, message)
}

fn conclude(
    carrier: Carrier<'_>,
    data: Result<Cow<'_, Value>, Refusal>,
    message: &RawMessage<'_>,
) -> Result<IncomingEvent, Box<Rejection>> {
    carrier
        .attributes(message.headers)
        .and_then(|attributes| resolve::event(attributes, data.as_deref().map_err(Refusal::clone)?))
        .map_err(|refusal| {
            let seen = data.as_deref().ok();
            refusal.about(glimpse(carrier, seen, message.body))
        })
}

/// The body of an event that is not too large, out of its AMQP 1.0 sections if need be.
fn event_body<'a>(message: &RawMessage<'a>) -> Result<Cow<'a, [u8]>, Refusal> {
    let size_bytes = message.body.len();
    if size_bytes > MAX_EVENT_BYTES {
        let message = format!(
            "the event has {size_bytes} bytes, and at most {MAX_EVENT_BYTES} are read: send the files as a bundle"
        );
        return Err(Refusal::new(RejectionCode::TooLarge, message));
    }
    amqp::payload(message)
}

fn unread(refusal: Refusal, message: &RawMessage<'_>) -> Box<Rejection> {
    refusal.about(RejectedEvent {
        body_digest: digest(message.body),
        ..Default::default()
    })
}

/// Whatever is valid by itself in an event that as a whole is not.
fn glimpse(carrier: Carrier<'_>, data: Option<&Value>, body: &[u8]) -> RejectedEvent {
    let attribute = |name| carrier.glimpse(name).map(Cow::into_owned);
    let field = |name| data.and_then(|data| data.get(name)).and_then(Value::as_str);
    let kind = attribute("type").and_then(|text| EventKind::from_event_type(&text));
    let revision = data
        .and_then(|data| data.get("revision"))
        .filter(|revision| !revision.is_null());
    RejectedEvent {
        id: attribute("id"),
        source: attribute("source"),
        tenant: field("tenantId").and_then(|raw| raw.parse().ok()),
        context: field("contextId").and_then(|raw| raw.parse().ok()),
        revision: match (kind, revision) {
            (Some(EventKind::Touch | EventKind::Reset), _) | (Some(EventKind::Expire), None) => {
                None
            }
            (_, Some(revision)) => serde_json::from_value::<Revision>(revision.clone()).ok(),
            (_, None) => carrier
                .time()
                .ok()
                .flatten()
                .and_then(|sent| resolve::revision_of(&sent).ok()),
        },
        kind,
        body_digest: digest(body),
    }
}

fn digest(body: &[u8]) -> String {
    Sha256::of(body).to_hex()
}
