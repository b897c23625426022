//! How long a server asks to wait.

use std::time::Duration;

use foreshow_contract::Timestamp;
use http::HeaderMap;
use http::header::RETRY_AFTER;

/// Nobody is believed who asks for more: an event waits for a day at most, and a stranger's hint should not use that up.
const AT_MOST: Duration = Duration::from_hours(1);

/// `Retry-After`, in seconds or as an HTTP date (RFC 9110, section 10.2.3), bounded. A date that is over is no hint.
pub(crate) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let asked = if let Ok(seconds) = value.parse() {
        Duration::from_secs(seconds)
    } else {
        let date = httpdate::parse_http_date(value).ok()?;
        let since_epoch = date.duration_since(std::time::UNIX_EPOCH).ok()?;
        let at = Timestamp::from_micros(0).saturating_add(since_epoch);
        at.saturating_since(now)
    };
    Some(asked.min(AT_MOST)).filter(|asked| !asked.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_bounded_and_nonsense_is_no_hint() {
        let hint = |value: &'static str| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap())]);
            retry_after(&headers, Timestamp::from_micros(784_111_770_000_000))
        };
        assert_eq!(hint("120"), Some(Duration::from_mins(2)));
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(hint(date), Some(Duration::from_secs(7)));
        assert_eq!(hint("86400"), Some(AT_MOST));
        assert_eq!(hint("Mon, 07 Nov 1994 08:49:37 GMT"), Some(AT_MOST));
        for nothing in [
            "",
            "0",
            "-1",
            "soon",
            "1.5",
            "Sat, 06 Nov 1993 08:49:37 GMT",
        ] {
            assert_eq!(hint(nothing), None, "{nothing}");
        }
    }
}
