//! Instants, as this system writes and compares them.
//!
//! One type, one unit (microseconds since the Unix epoch, UTC), one text form (RFC 3339 with `Z` and six digits), so
//! that equal instants have equal bytes wherever they are compared, hashed or signed.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::event_time::EventTime;

/// Microseconds since the Unix epoch, between the years 0 and 9999.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// The text is not an RFC 3339 date and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an RFC 3339 date and time with an offset, such as 2026-11-22T06:00:00.000Z")]
pub struct TimestampError;

impl Timestamp {
    /// `0000-01-01T00:00:00.000000Z`, the first instant RFC 3339 can write.
    pub const MIN: Self = Self(-62_167_219_200_000_000);
    /// `9999-12-30T22:00:00.000000Z`, the last instant that every offset can still write with a four-digit year.
    pub const MAX: Self = Self(253_402_207_200_000_000);

    /// From microseconds since the Unix epoch; beyond [`MIN`](Self::MIN) and [`MAX`](Self::MAX) it stops there.
    pub const fn from_micros(micros: i64) -> Self {
        if micros < Self::MIN.0 {
            Self::MIN
        } else if micros > Self::MAX.0 {
            Self::MAX
        } else {
            Self(micros)
        }
    }

    /// Microseconds since the Unix epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// The wall clock. Domain code takes a clock instead of calling this.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the wall clock"
    )]
    pub fn now() -> Self {
        let micros = |duration: Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(
            match std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH) {
                Ok(after) => micros(after),
                Err(before) => -micros(before.duration()),
            },
        )
    }

    /// Later by `duration` (rounded down to microseconds), or `None` past [`MAX`](Self::MAX).
    pub fn checked_add(self, duration: Duration) -> Option<Self> {
        let micros = self
            .0
            .checked_add(i64::try_from(duration.as_micros()).ok()?)?;
        (micros <= Self::MAX.0).then_some(Self(micros))
    }

    /// Later by `duration`, at most [`MAX`](Self::MAX).
    pub fn saturating_add(self, duration: Duration) -> Self {
        self.checked_add(duration).unwrap_or(Self::MAX)
    }

    /// Earlier by `duration` (rounded down to microseconds), at least [`MIN`](Self::MIN).
    pub fn saturating_sub(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(self.0.saturating_sub(micros))
    }

    /// The time that passed since `earlier`; zero if `earlier` is in fact later.
    pub fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instant = jiff::Timestamp::from_microsecond(self.0).map_err(|_| fmt::Error)?;
        write!(f, "{instant:.6}")
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        EventTime::parse(text).map(|time| time.at)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Timestamp {
    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time", "description": "An RFC 3339 date and time." })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_stops_at_the_ends_and_never_goes_negative() {
        let second = Duration::from_secs(1);
        assert_eq!(Timestamp::MAX.checked_add(second), None);
        assert_eq!(Timestamp::MAX.saturating_add(Duration::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::MIN.saturating_sub(Duration::MAX), Timestamp::MIN);
        let start = Timestamp::from_micros(0);
        assert_eq!(start.saturating_add(second).saturating_since(start), second);
        assert_eq!(
            start.saturating_since(start.saturating_add(second)),
            Duration::ZERO
        );
        assert_eq!(Timestamp::MAX.to_string().parse(), Ok(Timestamp::MAX));
        assert_eq!(
            Timestamp::from_micros(i64::MIN).to_string().parse(),
            Ok(Timestamp::MIN)
        );
    }
}
