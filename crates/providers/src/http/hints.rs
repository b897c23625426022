//! How long a vendor asks to wait.
//!
//! Hints are passed on as they are: the engine bounds what it believes, for some vendors say "in a day" whatever the limit.

use std::time::Duration;

use foreshow_contract::Timestamp;
use http::HeaderMap;
use http::header::RETRY_AFTER;

/// Where a vendor limits us and gives no hint.
pub(super) const DEFAULT_WAIT: Duration = Duration::from_secs(30);

/// `Retry-After`, in seconds or as an HTTP date (RFC 9110, section 10.2.3). A date that is over says: now.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    let since_epoch = date.duration_since(std::time::UNIX_EPOCH).ok()?;
    let at = Timestamp::from_micros(0).saturating_add(since_epoch);
    Some(at.saturating_since(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(value: &'static str, now_seconds: i64) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, value.parse().unwrap());
        retry_after(&headers, Timestamp::from_micros(now_seconds * 1_000_000))
    }

    #[test]
    fn both_forms_are_read_and_nonsense_is_no_hint() {
        assert_eq!(hint("120", 0), Some(Duration::from_mins(2)));
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(hint(date, 784_111_770), Some(Duration::from_secs(7)));
        assert_eq!(hint(date, 784_111_999), Some(Duration::ZERO));
        for nonsense in ["", "-1", "soon", "1.5", "99999999999999999999999"] {
            assert_eq!(hint(nonsense, 0), None, "{nonsense}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), Timestamp::MIN), None);
    }
}
