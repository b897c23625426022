//! Events, in every mode: what was read is written and read again as the same; what was refused tells nothing of its data.

use foreshow_contract::{
    HeaderValue, Headers, IncomingEvent, InstallationKey, MAX_EVENT_BYTES, OutcomeKind, RawMessage,
    Rejection, STRUCTURED_JSON, Sha256, decode, encode, encode_binary, event_routing_key,
    routing_key,
};
use foreshow_engine::Queue;
use serde_json::Value;

use crate::assert_showable;

/// Where AMQP's short strings end.
const SHORT_STRING: usize = 255;
/// Stands where a value of the data was.
const CANARY: &str = "c4n4ry-0f-somebodys-data";

/// The bytes as the body of a structured event, under every content type that may mean one, and as AMQP 1.0's sections.
pub fn events_structured(bytes: &[u8]) {
    let headers = Headers::new();
    for content_type in [
        Some(STRUCTURED_JSON),
        Some("application/json; charset=utf-8"),
        Some(""),
        None,
    ] {
        for message_type in [None, Some("amqp-1.0")] {
            look(RawMessage {
                content_type,
                message_type,
                headers: &headers,
                body: bytes,
            });
        }
    }
}

/// A message with headers: a line each, `name: value`, an empty line, and the body. A value is a text, or of another type
/// by a word in front: `int 7`, `time 7`, `bool true`, `other an array`. `content-type` and `type` are the properties.
pub fn events_binary(bytes: &[u8]) {
    let mut headers = Headers::new();
    let (mut content_type, mut message_type) = (None, None);
    let mut rest = bytes;
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let (line, after) = (&rest[..end], &rest[end + 1..]);
        rest = after;
        if line.is_empty() {
            break;
        }
        let line = String::from_utf8_lossy(line);
        // The last colon that a space follows: `cloudEvents:id: 7`.
        let (name, value) = line.rsplit_once(": ").unwrap_or((&line, ""));
        match name {
            "content-type" => content_type = Some(value.to_owned()),
            "type" => message_type = Some(value.to_owned()),
            _ => _ = headers.insert(name.to_owned(), header(value)),
        }
    }
    look(RawMessage {
        content_type: content_type.as_deref(),
        message_type: message_type.as_deref(),
        headers: &headers,
        body: rest,
    });
}

fn header(value: &str) -> HeaderValue {
    match value.split_once(' ') {
        Some(("int", number)) => HeaderValue::Integer(number.parse().unwrap_or(i64::MIN)),
        Some(("time", seconds)) => HeaderValue::Timestamp {
            timestamp: seconds.parse().unwrap_or(u64::MAX),
        },
        Some(("bool", flag)) => HeaderValue::Boolean(flag == "true"),
        Some(("other", kind)) => HeaderValue::other(kind),
        _ => HeaderValue::from(value),
    }
}

fn look(message: RawMessage<'_>) {
    match decode(message) {
        Ok(event) => accepted(&event),
        Err(rejection) => refused(&rejection, &message),
    }
    whose_values_are_not_told(message);
}

/// What was read means the same when it is written, and fits wherever its names go.
fn accepted(event: &IncomingEvent) {
    let structured = encode(event);
    if structured.len() <= MAX_EVENT_BYTES {
        let again = decode(RawMessage::structured(Some(STRUCTURED_JSON), &structured));
        assert_eq!(again.as_ref(), Ok(event), "structured");
    }
    let binary = encode_binary(event);
    if binary.body.len() <= MAX_EVENT_BYTES {
        let headers = binary.typed_headers();
        let again = decode(RawMessage {
            content_type: Some(&binary.content_type),
            message_type: None,
            headers: &headers,
            body: &binary.body,
        });
        assert_eq!(again.as_ref(), Ok(event), "binary");
    }
    let key = event.event.key();
    let event_key = event_routing_key(event.event.kind(), &key.tenant);
    assert!(event_key.len() <= SHORT_STRING);
    assert!(Queue::for_routing_key(&event_key).is_some(), "{event_key}");
    for outcome in OutcomeKind::ALL {
        let result_key = routing_key(outcome, Some(&key.tenant), Some(&key.context));
        assert!(result_key.len() <= SHORT_STRING, "{result_key}");
    }
    let installation = InstallationKey::try_from_slice(&[7; 32]).expect("32 bytes are a key");
    // Labels are checked where they are read.
    let label = installation.alias_label(key);
    assert_eq!(label.as_str().parse(), Ok(label));
}

/// A refusal is bounded, and names the message.
fn refused(rejection: &Rejection, message: &RawMessage<'_>) {
    assert_showable(&rejection.message, 1_000);
    assert_showable(rejection.path.as_deref().unwrap_or_default(), 301);
    assert!(!rejection.message.is_empty());
    let digest = Sha256::of(message.body).to_hex();
    assert_eq!(rejection.event.body_digest, digest);
    // What can be told of it is valid by itself.
    let result_key = routing_key(
        OutcomeKind::Rejected,
        rejection.event.tenant.as_ref(),
        rejection.event.context.as_ref(),
    );
    assert!(result_key.len() <= SHORT_STRING);
}

/// With every text in its data replaced, a message that is refused says nothing of what stands there.
fn whose_values_are_not_told(message: RawMessage<'_>) {
    let Ok(mut body) = serde_json::from_slice::<Value>(message.body) else {
        return;
    };
    let enveloped = body.get("specversion").is_some();
    let data = if enveloped {
        body.get_mut("data")
    } else {
        Some(&mut body)
    };
    let Some(data) = data else { return };
    for kept in [&["tenantId", "contextId", "revision"][..], &[]] {
        let mut marked = data.clone();
        mark(&mut marked, kept);
        let body = if enveloped {
            let mut envelope: Value = serde_json::from_slice(message.body).unwrap_or(Value::Null);
            envelope["data"] = marked;
            envelope.to_string()
        } else {
            marked.to_string()
        };
        let answer = decode(RawMessage {
            body: body.as_bytes(),
            ..message
        });
        if let Err(rejection) = answer {
            let told = rejection.to_string();
            assert!(
                !told.contains(CANARY),
                "a value of the data is told: {told}"
            );
        }
    }
}

/// Replaces the texts; those under the kept names, at the top, stay.
fn mark(value: &mut Value, kept: &[&str]) {
    match value {
        Value::String(text) => CANARY.clone_into(text),
        Value::Array(items) => items.iter_mut().for_each(|item| mark(item, &[])),
        Value::Object(members) => members
            .iter_mut()
            .filter(|(name, _)| !kept.contains(&name.as_str()))
            .for_each(|(_, member)| mark(member, &[])),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
