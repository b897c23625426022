//! Lists, a page at a time.
//!
//! A list answers a bare array; the next page is a `Link` with `rel="next"`. The newest comes first, and a cursor says after which
//! object the next page begins, so what comes or goes between two pages neither repeats nor hides the rest.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

use super::error::ApiError;
use crate::core::Query;

const DEFAULT_LIMIT: usize = 30;
const MAX_LIMIT: usize = 100;
const CURSOR_PREFIX: &str = "before:";

/// One page.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) items: Vec<Value>,
    /// Where the next page begins; `None` on the last.
    pub(crate) cursor: Option<String>,
}

impl Page {
    /// The page that a query asks for, of objects with their numbers, in any order.
    pub(crate) fn of<T>(
        query: &Query,
        all: impl IntoIterator<Item = (u64, T)>,
        mut tell: impl FnMut(T) -> Value,
    ) -> Result<Self, ApiError> {
        let limit = limit(query, DEFAULT_LIMIT, MAX_LIMIT)?;
        let before = query.get("cursor").map(read_cursor).transpose()?;
        let mut found: Vec<(u64, T)> = all
            .into_iter()
            .filter(|(number, _)| before.is_none_or(|before| *number < before))
            .collect();
        found.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
        let has_more = found.len() > limit;
        found.truncate(limit);
        let cursor = found
            .last()
            .filter(|_| has_more)
            .map(|(number, _)| URL_SAFE_NO_PAD.encode(format!("{CURSOR_PREFIX}{number}")));
        Ok(Self {
            items: found.into_iter().map(|(_, item)| tell(item)).collect(),
            cursor,
        })
    }
}

/// The query's `limit`, checked.
pub(crate) fn limit(query: &Query, default: usize, max: usize) -> Result<usize, ApiError> {
    match query.get("limit") {
        None => Ok(default),
        Some(text) => text
            .parse()
            .ok()
            .filter(|limit| (1..=max).contains(limit))
            .ok_or_else(|| ApiError::invalid_at("limit")),
    }
}

fn read_cursor(cursor: &str) -> Result<u64, ApiError> {
    URL_SAFE_NO_PAD
        .decode(cursor)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|text| text.strip_prefix(CURSOR_PREFIX)?.parse().ok())
        .ok_or_else(|| ApiError::invalid_at("cursor"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn page(query: &str, numbers: &[u64]) -> Result<Page, ApiError> {
        let all = numbers.iter().map(|number| (*number, *number));
        Page::of(&Query::parse(Some(query)), all, |number| json!(number))
    }

    #[test]
    fn pages_follow_each_other_though_objects_come_and_go() {
        let first = page("limit=2", &[1, 2, 3, 4, 5]).unwrap();
        assert_eq!(first.items, [json!(5), json!(4)]);
        let query = format!("limit=2&cursor={}", first.cursor.unwrap());
        let second = page(&query, &[1, 2, 3, 5, 6]).unwrap();
        assert_eq!(second.items, [json!(3), json!(2)]);
        let query = format!("limit=2&cursor={}", second.cursor.unwrap());
        let third = page(&query, &[1]).unwrap();
        assert_eq!((third.items, third.cursor), (vec![json!(1)], None));
    }

    #[test]
    fn limits_and_cursors_are_checked() {
        for bad in ["limit=0", "limit=101", "limit=x", "cursor=!", "cursor=AAAA"] {
            assert!(page(bad, &[1]).is_err(), "{bad}");
        }
    }
}
