//! Lists, a page at a time.
//!
//! A list is a bare array; a header links the next page (RFC 8288). The link was documented as relative and seen as absolute, on
//! another host than the one that was asked. A token goes nowhere on an answer's word, so nothing is taken from it but the cursor.

use http::{HeaderMap, header::LINK};
use reqwest::Url;
use serde::de::DeserializeOwned;

use super::DenoError;
use crate::http::Call;

/// A page of a list.
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    pub(super) next: Option<String>,
}

/// The page that follows `after`; the first without.
pub(super) async fn page<T: DeserializeOwned>(
    call: Call<'_>,
    after: Option<&str>,
) -> Result<Page<T>, DenoError> {
    let call = match after {
        Some(cursor) => call.query("cursor", cursor),
        None => call,
    };
    let answer = call.send().await?;
    Ok(Page {
        next: next_cursor(answer.headers()),
        items: answer.json()?,
    })
}

/// The cursor of the page that is linked as the next (RFC 8288). Nothing else is taken from the link: it names another host than the
/// one that was asked, and a token goes nowhere on an answer's word.
pub(super) fn next_cursor(headers: &HeaderMap) -> Option<String> {
    let links = headers.get_all(LINK).iter();
    let links = links.filter_map(|value| value.to_str().ok());
    let next = links.flat_map(|value| value.split('<')).find_map(|link| {
        let (url, parameters) = link.split_once('>')?;
        let is_next = parameters
            .split([';', ','])
            .any(|one| matches!(one.trim(), "rel=\"next\"" | "rel=next"));
        is_next.then_some(url)
    })?;
    // Relative ones were documented, absolute ones seen.
    let base: Url = "https://api.invalid/".parse().ok()?;
    let url = base.join(next).ok()?;
    let cursor = url.query_pairs().find(|(name, _)| name == "cursor")?;
    Some(cursor.1.into_owned())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn only_the_cursor_is_taken_from_a_link() {
        let cursor = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(LINK, HeaderValue::from_static(value));
            next_cursor(&headers)
        };
        for link in [
            "<https://evil.example/api/v2/apps?limit=2&cursor=a%2Bb>; rel=\"next\"",
            "</v2/apps?cursor=a%2Bb&limit=2>; rel=next",
            "<?cursor=a%2Bb>;rel=\"next\"",
            "<https://x/?cursor=before>; rel=\"prev\", <https://x/?cursor=a%2Bb>; title=\"t\"; rel=\"next\"",
        ] {
            assert_eq!(cursor(link).as_deref(), Some("a+b"), "{link}");
        }
        for link in [
            "<https://x/?cursor=a>; rel=\"prev\"",
            "<https://x/?limit=2>; rel=\"next\"",
            "nonsense",
            "",
        ] {
            assert_eq!(cursor(link), None, "{link}");
        }
        assert_eq!(next_cursor(&HeaderMap::new()), None);
    }
}
