//! Why an event could not be taken, in words for its sender.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ContextId, EventKind, Revision, TenantId};

macro_rules! rejection_codes {
    ($($(#[$doc:meta])* $variant:ident = $word:literal,)*) => {
        /// Why an event was rejected: stable words for programs to compare.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum RejectionCode {
            $($(#[$doc])* $variant,)*
        }

        impl RejectionCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }
    };
}

rejection_codes! {
    /// The encoded event is over 8 MiB.
    TooLarge = "too_large",
    /// The content type names a format that is not read here.
    UnsupportedFormat = "unsupported_format",
    /// The body is still encoded for AMQP 1.0, as something that holds no event.
    UnsupportedBody = "unsupported_body",
    /// The body is not JSON.
    MalformedJson = "malformed_json",
    /// The body is JSON, but no CloudEvents envelope.
    NotACloudEvent = "not_a_cloud_event",
    /// A CloudEvents version other than 1.0.
    UnsupportedSpecversion = "unsupported_specversion",
    /// A CloudEvents attribute is missing, empty or of the wrong type.
    InvalidAttribute = "invalid_attribute",
    /// Attribute headers under more than one prefix.
    MixedHeaderPrefixes = "mixed_header_prefixes",
    /// The event's `time` is not RFC 3339, nor an instant of the years 0 to 9999.
    InvalidTime = "invalid_time",
    /// The event's `type` is none of ours.
    UnknownType = "unknown_type",
    /// The event has no data.
    MissingData = "missing_data",
    /// The envelope has both `data` and `data_base64`.
    DataAndDataBase64 = "data_and_data_base64",
    /// The data is not declared as JSON.
    UnsupportedData = "unsupported_data",
    /// Base64 that can't be decoded: an inline file's, or the envelope's `data_base64`.
    InvalidBase64 = "invalid_base64",
    /// A field of the data is missing, of the wrong type, or out of range.
    InvalidField = "invalid_field",
    /// `tenantId` or `contextId` is empty.
    IdEmpty = "id_empty",
    /// `tenantId` or `contextId` is too long once escaped.
    IdTooLong = "id_too_long",
    /// There is no revision, and no time precise enough to stand in for it.
    RevisionMissing = "revision_missing",
    /// The revision is not a whole number from 0 to 2^53 - 1.
    InvalidRevision = "invalid_revision",
    /// The same revision was published before with other content.
    RevisionConflict = "revision_conflict",
    /// Both `files` and `bundle` are there.
    FilesAndBundle = "files_and_bundle",
    /// Neither `files` nor `bundle` is there.
    FilesOrBundleMissing = "files_or_bundle_missing",
    /// The bundle's URL or digest can't be right.
    InvalidBundle = "invalid_bundle",
    /// The framework is not known.
    UnknownFramework = "unknown_framework",
    /// The routing key is another kind's, or another tenant's, than the event.
    RoutingKeyMismatch = "routing_key_mismatch",
}

impl fmt::Display for RejectionCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// An event that could not be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}{}", at(.path.as_deref()))]
pub struct Rejection {
    /// Why, for programs.
    pub code: RejectionCode,
    /// Why and how to mend it, for people. Never quotes values of the event's data.
    pub message: String,
    /// Where in the event: a JSON path such as `$.data.files[3].content`, where `$.data` is the body in binary mode, or
    /// `header ce-time`, `property content-type` and `routing key` for what is outside it.
    pub path: Option<String>,
    /// What could be read of the event nevertheless.
    pub event: RejectedEvent,
}

/// What could be read of an event that was rejected: each part that is valid by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RejectedEvent {
    /// The event's id.
    pub id: Option<String>,
    /// The event's source.
    pub source: Option<String>,
    /// The data's tenant.
    pub tenant: Option<TenantId>,
    /// The data's context.
    pub context: Option<ContextId>,
    /// The data's revision, or what its time stands for.
    pub revision: Option<Revision>,
    /// What the event's type says.
    pub kind: Option<EventKind>,
    /// The SHA-256 of the whole body, in hexadecimal: names the event where nothing else does.
    pub body_digest: String,
}

fn at(path: Option<&str>) -> String {
    path.map(|path| format!(" (at {path})")).unwrap_or_default()
}

/// A rejection in the making: the reason, before it is known what it is about.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    code: RejectionCode,
    message: String,
    path: Option<String>,
}

impl Refusal {
    pub(crate) fn new(code: RejectionCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            path: None,
        }
    }

    pub(crate) fn at(self, path: impl Into<String>) -> Self {
        // A path can hold a key of any length.
        Self {
            path: Some(clip(&path.into(), 300)),
            ..self
        }
    }

    pub(crate) fn about(self, event: RejectedEvent) -> Box<Rejection> {
        Box::new(Rejection {
            code: self.code,
            message: self.message,
            path: self.path,
            event,
        })
    }
}

/// The first `max_chars` characters, with an ellipsis where something was cut off. What would change how a terminal or a log shows
/// the text around it is written as its code.
pub(crate) fn clip(text: &str, max_chars: usize) -> String {
    let mut clipped = String::new();
    let mut chars = 0;
    for character in text.chars() {
        let escaped = (!is_showable(character)).then(|| character.escape_unicode());
        chars += escaped.as_ref().map_or(1, ExactSizeIterator::len);
        if chars > max_chars {
            clipped.push('…');
            break;
        }
        match escaped {
            Some(escaped) => clipped.extend(escaped),
            None => clipped.push(character),
        }
    }
    clipped
}

/// Neither a control character nor one of Unicode's that turn the direction of what follows.
fn is_showable(character: char) -> bool {
    !character.is_control()
        && !matches!(
            character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_their_snake_case_names() {
        for code in RejectionCode::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
            assert_eq!(
                serde_json::from_value::<RejectionCode>(code.as_str().into()).unwrap(),
                *code
            );
        }
    }

    #[test]
    fn a_rejection_says_what_and_where() {
        let rejection =
            Refusal::new(RejectionCode::IdEmpty, "tenantId is empty").at("$.data.tenantId");
        let rejection = rejection.about(RejectedEvent::default());
        assert_eq!(
            rejection.to_string(),
            "id_empty: tenantId is empty (at $.data.tenantId)"
        );
    }

    #[test]
    fn clipping_respects_characters() {
        assert_eq!(clip("ééé", 2), "éé…");
        assert_eq!(clip("ééé", 3), "ééé");
    }

    #[test]
    fn what_would_change_the_text_around_it_is_shown_as_its_code() {
        assert_eq!(clip("a\r\u{1b}[31m", 20), "a\\u{d}\\u{1b}[31m");
        assert_eq!(clip("\u{202e}cba", 20), "\\u{202e}cba");
    }
}
