//! The attributes of binary mode: the headers under one of three prefixes.
//!
//! `ce-` is the prefix of RabbitMQ's own binding, and, in other letter case, what bridges make of HTTP's headers;
//! `cloudEvents_` and `cloudEvents:` come from AMQP 1.0 clients, through the broker. A sender uses one of them: where two
//! are mixed, or one attribute is there twice, nobody can say which value was meant, and the event is refused.
//!
//! Senders write attributes as strings or natively, and both are read: a number or a boolean stands for its CloudEvents
//! string. An AMQP timestamp has whole seconds. An integer `time` counts milliseconds since 1970: that is what the
//! Python SDK sends. What has no value is absent. No other native type can be an attribute.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use super::document::{is_json, no_data, not_json_data};
use super::fields::json;
use crate::event_time::EventTime;
use crate::rejection::{Refusal, clip};
use crate::{HeaderValue, Headers, RejectionCode};

/// The prefixes that mark an attribute, in any letter case.
const PREFIXES: [&str; 3] = [super::binary::PREFIX, "cloudEvents_", "cloudEvents:"];

/// A message's attribute headers: at least one.
pub(crate) struct AttributeHeaders<'a> {
    prefix: &'static str,
    by_attribute: BTreeMap<String, Header<'a>>,
    /// Why they can't be told apart, if they can't.
    ambiguity: Option<Refusal>,
}

#[derive(Clone, Copy)]
struct Header<'a> {
    name: &'a str,
    value: &'a HeaderValue,
}

impl<'a> AttributeHeaders<'a> {
    /// The attribute headers of a message; `None` where it has none, and so is not in binary mode.
    pub(crate) fn of(headers: &'a Headers) -> Option<Self> {
        let mut marked = headers.iter().filter_map(|(name, value)| {
            let (prefix, attribute) = attribute_of(name)?;
            (!value.is_nothing()).then_some((prefix, attribute, Header { name, value }))
        });
        let (prefix, attribute, header) = marked.next()?;
        let mut found = Self {
            prefix,
            by_attribute: BTreeMap::from([(attribute, header)]),
            ambiguity: None,
        };
        for (prefix, attribute, header) in marked {
            if found.ambiguity.is_none() {
                found.ambiguity = found.clash(prefix, &attribute, header);
            }
            found.by_attribute.entry(attribute).or_insert(header);
        }
        Some(found)
    }

    /// Why another header does not go with those before it, if it does not.
    fn clash(&self, prefix: &str, attribute: &str, header: Header<'_>) -> Option<Refusal> {
        let refusal = if prefix == self.prefix {
            let before = self.by_attribute.get(attribute)?;
            let message = format!(
                "attribute {} is there twice, as {} and as {}: send it once",
                clip(attribute, 40),
                clip(before.name, 60),
                clip(header.name, 60)
            );
            Refusal::new(RejectionCode::InvalidAttribute, message)
        } else {
            let message = format!(
                "the attribute headers mix the prefixes {} and {prefix}: use one of them",
                self.prefix
            );
            Refusal::new(RejectionCode::MixedHeaderPrefixes, message)
        };
        Some(refusal.at(place_of(header.name)))
    }

