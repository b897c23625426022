//! Structured mode: one JSON document that holds the attributes, and the data beside them.
//!
//! Rules from CloudEvents' JSON format 1.0.2, sections 2 and 3: `null` is absence; `data` and `data_base64` exclude each
//! other; data without a content type is JSON, unless it is binary; a string under a JSON content type is a JSON string
//! and not nested JSON.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::fields::{json, kind_of};
use crate::RejectionCode;
use crate::content::decode_base64;
use crate::event_time::EventTime;
use crate::rejection::{Refusal, clip};

/// A document that may be an envelope.
#[derive(Clone, Copy)]
pub(super) struct Document<'a>(pub(super) &'a Value);

impl<'a> Document<'a> {
    /// Refuses what is no envelope at all.
    pub(super) fn check(self) -> Result<(), Refusal> {
        self.object().map(drop)
    }

    /// An attribute.
    pub(super) fn text(self, name: &str) -> Result<Option<&'a str>, Refusal> {
        text(self.object()?, name)
    }

    /// The attribute `time`.
    pub(super) fn time(self) -> Result<Option<EventTime>, Refusal> {
        let Some(text) = self.text("time")? else {
            return Ok(None);
        };
        let invalid = |error| {
            Refusal::new(RejectionCode::InvalidTime, format!("time: {error}")).at(place("time"))
        };
        EventTime::parse(text).map(Some).map_err(invalid)
    }

    /// The data, as JSON.
    pub(super) fn data(self) -> Result<Cow<'a, Value>, Refusal> {
        let object = self.object()?;
        let content_type = text(object, "datacontenttype")?;
        let not_json = |found: &str| not_json_data(found).at("$.datacontenttype");
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
                let data = json(&bytes, "the decoded data").map_err(|refusal| refusal.at(path))?;
                Ok(Cow::Owned(data))
            }
            (None, None) => Err(no_data().at("$")),
        }
    }

    fn object(self) -> Result<&'a Map<String, Value>, Refusal> {
        let is_envelope = |object: &&Map<String, Value>| object.contains_key("specversion");
        self.0.as_object().filter(is_envelope).ok_or_else(|| {
            let message = "the body is not a CloudEvents 1.0 envelope: it must be a JSON object with specversion, id, \
                           source, type and data";
            Refusal::new(RejectionCode::NotACloudEvent, message).at("$")
        })
    }
}

/// Where an attribute is, or would be.
pub(super) fn place(name: &str) -> String {
    format!("$.{name}")
}

fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, Refusal> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => {
            let message = format!(
                "attribute {name} must be a string, and is {}",
                kind_of(other)
            );
            Err(Refusal::new(RejectionCode::InvalidAttribute, message).at(place(name)))
        }
    }
}

pub(super) fn not_json_data(found: &str) -> Refusal {
    let message =
        format!("the data is {found}: send it as JSON, with datacontenttype application/json");
    Refusal::new(RejectionCode::UnsupportedData, message)
}

pub(super) fn no_data() -> Refusal {
    let message = "the event has no data: it names the context there, in tenantId and contextId";
    Refusal::new(RejectionCode::MissingData, message)
}

/// `*/json` and `*/*+json`, with any parameters: what CloudEvents' JSON format (section 3.1) calls JSON.
pub(super) fn is_json(content_type: &str) -> bool {
    super::mode::media_type(content_type)
        .split_once('/')
        .is_some_and(|(_, subtype)| subtype == "json" || subtype.ends_with("+json"))
}
