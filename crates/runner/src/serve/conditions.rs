//! Conditional and partial requests (RFC 9110, sections 13 and 14).
//!
//! The validator is strong: a digest of the bytes. There is no `Last-Modified`, so conditions on dates never hold.

use foreshow_contract::Sha256;
use http::header::{IF_NONE_MATCH, IF_RANGE, RANGE};
use http::{HeaderMap, Method};

/// How a file is to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Whole,
    NotModified,
    /// From and to this byte, both included.
    Part {
        first: u64,
        last: u64,
    },
    Unsatisfiable,
}

pub(super) fn etag(sha256: &Sha256) -> String {
    format!("\"{sha256}\"")
}

pub(super) fn evaluate(
    method: &Method,
    headers: &HeaderMap,
    etag: &str,
    size_bytes: u64,
) -> Answer {
    if lists(headers, etag) {
        return Answer::NotModified;
    }
    // A range means something to GET only (section 14.2), and a changed file is sent whole (13.1.5).
    let still_same = headers
        .get(IF_RANGE)
        .is_none_or(|given| given.as_bytes() == etag.as_bytes());
    let range = headers.get(RANGE).and_then(|value| value.to_str().ok());
    match range {
        Some(range) if *method == Method::GET && still_same => part(range, size_bytes),
        _ => Answer::Whole,
    }
}

/// Whether `If-None-Match` names the file; compared weakly, as section 13.1.2 has it.
fn lists(headers: &HeaderMap, etag: &str) -> bool {
    headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| {
            let value = value.trim();
            value == "*"
                || value
                    .split(',')
                    .map(str::trim)
                    .any(|given| given.strip_prefix("W/").unwrap_or(given) == etag)
        })
}

/// One range of bytes. Several, another unit, or what can't be read: the whole file, which section 14.2 allows.
fn part(range: &str, size_bytes: u64) -> Answer {
    let digits = |text: &str| match text {
        text if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) => None,
        // More digits than fit is beyond any file.
        text => Some(text.parse::<u64>().unwrap_or(u64::MAX)),
    };
    let Some((unit, spec)) = range.split_once('=') else {
        return Answer::Whole;
    };
    if !unit.trim().eq_ignore_ascii_case("bytes") || spec.contains(',') {
        return Answer::Whole;
    }
    let Some((first, last)) = spec.trim().split_once('-') else {
        return Answer::Whole;
    };
    match (first, digits(first), last, digits(last)) {
        ("", _, _, Some(suffix)) => {
            if suffix == 0 || size_bytes == 0 {
                Answer::Unsatisfiable
            } else {
                Answer::Part {
                    first: size_bytes.saturating_sub(suffix),
                    last: size_bytes - 1,
                }
            }
        }
        (_, Some(first), "", _) => from_to(first, u64::MAX, size_bytes),
        (_, Some(first), _, Some(last)) if first <= last => from_to(first, last, size_bytes),
        _ => Answer::Whole,
    }
}

fn from_to(first: u64, last: u64, size_bytes: u64) -> Answer {
    if first >= size_bytes {
        Answer::Unsatisfiable
    } else {
        Answer::Part {
            first,
            last: last.min(size_bytes - 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_range_is_cut_to_the_file() {
        for (range, answer) in [
            ("bytes=0-3", Answer::Part { first: 0, last: 3 }),
            ("bytes=4-", Answer::Part { first: 4, last: 9 }),
            ("bytes=4-99", Answer::Part { first: 4, last: 9 }),
            ("bytes=-4", Answer::Part { first: 6, last: 9 }),
            ("bytes=-99", Answer::Part { first: 0, last: 9 }),
            ("bytes=10-", Answer::Unsatisfiable),
            ("bytes=-0", Answer::Unsatisfiable),
            ("bytes=99999999999999999999999-", Answer::Unsatisfiable),
            ("bytes=3-1", Answer::Whole),
            ("bytes=0-1,4-5", Answer::Whole),
            ("lines=0-1", Answer::Whole),
            ("bytes=a-b", Answer::Whole),
            ("bytes=-", Answer::Whole),
            ("bytes", Answer::Whole),
        ] {
            assert_eq!(part(range, 10), answer, "{range}");
        }
        assert_eq!(part("bytes=0-", 0), Answer::Unsatisfiable);
        assert_eq!(part("bytes=-1", 0), Answer::Unsatisfiable);
    }

    proptest! {
        #[test]
        fn a_part_lies_within_the_file(range in "bytes=[0-9]{0,3}-[0-9]{0,3}", size_bytes in 0_u64..200) {
            if let Answer::Part { first, last } = part(&range, size_bytes) {
                prop_assert!(first <= last && last < size_bytes);
            }
        }
    }

    #[test]
    fn a_known_file_is_not_sent_again() {
        let mut headers = HeaderMap::new();
        for (given, answer) in [
            ("\"abc\"", Answer::NotModified),
            ("W/\"abc\"", Answer::NotModified),
            ("\"x\", \"abc\"", Answer::NotModified),
            ("*", Answer::NotModified),
            ("\"x\"", Answer::Whole),
            ("abc", Answer::Whole),
        ] {
            headers.insert(IF_NONE_MATCH, HeaderValue::from_static(given));
            assert_eq!(
                evaluate(&Method::GET, &headers, "\"abc\"", 10),
                answer,
                "{given}"
            );
        }
    }

    #[test]
    fn a_range_of_a_changed_file_is_the_whole_file() {
        let mut headers = HeaderMap::new();
        headers.insert(RANGE, HeaderValue::from_static("bytes=0-1"));
        headers.insert(IF_RANGE, HeaderValue::from_static("\"abc\""));
        assert_eq!(
            evaluate(&Method::GET, &headers, "\"abc\"", 10),
            Answer::Part { first: 0, last: 1 }
        );
        assert_eq!(
            evaluate(&Method::GET, &headers, "\"new\"", 10),
            Answer::Whole
        );
        assert_eq!(
            evaluate(&Method::HEAD, &headers, "\"abc\"", 10),
            Answer::Whole
        );
        headers.insert(IF_RANGE, HeaderValue::from_static("W/\"abc\""));
        assert_eq!(
            evaluate(&Method::GET, &headers, "\"abc\"", 10),
            Answer::Whole
        );
        headers.insert(
            IF_RANGE,
            HeaderValue::from_static("Sun, 22 Nov 2026 06:00:00 GMT"),
        );
        assert_eq!(
            evaluate(&Method::GET, &headers, "\"abc\"", 10),
            Answer::Whole
        );
    }
}
