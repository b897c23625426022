//! Names of resets.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

/// Names a reset of a context: random, so that a repeat is told from another one. 1 to 64 of `A-Z`, `a-z`, `0-9`, `_` and `-`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct ResetId(Arc<str>);

/// A text is no name of a reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a reset's id has 1 to {max} of A-Z, a-z, 0-9, _ and -", max = ResetId::MAX_BYTES)]
pub struct ResetIdError;

impl ResetId {
    /// The most bytes it may have: it is kept in the context's record.
    pub const MAX_BYTES: usize = 64;

    /// Checks a name.
    ///
    /// # Errors
    /// [`ResetIdError`], where it is empty, too long, or has other characters.
    pub fn try_new(id: impl Into<Arc<str>>) -> Result<Self, ResetIdError> {
        let id = id.into();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if id.is_empty() || id.len() > Self::MAX_BYTES || !id.bytes().all(is_plain) {
            return Err(ResetIdError);
        }
        Ok(Self(id))
    }

    /// The name of this random number.
    pub fn random(number: u128) -> Self {
        Self(format!("{number:032x}").into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ResetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for ResetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl FromStr for ResetId {
    type Err = ResetIdError;

    fn from_str(id: &str) -> Result<Self, ResetIdError> {
        Self::try_new(id)
    }
}

impl TryFrom<String> for ResetId {
    type Error = ResetIdError;

    fn try_from(id: String) -> Result<Self, ResetIdError> {
        Self::try_new(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_bloat_a_record_or_break_a_key_is_no_name() {
        for good in ["a", "A-Z_9", &"x".repeat(ResetId::MAX_BYTES)] {
            assert_eq!(ResetId::try_new(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            "a b",
            "a/b",
            "\u{e9}",
            &"x".repeat(ResetId::MAX_BYTES + 1),
        ] {
            assert_eq!(ResetId::try_new(bad), Err(ResetIdError), "{bad}");
        }
        assert!(ResetId::try_new(ResetId::random(u128::MAX).as_str()).is_ok());
    }
}
