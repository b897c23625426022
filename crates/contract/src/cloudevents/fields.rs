//! Reading data into its wire types, with errors that say where and never quote what.
//!
//! Serde's messages quote the value that did not fit. Here that may be an env value, a signed URL or megabytes of a
//! file, and the message travels to logs and results; so it is put together anew: what was expected is ours, what was
//! found is told by its kind alone.

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment;

use crate::RejectionCode;
use crate::rejection::{Refusal, clip};

/// Reads the event's data as `T`.
pub(super) fn read<T: DeserializeOwned>(data: &Value) -> Result<T, Refusal> {
    if !data.is_object() {
        let message = format!("data must be a JSON object, and is {}", kind_of(data));
        return Err(Refusal::new(RejectionCode::InvalidField, message).at("$.data"));
    }
    serde_path_to_error::deserialize(data).map_err(|error| {
        let path = error.path();
        let found = path.iter().try_fold(data, |value, segment| match segment {
            Segment::Seq { index } => value.get(index),
            Segment::Map { key } => value.get(key),
            Segment::Enum { .. } | Segment::Unknown => None,
        });
        let message = describe(&error.inner().to_string(), found);
        let place = match path.to_string().as_str() {
            "." => "$.data".to_owned(),
            inner => format!("$.data.{inner}"),
        };
        Refusal::new(RejectionCode::InvalidField, message).at(place)
    })
}

fn describe(serde: &str, found: Option<&Value>) -> String {
    match (serde.rsplit_once(", expected "), found) {
        (Some((_, expected)), Some(found)) => {
            format!("expected {expected}, found {}", kind_of(found))
        }
        (Some((_, expected)), None) => format!("expected {expected}"),
        // A missing field, or a message of our own: neither quotes a value.
        (None, _) => clip(serde, 200),
    }
}

/// Reads JSON. Where that fails the most common reasons are told: encodings that only look like it.
pub(super) fn json(bytes: &[u8], what: &str) -> Result<Value, Refusal> {
    serde_json::from_slice(bytes).map_err(|error| {
        let hint = match bytes {
            [0xEF, 0xBB, 0xBF, ..] => ": it begins with a byte order mark; leave that out",
            [0xFE, 0xFF, ..] | [0xFF, 0xFE, ..] | [0, b'{', ..] | [b'{', 0, ..] => {
                ": it looks like UTF-16; send it as UTF-8"
            }
            _ if std::str::from_utf8(bytes).is_err() => ": it is not UTF-8",
            _ => "",
        };
        let message = format!("{what} is not JSON: {error}{hint}");
        Refusal::new(RejectionCode::MalformedJson, message)
    })
}

/// What a value is, in words.
pub(super) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
