//! CloudEvents out in binary mode: attributes as headers, data as the body.
//!
//! The prefix is `ce-`, that of the AMQP 0-9-1 binding, and every value is a string: readers differ in which native
//! types they expect, and all of them take strings. What is not set is left out, for some readers refuse a null. No
//! name starts with `x-`, which brokers turn into annotations on the way to AMQP 1.0.

use std::collections::BTreeMap;

use crate::{HeaderValue, Headers};

/// The prefix of every header that is written.
pub(super) const PREFIX: &str = "ce-";

/// The content type of the data that is written.
pub(super) const JSON: &str = "application/json";

/// A CloudEvent in binary mode, ready to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BinaryMessage {
    /// The property `content-type`: that of the data.
    pub content_type: String,
    /// Every other attribute that is set, under `ce-` and its name.
    pub headers: BTreeMap<String, String>,
    /// The data.
    pub body: Vec<u8>,
}

impl BinaryMessage {
    /// An event with JSON data and those of the attributes that are set; `specversion` is added.
    pub(crate) fn json<const N: usize>(
        attributes: [(&'static str, Option<String>); N],
        body: Vec<u8>,
    ) -> Self {
        let header =
            |(name, value): (&str, Option<String>)| Some((format!("{PREFIX}{name}"), value?));
        Self {
            content_type: JSON.to_owned(),
            headers: attributes
                .into_iter()
                .chain([("specversion", Some("1.0".to_owned()))])
                .filter_map(header)
                .collect(),
            body,
        }
    }

    /// The headers as a [`RawMessage`](crate::RawMessage) has them.
    pub fn typed_headers(&self) -> Headers {
        self.headers
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::Text(value.clone())))
            .collect()
    }
}
