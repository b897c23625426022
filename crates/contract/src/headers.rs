//! A message's headers, as brokers type them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A message's headers by name.
pub type Headers = BTreeMap<String, HeaderValue>;

/// The kind of a header that is there and has no value.
const NOTHING: &str = "nothing";

/// One header's value. AMQP's many number types are one here; what no attribute can be is told by its kind alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum HeaderValue {
    /// A string, short or long, that is UTF-8.
    Text(String),
    /// A whole number of any width.
    Integer(i64),
    /// A boolean.
    Boolean(bool),
    /// AMQP's timestamp: whole seconds since 1970.
    Timestamp {
        /// The seconds.
        timestamp: u64,
    },
    /// A value that no CloudEvents attribute can be, or [`nothing`](Self::nothing).
    Other {
        /// What it is, in words: `an array`, `a table`, `a floating-point number`, `binary`, `nothing`.
        other: String,
    },
}

impl HeaderValue {
    /// A value that no attribute can be, told by its kind alone.
    pub fn other(kind: impl Into<String>) -> Self {
        Self::Other { other: kind.into() }
    }

    /// AMQP's void, which some clients send for what is not set. It counts as absent.
    pub fn nothing() -> Self {
        Self::other(NOTHING)
    }

    /// Whether it is [`nothing`](Self::nothing).
    pub(crate) fn is_nothing(&self) -> bool {
        matches!(self, Self::Other { other } if other == NOTHING)
    }

    /// The text, where it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Integer(_) | Self::Boolean(_) | Self::Timestamp { .. } | Self::Other { .. } => {
                None
            }
        }
    }
}

impl From<&str> for HeaderValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for HeaderValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}
