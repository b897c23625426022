//! The envelope of structured mode: attributes, and the data beside them.
//!
//! Rules from CloudEvents 1.0.2 (core, sections 3.1 and 3.2) and its JSON format (sections 2 and 3): required
//! attributes are not empty; `null` is absence; `data` and `data_base64` exclude each other; data without a content
//! type is JSON, unless it is binary; a string under a JSON content type is a JSON string and not nested JSON.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::content::decode_base64;
use crate::event_time::EventTime;
use crate::rejection::{Refusal, clip};
use crate::{EventKind, RejectionCode};

/// An envelope's attributes, wherever they came from.
pub(super) struct Attributes {
    pub(super) id: String,
    pub(super) source: String,
    pub(super) kind: EventKind,
    pub(super) subject: Option<String>,
    pub(super) time: Option<EventTime>,
    pub(super) traceparent: Option<String>,
    pub(super) tracestate: Option<String>,
}

pub(super) fn read(root: &Value) -> Result<Attributes, Refusal> {
    let object = object(root)?;
    let specversion = text(object, "specversion")?.unwrap_or_default();
    if specversion != "1.0" {
        let message = format!(
            "specversion is `{}`, and only 1.0 is read",
            clip(specversion, 20)
        );
        return Err(
            Refusal::new(RejectionCode::UnsupportedSpecversion, message).at("$.specversion")
        );
    }
    let event_type = required(object, "type")?;
    let kind = EventKind::from_event_type(event_type).ok_or_else(|| {
        let known = EventKind::ALL.map(EventKind::event_type).join(", ");
        let message = format!(
            "type `{}` is not known: use one of {known}",
            clip(event_type, 100)
        );
        Refusal::new(RejectionCode::UnknownType, message).at("$.type")
    })?;
    let traceparent = text(object, "traceparent")?.filter(|text| is_traceparent(text));
    Ok(Attributes {
        id: required(object, "id")?.to_owned(),
        source: required(object, "source")?.to_owned(),
        kind,
        subject: text(object, "subject")?
            .filter(|text| !text.is_empty())
            .map(str::to_owned),
        time: time(root)?,
        tracestate: match traceparent {
            Some(_) => text(object, "tracestate")?
                .filter(|text| is_tracestate(text))
                .map(str::to_owned),
            None => None,
        },
        traceparent: traceparent.map(str::to_owned),
    })
}

/// The envelope's time, if it has one.
pub(super) fn time(root: &Value) -> Result<Option<EventTime>, Refusal> {
    let Some(text) = text(object(root)?, "time")? else {
        return Ok(None);
    };
    let invalid =
        |error| Refusal::new(RejectionCode::InvalidTime, format!("time: {error}")).at("$.time");
    EventTime::parse(text).map(Some).map_err(invalid)
}

/// The envelope's data, as JSON.
pub(super) fn data(root: &Value) -> Result<Cow<'_, Value>, Refusal> {
    let object = object(root)?;
    let content_type = text(object, "datacontenttype")?;
    let not_json = |found: &str| {
        let message =
            format!("the data is {found}: send it as JSON, with datacontenttype application/json");
        Refusal::new(RejectionCode::UnsupportedData, message).at("$.datacontenttype")
    };
    if let Some(other) = content_type.filter(|content_type| !is_json(content_type)) {
        return Err(not_json(&format!("declared as `{}`", clip(other, 100))));
    }
    match (object.get("data"), text(object, "data_base64")?) {
        (Some(_), Some(_)) => {
            let message = "data and data_base64 are both there: send one of them";
            Err(Refusal::new(RejectionCode::DataAndDataBase64, message).at("$"))
        }
        (Some(data), None) => Ok(Cow::Borrowed(data)),
        (None, Some(_)) if content_type.is_none() => {
            Err(not_json("binary and of no declared type"))
        }
        (None, Some(encoded)) => {
            let path = "$.data_base64";
            let bytes = decode_base64(encoded).map_err(|error| {
                Refusal::new(RejectionCode::InvalidBase64, error.to_string()).at(path)
            })?;
            let data = serde_json::from_slice(&bytes).map_err(|error| {
                let message = format!("the decoded data is not JSON: {error}");
                Refusal::new(RejectionCode::MalformedJson, message).at(path)
            })?;
            Ok(Cow::Owned(data))
        }
        (None, None) => {
            let message =
                "the event has no data: it names the context there, in tenantId and contextId";
            Err(Refusal::new(RejectionCode::MissingData, message).at("$"))
        }
    }
}

fn object(root: &Value) -> Result<&Map<String, Value>, Refusal> {
    root.as_object().filter(|object| object.contains_key("specversion")).ok_or_else(|| {
        let message = "the body is not a CloudEvents 1.0 envelope: it must be a JSON object with specversion, id, \
                       source, type and data";
        Refusal::new(RejectionCode::NotACloudEvent, message).at("$")
    })
}

fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, Refusal> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => {
            let message = format!(
                "attribute {name} must be a string, and is {}",
                super::fields::kind_of(other)
            );
            Err(Refusal::new(RejectionCode::InvalidAttribute, message).at(format!("$.{name}")))
        }
    }
}

fn required<'a>(object: &'a Map<String, Value>, name: &str) -> Result<&'a str, Refusal> {
    text(object, name)?
        .filter(|text| !text.is_empty())
        .ok_or_else(|| {
            let message = format!("attribute {name} is required and must not be empty");
            Refusal::new(RejectionCode::InvalidAttribute, message).at(format!("$.{name}"))
        })
}

/// `*/json` and `*/*+json`, with any parameters: what CloudEvents' JSON format (section 3.1) calls JSON.
fn is_json(content_type: &str) -> bool {
    let media_type = content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    media_type
        .split_once('/')
        .is_some_and(|(_, subtype)| subtype == "json" || subtype.ends_with("+json"))
}

/// W3C Trace Context, section 3.2. What does not parse must be ignored, says the same section; it also must not
/// grow a result's headers beyond what a broker takes.
fn is_traceparent(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let is_hex = |part: &str, digits: usize| {
        part.len() == digits
            && part
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_id =
        |part: &str, digits: usize| is_hex(part, digits) && part.bytes().any(|byte| byte != b'0');
    matches!(parts.as_slice(), ["00", trace, parent, flags] if is_id(trace, 32) && is_id(parent, 16) && is_hex(flags, 2))
}

/// As much as section 3.3 makes everyone carry: 512 characters, printable ASCII.
fn is_tracestate(text: &str) -> bool {
    (1..=512).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t'))
}
