//! Revisions: the numbers by which everything that races agrees on what is newer.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Timestamp;

/// A number that grows with every update and end of a context: 0 to 2^53 - 1, which JavaScript can still carry.
///
/// Zero is a revision like any other (some upstreams count from it), so "no revision" is an `Option`, never 0.
/// Read from a JSON number or a decimal string, written as a number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(u64);

/// Not a whole number from 0 to 2^53 - 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a revision is a whole number from 0 to 9007199254740991, or the same as a decimal string")]
pub struct RevisionError;

impl Revision {
    /// The largest revision, 2^53 - 1.
    pub const MAX: Self = Self((1 << 53) - 1);

    /// Checks a revision.
    ///
    /// # Errors
    /// [`RevisionError`] above [`MAX`](Self::MAX).
    pub const fn try_new(number: u64) -> Result<Self, RevisionError> {
        if number > Self::MAX.0 {
            Err(RevisionError)
        } else {
            Ok(Self(number))
        }
    }

    /// The revision that a time stands for: its microseconds since the Unix epoch.
    ///
    /// # Errors
    /// [`RevisionError`] before 1970 and after the year 2255.
    pub fn from_timestamp(at: Timestamp) -> Result<Self, RevisionError> {
        u64::try_from(at.as_micros())
            .map_err(|_| RevisionError)
            .and_then(Self::try_new)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The number with leading zeros to 20 digits, so that text order is number order.
    pub fn padded(self) -> String {
        format!("{:020}", self.0)
    }

    /// The revision after this one; `None` after the last.
    pub const fn next(self) -> Option<Self> {
        match Self::try_new(self.0 + 1) {
            Ok(next) => Some(next),
            Err(_) => None,
        }
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Decimal digits alone; leading zeros pass.
impl FromStr for Revision {
    type Err = RevisionError;

    fn from_str(text: &str) -> Result<Self, RevisionError> {
        // `u64::from_str` would take a leading plus sign.
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(RevisionError);
        }
        text.parse()
            .map_err(|_| RevisionError)
            .and_then(Self::try_new)
    }
}

impl TryFrom<u64> for Revision {
    type Error = RevisionError;

    fn try_from(number: u64) -> Result<Self, RevisionError> {
        Self::try_new(number)
    }
}

impl Serialize for Revision {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

impl<'de> Deserialize<'de> for Revision {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberOrDigits;

        impl Visitor<'_> for NumberOrDigits {
            type Value = Revision;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{RevisionError}")
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Revision, E> {
                Revision::try_new(number).map_err(E::custom)
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Revision, E> {
                u64::try_from(number)
                    .map_err(|_| E::custom(RevisionError))
                    .and_then(|number| self.visit_u64(number))
            }

            /// JSON has one kind of number: `7.0` is 7, and some languages write it so.
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Revision, E> {
                #[expect(clippy::cast_precision_loss, reason = "2^53 - 1 is exact in an f64")]
                let fits =
                    (0.0..=Revision::MAX.0 as f64).contains(&number) && number.fract() == 0.0;
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "just checked"
                )]
                if fits {
                    Ok(Revision(number as u64))
                } else {
                    Err(E::custom(RevisionError))
                }
            }

            fn visit_str<E: de::Error>(self, digits: &str) -> Result<Revision, E> {
                digits.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_any(NumberOrDigits)
    }
}

impl JsonSchema for Revision {
    fn schema_name() -> Cow<'static, str> {
        "Revision".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "integer",
            "minimum": 0,
            "maximum": Self::MAX.0,
            "description": "A number that grows with every update and end of a context.",
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn revision(number: u64) -> Revision {
        Revision::try_new(number).unwrap()
    }

    #[test]
    fn a_revision_is_read_from_a_number_or_digits() {
        for (json, number) in [
            ("7", 7),
            ("\"7\"", 7),
            ("\"00000000000000000007\"", 7),
            ("0", 0),
            ("7.0", 7),
            ("7e3", 7000),
        ] {
            assert_eq!(
                serde_json::from_str::<Revision>(json).unwrap(),
                revision(number),
                "{json}"
            );
        }
        assert_eq!(
            serde_json::from_str::<Revision>("9007199254740991").unwrap(),
            Revision::MAX
        );
    }

    #[test]
    fn anything_else_is_no_revision() {
        for json in [
            "\"7a\"",
            "-1",
            "7.5",
            "9007199254740992",
            "1e300",
            "\"\"",
            "\"+7\"",
            "\" 7\"",
            "true",
            "[7]",
            "\"9007199254740992\"",
            "\"99999999999999999999999\"",
            "18446744073709551616",
        ] {
            assert!(serde_json::from_str::<Revision>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn there_is_no_revision_after_the_last() {
        assert_eq!(Revision::MAX.next(), None);
        assert_eq!(revision(0).next(), Some(revision(1)));
    }

    proptest! {
        #[test]
        fn padded_text_sorts_like_the_numbers(a in 0..=Revision::MAX.get(), b in 0..=Revision::MAX.get()) {
            let (a, b) = (revision(a), revision(b));
            prop_assert_eq!(a.padded().cmp(&b.padded()), a.cmp(&b));
            prop_assert_eq!(a.padded().parse(), Ok(a));
            prop_assert_eq!(a.padded().len(), 20);
        }
    }
}
