//! Who an event is about: tenants and contexts.
//!
//! Upstream may name them as it likes; what limits a name is that its [escaped](crate::escape) form must fit a routing
//! key, which ends at 255 bytes.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::escape::escaped_bytes;
use crate::{RejectionCode, escape, unescape};

/// Why a text is no name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Names have at least one character.
    #[error("{what} is empty")]
    Empty {
        /// Which name: `tenantId` or `contextId`.
        what: &'static str,
    },
    /// With its special bytes escaped, the name does not fit a routing key.
    #[error(
        "{what} takes {escaped_bytes} bytes once escaped, and at most {max_bytes} fit: use a shorter id, \
             or one with fewer characters outside A-Z, a-z, 0-9, _ and -"
    )]
    TooLong {
        /// Which name: `tenantId` or `contextId`.
        what: &'static str,
        /// The length it would have.
        escaped_bytes: usize,
        /// The length it may have.
        max_bytes: usize,
    },
    /// Not something [`escape`] writes.
    #[error("not an escaped name: expected A-Z, a-z, 0-9, _, - and ~XX with upper-case hex digits")]
    NotEscaped,
}

impl NameError {
    /// The code under which an event with such a name is rejected.
    pub fn code(&self) -> RejectionCode {
        match self {
            Self::Empty { .. } => RejectionCode::IdEmpty,
            Self::TooLong { .. } => RejectionCode::IdTooLong,
            Self::NotEscaped => RejectionCode::InvalidField,
        }
    }
}

macro_rules! checked_name {
    ($(#[$attribute:meta])* $name:ident, $what:literal, $max:literal) => {
        $(#[$attribute])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The most bytes its escaped form may take.
            pub const MAX_ESCAPED_BYTES: usize = $max;

            /// Checks a name: not empty, and not too long once escaped.
            ///
            /// # Errors
            /// [`NameError::Empty`] or [`NameError::TooLong`].
            pub fn try_new(raw: impl Into<Arc<str>>) -> Result<Self, NameError> {
                let raw = raw.into();
                let escaped_bytes = escaped_bytes(&raw);
                if raw.is_empty() {
                    Err(NameError::Empty { what: $what })
                } else if escaped_bytes > Self::MAX_ESCAPED_BYTES {
                    Err(NameError::TooLong { what: $what, escaped_bytes, max_bytes: Self::MAX_ESCAPED_BYTES })
                } else {
                    Ok(Self(raw))
                }
            }

            /// The name as upstream gave it.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The name for routing keys, ids and tags; see [`escape`].
            pub fn escaped(&self) -> String {
                escape(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(raw: &str) -> Result<Self, NameError> {
                Self::try_new(raw)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(raw: String) -> Result<Self, NameError> {
                Self::try_new(raw)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = NameError;

            fn try_from(raw: &str) -> Result<Self, NameError> {
                Self::try_new(raw)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "string",
                    "minLength": 1,
                    "maxLength": $max,
                    "description": concat!("At most ", $max, " bytes, where a byte outside A-Z, a-z, 0-9, _ and - \
                                            counts as three."),
                })
            }
        }
    };
}

checked_name! {
    /// Who owns a context: the unit of fairness and quotas.
    TenantId, "tenantId", 64
}

checked_name! {
    /// A session's name within its tenant.
    ContextId, "contextId", 160
}

/// A context's full name: context ids are unique only within a tenant.
///
/// Shown and parsed as `<escaped tenant>/<escaped context>`; in JSON it is the two fields `tenantId` and `contextId`.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub struct ContextKey {
    /// Who owns the context.
    #[serde(rename = "tenantId")]
    pub tenant: TenantId,
    /// The context's name within its tenant.
    #[serde(rename = "contextId")]
    pub context: ContextId,
}

impl ContextKey {
    /// Names the context `context` of `tenant`.
    pub fn new(tenant: TenantId, context: ContextId) -> Self {
        Self { tenant, context }
    }

    /// Checks both raw names.
    ///
    /// # Errors
    /// The first name's [`NameError`], tenant before context.
    pub fn try_new(tenant: &str, context: &str) -> Result<Self, NameError> {
        Ok(Self {
            tenant: TenantId::try_new(tenant)?,
            context: ContextId::try_new(context)?,
        })
    }
}

impl fmt::Display for ContextKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tenant.escaped(), self.context.escaped())
    }
}

impl FromStr for ContextKey {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (tenant, context) = text.split_once('/').ok_or(NameError::NotEscaped)?;
        Self::try_new(&unescape(tenant)?, &unescape(context)?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_key_is_parsed_from_what_it_shows(tenant in ".{1,5}", context in ".{1,13}") {
            let key = ContextKey::try_new(&tenant, &context).unwrap();
            prop_assert_eq!(key.to_string().parse::<ContextKey>().unwrap(), key);
        }
    }

    #[test]
    fn a_name_is_measured_in_its_escaped_form() {
        assert!(TenantId::try_new("é".repeat(10)).is_ok());
        assert_eq!(
            TenantId::try_new("é".repeat(11)),
            Err(NameError::TooLong {
                what: "tenantId",
                escaped_bytes: 66,
                max_bytes: 64
            })
        );
        assert_eq!(
            ContextId::try_new(""),
            Err(NameError::Empty { what: "contextId" })
        );
    }
}
