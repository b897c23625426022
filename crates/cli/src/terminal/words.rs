//! Numbers as people say them.

use std::time::Duration;

use foreshow_contract::Timestamp;

/// `1.2 MB`: in powers of 1,000, as disks and networks are measured.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1_000 {
        return format!("{bytes} B");
    }
    #[expect(clippy::cast_precision_loss, reason = "it is shown with two digits")]
    let mut value = bytes as f64;
    let mut unit = "B";
    for next in UNITS {
        // 999.95 would be shown as 1000.0.
        if value < 999.5 {
            break;
        }
        value /= 1_000.0;
        unit = next;
    }
    if value < 9.95 {
        format!("{value:.1} {unit}")
    } else {
        format!("{value:.0} {unit}")
    }
}

/// `1 file`, `3 files`.
pub(crate) fn count(n: usize, one: &str) -> String {
    if n == 1 {
        format!("1 {one}")
    } else {
        format!("{n} {one}s")
    }
}

/// `340 ms`, `2.5 s`, `4 min`, `24 h`, `6 days`.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    // To the nearest: of a day, a moment later, 24 hours are left.
    let rounded = |unit: u64| (seconds + unit / 2) / unit;
    match seconds {
        0 => format!("{} ms", duration.as_millis()),
        1..10 => format!("{:.1} s", duration.as_secs_f64()),
        10..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", rounded(60)),
        7_200..172_800 => format!("{} h", rounded(3_600)),
        _ => format!("{} days", rounded(86_400)),
    }
}

/// `in 24 h`, or `now` where it has passed.
pub(crate) fn until(at: Timestamp, now: Timestamp) -> String {
    let left = at.saturating_since(now);
    if left.is_zero() {
        "now".to_owned()
    } else {
        format!("in {}", duration(left))
    }
}

/// `4 min ago`, or `just now`; also where the clock that is asked lags behind.
pub(crate) fn ago(at: Timestamp, now: Timestamp) -> String {
    let passed = now.saturating_since(at);
    if passed < Duration::from_secs(1) {
        "just now".to_owned()
    } else {
        format!("{} ago", duration(passed))
    }
}

/// `2026-11-23 04:42:01Z`, in UTC.
pub(crate) fn moment(at: Timestamp) -> String {
    let text = at.to_string();
    text.get(..19).map_or(text.clone(), |moment| {
        format!("{}Z", moment.replace('T', " "))
    })
}

/// As one word of a shell's: `.foreshow`, `'my data'`.
pub(crate) fn shell_quoted(text: &str) -> String {
    let is_plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/' | b':');
    if !text.is_empty() && text.bytes().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// `06:00:00`, in UTC.
pub(crate) fn time_of_day(at: Timestamp) -> String {
    let text = at.to_string();
    text.get(11..19).map_or(text.clone(), str::to_owned)
}

/// Without line breaks and other control characters: messages hold what strangers wrote.
pub(crate) fn one_line(text: &str) -> String {
    text.chars()
        .map(|character| {
            if character.is_control() {
                ' '
            } else {
                character
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_two_digits_and_a_unit() {
        for (size, shown) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (9_960, "10 kB"),
            (123_456, "123 kB"),
            (999_600, "1.0 MB"),
            (20_500_000, "20 MB"),
            (3_000_000_000_000_000, "3000 TB"),
        ] {
            assert_eq!(bytes(size), shown);
        }
    }

    #[test]
    fn a_shell_reads_back_what_is_quoted() {
        for (text, shown) in [
            ("/var/lib/fore-show_1.d", "/var/lib/fore-show_1.d"),
            ("my data", "'my data'"),
            ("it's", r"'it'\''s'"),
            ("$HOME", "'$HOME'"),
            ("~", "'~'"),
            ("", "''"),
        ] {
            assert_eq!(shell_quoted(text), shown);
        }
    }

    #[test]
    fn times_are_short() {
        for (ms, shown) in [
            (0, "0 ms"),
            (340, "340 ms"),
            (2_500, "2.5 s"),
            (59_000, "59 s"),
            (240_000, "4 min"),
            (86_399_000, "24 h"),
            (6 * 86_400_000, "6 days"),
        ] {
            assert_eq!(duration(Duration::from_millis(ms)), shown);
        }
        let now = Timestamp::from_micros(1_000_000);
        assert_eq!(until(Timestamp::from_micros(0), now), "now");
        assert_eq!(time_of_day(now), "00:00:01");
        assert_eq!(moment(now), "1970-01-01 00:00:01Z");
        assert_eq!(ago(Timestamp::from_micros(0), now), "1.0 s ago");
        assert_eq!(ago(Timestamp::from_micros(5_000_000), now), "just now");
    }
}
