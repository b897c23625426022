//! Digests: of content, and keyed ones of anything that must not be guessed from its digest.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use hmac::{Hmac, KeyInit, Mac};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Digest as _;

/// The text is not 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected 64 hexadecimal digits")]
pub struct DigestError;

macro_rules! digest_of_32_bytes {
    ($(#[$attribute:meta])* $name:ident) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// Takes the 32 bytes as they are.
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The 32 bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// 64 lower-case hexadecimal digits.
            pub fn to_hex(&self) -> String {
                HEXLOWER.encode(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.to_hex())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = DigestError;

            fn from_str(text: &str) -> Result<Self, DigestError> {
                let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).map_err(|_| DigestError)?;
                Ok(Self(bytes.try_into().map_err(|_| DigestError)?))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": "^[0-9A-Fa-f]{64}$" })
            }
        }
    };
}

digest_of_32_bytes! {
    /// The SHA-256 of some content: its address, and the proof that it arrived whole.
    Sha256
}

digest_of_32_bytes! {
    /// A keyed digest, as [`InstallationKey::digest`](crate::InstallationKey::digest) makes it.
    Hex32
}

impl Sha256 {
    /// Digests `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }
}

/// HMAC-SHA256 over a sequence of parts.
///
/// Each part is preceded by its length in bytes as an unsigned 64-bit big-endian number, so that no two different
/// sequences have the same bytes; the first part is the domain, so that a digest made for one purpose is worthless for
/// another.
pub(crate) struct KeyedHasher(Hmac<sha2::Sha256>);

impl KeyedHasher {
    pub(crate) fn new(key: &[u8; 32], domain: &str) -> Self {
        Self(Hmac::new_from_slice(key).expect("HMAC takes a key of any length")).part(domain)
    }

    pub(crate) fn part(mut self, part: impl AsRef<[u8]>) -> Self {
        let part = part.as_ref();
        self.0.update(&(part.len() as u64).to_be_bytes());
        self.0.update(part);
        self
    }

    /// A number as a part: eight bytes, big-endian.
    pub(crate) fn number(self, number: u64) -> Self {
        self.part(number.to_be_bytes())
    }

    /// A part that may be missing: the number of parts that follow (0 or 1), then the part.
    pub(crate) fn optional(self, part: Option<impl AsRef<[u8]>>) -> Self {
        match part {
            Some(part) => self.number(1).part(part),
            None => self.number(0),
        }
    }

    pub(crate) fn finish(self) -> Hex32 {
        Hex32(self.0.finalize().into_bytes().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_can_not_be_shifted_into_each_other() {
        let digest = |a: &str, b: &str| KeyedHasher::new(&[7; 32], "test").part(a).part(b).finish();
        assert_ne!(digest("ab", "c"), digest("a", "bc"));
        assert_ne!(digest("a\0", "b"), digest("a", "\0b"));
    }

    #[test]
    fn hex_is_read_in_either_case_and_written_in_lower_case() {
        let digest: Sha256 = "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"
            .parse()
            .unwrap();
        assert_eq!(digest, Sha256::of(b""));
        assert_eq!(
            digest.to_string(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!("e3b0".parse::<Sha256>(), Err(DigestError));
    }
}
