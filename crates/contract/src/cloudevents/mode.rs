//! Where a message's attributes are: in its body, or in its headers.

use super::RawMessage;
use super::headers::AttributeHeaders;
use crate::rejection::{Refusal, clip};
use crate::{RejectionCode, STRUCTURED_JSON};

/// How a message carries its event.
pub(crate) enum Mode<'a> {
    /// The body is a document that holds all of it.
    Structured,
    /// The body is the data, the attributes are headers.
    Binary(AttributeHeaders<'a>),
}

impl<'a> Mode<'a> {
    /// Told by the content type first: what is declared as a CloudEvent is structured, and repeats of its attributes
    /// in the headers do not count. Everything else that has attribute headers is binary. What has none may still turn
    /// out to be an envelope that was sent as plain JSON.
    pub(crate) fn of(message: &RawMessage<'a>) -> Result<Self, Refusal> {
        let media_type = media_type(message.content_type.unwrap_or_default());
        match media_type.as_str() {
            STRUCTURED_JSON | "application/cloudevents" => Ok(Self::Structured),
            other if other.starts_with("application/cloudevents") => Err(foreign(other)),
            other => match AttributeHeaders::of(message.headers) {
                Some(headers) => Ok(Self::Binary(headers)),
                None if matches!(other, "" | super::binary::JSON) => Ok(Self::Structured),
                None => Err(foreign(other)),
            },
        }
    }
}

fn foreign(media_type: &str) -> Refusal {
    let message = format!(
        "the content type `{}` is not read here: send one event as {STRUCTURED_JSON}, or as application/json with its \
         attributes in ce- headers",
        clip(media_type, 100)
    );
    Refusal::new(RejectionCode::UnsupportedFormat, message)
}

/// A content type in lower case, without its parameters.
pub(super) fn media_type(content_type: &str) -> String {
    content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}
