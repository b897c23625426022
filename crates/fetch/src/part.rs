//! Whether an answer continues what has arrived.
//!
//! A server that takes `Range` and names its content by an `ETag` or a date is asked for what is missing, *if it is still the
//! same* (`If-Range`). Then it either continues (206) or sends the whole of what it has now (200). Servers get this wrong, so
//! a 206 counts only if it begins where we stopped and its length and version are those of what we have.
//!
//! Nothing depends on a server's honesty: a bundle that was put together of parts of two versions has another digest, and is
//! fetched anew.

use http::header::{ACCEPT_RANGES, CONTENT_RANGE, ETAG, LAST_MODIFIED};
use http::{HeaderMap, HeaderValue};

/// What a server said about the content that it began to send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Version {
    /// What it is called there.
    validator: Option<HeaderValue>,
    /// How long the whole is.
    pub(crate) total_bytes: Option<u64>,
    takes_ranges: bool,
}

impl Version {
    /// Reads an answer that brings the whole.
    pub(crate) fn of(headers: &HeaderMap, total_bytes: Option<u64>) -> Self {
        let takes_ranges = headers.get_all(ACCEPT_RANGES).iter().any(|value| {
            let units = value.to_str().unwrap_or_default().split(',');
            units.map(str::trim).any(|unit| unit == "bytes")
        });
        Self {
            validator: strong_tag(headers)
                .or_else(|| headers.get(LAST_MODIFIED))
                .cloned(),
            total_bytes,
            takes_ranges,
        }
    }

    /// The name to ask by for what is missing; `None` where it can't be asked for.
    pub(crate) fn if_range(&self) -> Option<&HeaderValue> {
        self.validator.as_ref().filter(|_| self.takes_ranges)
    }

    /// Whether a 206 continues after `received` bytes of this version.
    pub(crate) fn is_continued_by(&self, headers: &HeaderMap, received: u64) -> bool {
        let Some(range) = headers.get(CONTENT_RANGE).and_then(ContentRange::parse) else {
            // Of several parts, or of none.
            return false;
        };
        let is_same_length = match (self.total_bytes, range.total) {
            (Some(ours), Some(theirs)) => ours == theirs,
            (None, _) | (_, None) => true,
        };
        let is_same_version = match (&self.validator, strong_tag(headers)) {
            (Some(ours), Some(theirs)) if is_tag(ours) => ours == theirs,
            _ => true,
        };
        range.first == received && is_same_length && is_same_version
    }
}

fn is_tag(validator: &HeaderValue) -> bool {
    validator.as_bytes().starts_with(b"\"")
}

/// A weak tag says that two contents mean the same, not that they are the same bytes.
fn strong_tag(headers: &HeaderMap) -> Option<&HeaderValue> {
    headers.get(ETAG).filter(|tag| is_tag(tag))
}

/// `bytes FIRST-LAST/TOTAL` (RFC 9110, section 14.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ContentRange {
    first: u64,
    total: Option<u64>,
}

impl ContentRange {
    fn parse(value: &HeaderValue) -> Option<Self> {
        let (range, total) = value
            .to_str()
            .ok()?
            .trim()
            .strip_prefix("bytes ")?
            .split_once('/')?;
        let (first, last) = range.trim().split_once('-')?;
        let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
        let total = match total.trim() {
            "*" => None,
            total => Some(total.parse().ok()?),
        };
        let is_sound = first <= last && total.is_none_or(|total| last < total);
        is_sound.then_some(Self { first, total })
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter().cloned();
        pairs
            .map(|(name, value)| (name, HeaderValue::from_static(value)))
            .collect()
    }

    fn version(pairs: &[(HeaderName, &'static str)], total_bytes: Option<u64>) -> Version {
        Version::of(&headers(pairs), total_bytes)
    }

    #[test]
    fn what_is_missing_is_asked_for_only_by_a_sound_name() {
        let bytes = (ACCEPT_RANGES, "bytes");
        let date = (LAST_MODIFIED, "Sun, 06 Nov 1994 08:49:37 GMT");
        let name = |pairs: &[_]| {
            let version = version(pairs, None);
            let name = version.if_range()?;
            Some(name.to_str().unwrap().to_owned())
        };
        let tag = |tag| (ETAG, tag);
        assert_eq!(name(&[bytes.clone(), tag("\"a\"")]).unwrap(), "\"a\"");
        assert_eq!(
            name(&[bytes.clone(), tag("W/\"a\""), date.clone()]).unwrap(),
            date.1
        );
        assert_eq!(name(&[bytes.clone(), tag("W/\"a\"")]), None);
        assert_eq!(name(std::slice::from_ref(&bytes)), None);
        assert_eq!(name(&[tag("\"a\""), date.clone()]), None);
        assert_eq!(name(&[(ACCEPT_RANGES, "none"), date]), None);
        assert!(name(&[(ACCEPT_RANGES, "lines, bytes"), tag("\"a\"")]).is_some());
    }

    #[test]
    fn a_part_continues_only_at_its_place_of_its_length_and_version() {
        let version = version(&[(ACCEPT_RANGES, "bytes"), (ETAG, "\"a\"")], Some(100));
        for (range, tag, continues) in [
            ("bytes 40-99/100", "\"a\"", true),
            ("bytes 40-59/100", "\"a\"", true),
            ("bytes 40-99/*", "\"a\"", true),
            ("bytes 40-99/100", "W/\"b\"", true),
            ("bytes 40-99/100", "\"b\"", false),
            ("bytes 0-99/100", "\"a\"", false),
            ("bytes 39-99/100", "\"a\"", false),
            ("bytes 41-99/100", "\"a\"", false),
            ("bytes 40-100/101", "\"a\"", false),
            ("bytes 40-100/100", "\"a\"", false),
            ("bytes 40-39/100", "\"a\"", false),
            ("bytes */100", "\"a\"", false),
            ("bytes 40-", "\"a\"", false),
            ("lines 40-99/100", "\"a\"", false),
            ("bytes 40-99999999999999999999999/*", "\"a\"", false),
        ] {
            let answer = headers(&[(CONTENT_RANGE, range), (ETAG, tag)]);
            assert_eq!(
                version.is_continued_by(&answer, 40),
                continues,
                "{range} {tag}"
            );
        }
        assert!(!version.is_continued_by(&HeaderMap::new(), 40));
        let undated = headers(&[(CONTENT_RANGE, "bytes 40-99/100")]);
        assert!(version.is_continued_by(&undated, 40));
    }
}
