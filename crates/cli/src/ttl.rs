//! How long a preview lives, as people say it.

use std::str::FromStr;
use std::time::Duration;

/// A number and a unit: `90s`, `15m`, `24h`, `7d`; seconds where there is no unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ttl(pub(crate) Duration);

impl FromStr for Ttl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let end = text.find(|letter: char| !letter.is_ascii_digit());
        let (number, unit) = text.split_at(end.unwrap_or(text.len()));
        let seconds: u64 = match unit.trim() {
            "" | "s" => 1,
            "m" | "min" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => return Err(expected(text)),
        };
        let number: u64 = number.parse().map_err(|_| expected(text))?;
        let seconds = number.checked_mul(seconds).filter(|seconds| *seconds > 0);
        seconds
            .map(|seconds| Self(Duration::from_secs(seconds)))
            .ok_or_else(|| expected(text))
    }
}

fn expected(text: &str) -> String {
    format!(
        "`{text}` is no duration; write a number above 0 and s, m, h or d, such as 90s, 15m, 24h or 7d"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_unit_are_a_duration_and_anything_else_says_what_to_write() {
        for (text, seconds) in [
            ("90", 90),
            ("90s", 90),
            ("15m", 900),
            ("15 min", 900),
            ("24h", 86_400),
            ("7d", 604_800),
        ] {
            let ttl: Ttl = text.parse().unwrap();
            assert_eq!(ttl.0.as_secs(), seconds, "{text}");
        }
        for text in [
            "",
            "0",
            "0h",
            "h",
            "1.5h",
            "-1h",
            "1w",
            "99999999999999999999",
            "18446744073709551615d",
        ] {
            let error = text.parse::<Ttl>().unwrap_err();
            assert!(error.contains("such as 90s"), "{error}");
        }
    }
}
