//! Names of resets.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// Names a reset of a context: by when it was asked for, so that one is not done which another has done meanwhile, and at random,
/// so that a repeat is told from another one. 1 to 64 of `A-Z`, `a-z`, `0-9`, `_` and `-`.
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
    /// Digits of an instant.
    const INSTANT: usize = 20;

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

    /// The name of a reset that is asked for at this instant of the store's clock, with this random number.
    pub fn asked_at(at: Timestamp, random: u128) -> Self {
        let at_us = u64::try_from(at.as_micros()).unwrap_or_default();
        Self(format!("{at_us:0width$}-{random:032x}", width = Self::INSTANT).into())
    }

    /// When it was asked for, where the name says so, in microseconds since 1970. Whatever reset came to its end after that has done
    /// what was asked.
    pub fn asked_at_us(&self) -> Option<u64> {
        let (at, _) = self.0.split_once('-')?;
        let is_instant = at.len() == Self::INSTANT && at.bytes().all(|byte| byte.is_ascii_digit());
        at.parse().ok().filter(|_| is_instant)
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
    }

    #[test]
    fn a_name_tells_when_it_was_asked_for() {
        let id = ResetId::asked_at(Timestamp::from_micros(1_700_000_000_000_000), u128::MAX);
        assert_eq!(id.as_str().parse(), Ok(id.clone()));
        assert_eq!(id.asked_at_us(), Some(1_700_000_000_000_000));
        for other in [
            "a",
            "12-a",
            "0000000000000000001x-a",
            "00000000000000000012",
        ] {
            assert_eq!(
                ResetId::try_new(other).unwrap().asked_at_us(),
                None,
                "{other}"
            );
        }
    }
}
