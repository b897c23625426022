//! Host labels: what stands before the preview domain.
//!
//! A label must be valid in DNS, hint at its context to a person, and be impossible to guess for everyone else, for an
//! address is all it takes to open a preview. So it is a readable slug and 130 bits of an HMAC under a key that each
//! installation has for itself. Losing the key changes every label; nothing else depends on it being kept.

use std::fmt;
use std::str::FromStr;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use serde::{Deserialize, Serialize};

use crate::digest::KeyedHasher;
use crate::{ContextKey, Hex32, Revision};

/// A DNS label in lower case: 1 to 63 letters, digits and inner hyphens (RFC 1123, section 2.1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostLabel(String);

/// The text is not a DNS label in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a host label has 1 to 63 characters out of a-z, 0-9 and -, and no - at either end")]
pub struct LabelError;

impl HostLabel {
    /// The longest label DNS allows, in bytes.
    pub const MAX_BYTES: usize = 63;

    /// Checks a label. Upper case is refused, not folded: a caller that reads a `Host` header folds it first.
    ///
    /// # Errors
    /// [`LabelError`].
    pub fn try_new(label: impl Into<String>) -> Result<Self, LabelError> {
        let label = label.into();
        let is_valid = (1..=Self::MAX_BYTES).contains(&label.len())
            && label
                .bytes()
                .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
            && !label.starts_with('-')
            && !label.ends_with('-');
        if is_valid {
            Ok(Self(label))
        } else {
            Err(LabelError)
        }
    }

    /// The label.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HostLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for HostLabel {
    type Err = LabelError;

    fn from_str(label: &str) -> Result<Self, LabelError> {
        Self::try_new(label)
    }
}

impl TryFrom<String> for HostLabel {
    type Error = LabelError;

    fn try_from(label: String) -> Result<Self, LabelError> {
        Self::try_new(label)
    }
}

impl From<HostLabel> for String {
    fn from(label: HostLabel) -> Self {
        label.0
    }
}

impl AsRef<str> for HostLabel {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// The secret of one installation: keys its host labels and its digests of settings.
#[derive(Clone)]
pub struct InstallationKey([u8; 32]);

/// The text or bytes are not 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an installation key is 32 bytes, written as 64 hexadecimal digits")]
pub struct InstallationKeyError;

impl InstallationKey {
    /// Takes exactly 32 bytes.
    ///
    /// # Errors
    /// [`InstallationKeyError`] for any other length.
    pub fn try_from_slice(bytes: &[u8]) -> Result<Self, InstallationKeyError> {
        bytes.try_into().map(Self).map_err(|_| InstallationKeyError)
    }

    /// Reads 64 hexadecimal digits.
    ///
    /// # Errors
    /// [`InstallationKeyError`].
    pub fn from_hex(text: &str) -> Result<Self, InstallationKeyError> {
        let bytes = HEXLOWER_PERMISSIVE
            .decode(text.as_bytes())
            .map_err(|_| InstallationKeyError)?;
        Self::try_from_slice(&bytes)
    }

    /// The secret itself, as 64 hexadecimal digits: for storing it, never for showing it.
    pub fn to_hex(&self) -> String {
        HEXLOWER.encode(&self.0)
    }

    /// The label of a context's stable address, which always shows its newest live revision.
    pub fn alias_label(&self, key: &ContextKey) -> HostLabel {
        let mac = self
            .hasher("foreshow.label.alias.v1")
            .part(key.tenant.as_str())
            .part(key.context.as_str());
        label(key, mac.finish())
    }

    /// The label of one revision's own address.
    pub fn revision_label(&self, key: &ContextKey, revision: Revision) -> HostLabel {
        let mac = self
            .hasher("foreshow.label.revision.v1")
            .part(key.tenant.as_str())
            .part(key.context.as_str())
            .number(revision.get());
        label(key, mac.finish())
    }

    /// A digest that only this installation can make: equal inputs are recognised, and nobody can find an input by
    /// trying. Digests of different domains never meet.
    pub fn digest(&self, domain: &str, bytes: &[u8]) -> Hex32 {
        self.hasher(domain).part(bytes).finish()
    }

    pub(crate) fn hasher(&self, domain: &str) -> KeyedHasher {
        KeyedHasher::new(&self.0, domain)
    }
}

impl fmt::Debug for InstallationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// How much of a context's id its labels show.
const SLUG_CHARS: usize = 24;
/// 26 base32 characters are 130 bits: as hard to guess as a random UUID, and short enough for a label.
const SECRET_CHARS: usize = 26;

fn label(key: &ContextKey, mac: Hex32) -> HostLabel {
    let mut secret = data_encoding::BASE32_NOPAD
        .encode(mac.as_bytes())
        .to_ascii_lowercase();
    secret.truncate(SECRET_CHARS);
    HostLabel(format!("{}-{secret}", slug(key.context.as_str())))
}

/// Letters and digits in lower case, everything between them as one hyphen. It never holds `--`, which DNS reserves
/// at the third place (RFC 5891, section 4.2.3.1).
fn slug(raw: &str) -> String {
    let mut slug = String::with_capacity(SLUG_CHARS);
    for character in raw.chars() {
        if slug.len() == SLUG_CHARS {
            break;
        }
        if character.is_ascii_alphanumeric() {
            slug.push(character.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    match slug.trim_end_matches('-') {
        "" => "preview".to_owned(),
        slug => slug.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> InstallationKey {
        InstallationKey::try_from_slice(&[9; 32]).unwrap()
    }

    proptest! {
        #[test]
        fn every_context_has_valid_labels(tenant in ".{1,5}", context in ".{1,13}", revision in 0..=Revision::MAX.get()) {
            let name = ContextKey::try_new(&tenant, &context).unwrap();
            let alias = key().alias_label(&name);
            let own = key().revision_label(&name, Revision::try_new(revision).unwrap());
            for label in [&alias, &own] {
                prop_assert!(HostLabel::try_new(label.as_str()).is_ok(), "{}", label);
                prop_assert!(!label.as_str().contains("--"));
            }
            prop_assert_ne!(alias, own);
        }
    }

    #[test]
    fn tenant_and_context_do_not_run_into_each_other() {
        let label =
            |tenant, context| key().alias_label(&ContextKey::try_new(tenant, context).unwrap());
        assert_ne!(label("a", "b/c"), label("a/b", "c"));
        assert_ne!(label("ab", "c"), label("a", "bc"));
    }

    #[test]
    fn another_installation_has_other_labels() {
        let name = ContextKey::try_new("acme", "ctx-42").unwrap();
        let other = InstallationKey::try_from_slice(&[8; 32]).unwrap();
        assert_ne!(key().alias_label(&name), other.alias_label(&name));
    }

    #[test]
    fn a_key_never_shows_itself() {
        assert_eq!(format!("{:?}", key()), "[redacted]");
        assert_eq!(
            InstallationKey::from_hex(&key().to_hex()).unwrap().0,
            key().0
        );
        assert!(InstallationKey::from_hex("abc").is_err());
        assert!(InstallationKey::try_from_slice(&[1; 31]).is_err());
    }

    #[test]
    fn host_labels_are_lower_case_dns_labels() {
        for bad in ["", "-a", "a-", "A", "a.b", "a_b", &"a".repeat(64)] {
            assert_eq!(HostLabel::try_new(bad), Err(LabelError), "{bad}");
        }
        assert!(HostLabel::try_new("a".repeat(63)).is_ok());
    }
}
