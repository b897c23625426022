//! The `time` of an event: RFC 3339 as its grammar has it.
//!
//! `jiff` reads a wider language (other ISO 8601 forms, annotations) and a narrower one (nine digits of a fraction at
//! most). An event must mean the same to every reader, so the grammar is checked here and `jiff` does the calendar.

use crate::{Timestamp, TimestampError};

/// An event's `time`, together with whether its sender wrote a fraction of a second.
///
/// Only then may the time stand in for a missing revision: two updates within one whole second would tie. What counts
/// is the writing, not the value: `.000` is a fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EventTime {
    pub(crate) at: Timestamp,
    pub(crate) has_fraction: bool,
}

impl EventTime {
    /// Reads RFC 3339 as its grammar has it: `t`, `z` and a space as separator pass, and a fraction of any length,
    /// of which the first six digits count.
    pub(crate) fn parse(text: &str) -> Result<Self, TimestampError> {
        let (whole, rest) = text.split_at_checked(19).ok_or(TimestampError)?;
        let has_shape = whole.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            10 => matches!(byte, b'T' | b't' | b' '),
            13 | 16 => byte == b':',
            _ => byte.is_ascii_digit(),
        });
        let (fraction, offset) = match rest.strip_prefix('.') {
            Some(rest) => {
                let end = rest
                    .find(|letter: char| !letter.is_ascii_digit())
                    .ok_or(TimestampError)?;
                let (fraction, offset) = rest.split_at(end);
                (
                    Some(fraction)
                        .filter(|digits| !digits.is_empty())
                        .ok_or(TimestampError)?,
                    offset,
                )
            }
            None => ("", rest),
        };
        if !has_shape || !is_offset(offset) {
            return Err(TimestampError);
        }
        // The fraction is counted here, not by jiff, which refuses more than nine digits.
        let plain = format!(
            "{}T{}{}",
            &whole[..10],
            &whole[11..],
            offset.to_ascii_uppercase()
        );
        let seconds = plain
            .parse::<jiff::Timestamp>()
            .map_err(|_| TimestampError)?
            .as_second();
        let micros = format!("{fraction:0<6}")[..6]
            .parse::<i64>()
            .map_err(|_| TimestampError)?;
        let at = Timestamp::from_micros(seconds.saturating_mul(1_000_000).saturating_add(micros));
        Ok(Self {
            at,
            has_fraction: !fraction.is_empty(),
        })
    }

    /// An AMQP timestamp: whole seconds since 1970, so never with a fraction. `None` past the year 9999.
    pub(crate) fn from_seconds(seconds: u64) -> Option<Self> {
        let micros = i64::try_from(seconds).ok()?.checked_mul(1_000_000)?;
        Self::within(micros, false)
    }

    /// A count of milliseconds since 1970, which is as good as a fraction of three digits. `None` outside the years 0
    /// to 9999.
    pub(crate) fn from_millis(millis: i64) -> Option<Self> {
        Self::within(millis.checked_mul(1_000)?, true)
    }

    fn within(micros: i64, has_fraction: bool) -> Option<Self> {
        let at = Timestamp::from_micros(micros);
        (at.as_micros() == micros).then_some(Self { at, has_fraction })
    }
}

fn is_offset(text: &str) -> bool {
    match text.as_bytes() {
        [b'Z' | b'z'] => true,
        [b'+' | b'-', hours @ .., b':', m1, m2] => {
            hours.len() == 2 && hours.iter().chain([m1, m2]).all(u8::is_ascii_digit)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_rfc_3339_text_is_read_and_one_form_is_written() {
        for (text, written) in [
            ("2026-11-22T06:00:00Z", "2026-11-22T06:00:00.000000Z"),
            ("2026-11-22t06:00:00.5z", "2026-11-22T06:00:00.500000Z"),
            (
                "2026-11-22 07:30:00.123456789+01:30",
                "2026-11-22T06:00:00.123456Z",
            ),
            (
                "2026-11-22T06:00:00.1234567890123-00:00",
                "2026-11-22T06:00:00.123456Z",
            ),
            ("1969-12-31T23:59:59.250000Z", "1969-12-31T23:59:59.250000Z"),
            ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.000000Z"),
            ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00.000000Z"),
        ] {
            assert_eq!(
                text.parse::<Timestamp>().unwrap().to_string(),
                written,
                "{text}"
            );
        }
    }

    #[test]
    fn what_rfc_3339_does_not_allow_is_refused() {
        for text in [
            "",
            "2026-11-22",
            "2026-11-22T06:00Z",
            "2026-11-22T06:00:00",
            "2026-11-22T06:00:00.Z",
            "2026-11-22T06:00:00,5Z",
            "2026-11-22T06:00:00+01",
            "2026-11-22T06:00:00+0100",
            "2026-13-22T06:00:00Z",
            "2026-11-22T06:00:00Z[UTC]",
            "2026-11-22T06:00:0éZ",
            "éééééééééééééééééééé",
        ] {
            assert_eq!(text.parse::<Timestamp>(), Err(TimestampError), "{text}");
        }
    }

    #[test]
    fn a_fraction_counts_by_its_writing_not_by_its_value() {
        assert!(
            EventTime::parse("2026-11-22T06:00:00.000Z")
                .unwrap()
                .has_fraction
        );
        assert!(
            !EventTime::parse("2026-11-22T06:00:00Z")
                .unwrap()
                .has_fraction
        );
    }
}