    /// Refuses attributes that are ambiguous, or of a type that none can have: also those that nobody here reads.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        if let Some(refusal) = &self.ambiguity {
            return Err(refusal.clone());
        }
        self.by_attribute
            .keys()
            .try_for_each(|name| self.text(name).map(drop))
    }

    /// An attribute as its CloudEvents string.
    pub(super) fn text(&self, name: &str) -> Result<Option<Cow<'a, str>>, Refusal> {
        let Some(Header { value, .. }) = self.by_attribute.get(name) else {
            return Ok(None);
        };
        match value {
            HeaderValue::Text(text) => Ok(Some(Cow::Borrowed(text))),
            HeaderValue::Integer(number) => Ok(Some(Cow::Owned(number.to_string()))),
            HeaderValue::Boolean(flag) => Ok(Some(Cow::Owned(flag.to_string()))),
            HeaderValue::Timestamp { timestamp } => match EventTime::from_seconds(*timestamp) {
                Some(time) => Ok(Some(Cow::Owned(time.at.to_string()))),
                None => Err(self.no_instant(name)),
            },
            HeaderValue::Other { other } => Err(self.wrong_type(name, &clip(other, 60))),
        }
    }

    /// The attribute `time`, and whether its sender could have written a fraction of a second.
    pub(super) fn time(&self) -> Result<Option<EventTime>, Refusal> {
        let name = "time";
        let Some(Header { value, .. }) = self.by_attribute.get(name) else {
            return Ok(None);
        };
        match value {
            HeaderValue::Text(text) => EventTime::parse(text).map_err(|error| {
                Refusal::new(RejectionCode::InvalidTime, format!("time: {error}"))
                    .at(self.place(name))
            }),
            HeaderValue::Integer(millis) => {
                EventTime::from_millis(*millis).ok_or_else(|| self.no_instant(name))
            }
            HeaderValue::Timestamp { timestamp } => {
                EventTime::from_seconds(*timestamp).ok_or_else(|| self.no_instant(name))
            }
            HeaderValue::Boolean(_) => Err(self.wrong_type(name, "a boolean")),
            HeaderValue::Other { other } => Err(self.wrong_type(name, &clip(other, 60))),
        }
        .map(Some)
    }

    /// Where an attribute is, or would be.
    pub(super) fn place(&self, name: &str) -> String {
        match self.by_attribute.get(name) {
            Some(header) => place_of(header.name),
            None => place_of(&format!("{}{name}", self.prefix)),
        }
    }

    /// The body, which is the data, as JSON. Its type is the property `content-type`, for which the binding reserves it;
    /// a header stands in where a sender left the property out.
    pub(crate) fn data(&self, content_type: Option<&str>, body: &[u8]) -> Result<Value, Refusal> {
        let (declared, place) = match content_type.filter(|text| !text.is_empty()) {
            Some(property) => (
                Some(Cow::Borrowed(property)),
                "property content-type".to_owned(),
            ),
            None => (self.text("datacontenttype")?, self.place("datacontenttype")),
        };
        if let Some(other) = declared.filter(|content_type| !is_json(content_type)) {
            let found = format!("declared as `{}`", clip(&other, 100));
            return Err(not_json_data(&found).at(place));
        }
        if body.is_empty() {
            return Err(no_data().at("$.data"));
        }
        json(body, "the body").map_err(|refusal| refusal.at("$.data"))
    }

    fn wrong_type(&self, name: &str, found: &str) -> Refusal {
        let expected = match name {
            "time" => "a string, an integer or a timestamp",
            _ => "a string",
        };
        let message = format!(
            "attribute {} must be {expected}, and is {found}",
            clip(name, 40)
        );
        Refusal::new(RejectionCode::InvalidAttribute, message).at(self.place(name))
    }

    fn no_instant(&self, name: &str) -> Refusal {
        let message = "the time is not between the years 0 and 9999: an integer counts milliseconds since 1970, an \
                       AMQP timestamp whole seconds";
        let code = match name {
            "time" => RejectionCode::InvalidTime,
            _ => RejectionCode::InvalidAttribute,
        };
        Refusal::new(code, message).at(self.place(name))
    }
}

/// The prefix and the attribute that a header's name is made of. CloudEvents' names are lower-case letters and digits;
/// what came by HTTP may be capitalised.
fn attribute_of(header: &str) -> Option<(&'static str, String)> {
    let (prefix, attribute) = PREFIXES.into_iter().find_map(|prefix| {
        let (start, attribute) = header.split_at_checked(prefix.len())?;
        start
            .eq_ignore_ascii_case(prefix)
            .then_some((prefix, attribute))
    })?;
    let is_name =
        !attribute.is_empty() && attribute.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_name.then(|| (prefix, attribute.to_ascii_lowercase()))
}

fn place_of(header: &str) -> String {
    format!("header {header}")
}
