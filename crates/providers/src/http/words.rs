//! A vendor's words, made fit to be shown.
//!
//! An error's message may quote what was sent to it: a token, an environment value, a signed URL. What is known to be secret
//! is blotted out wherever it stands; of URLs the queries are; the rest is cut to a line.

use foreshow_contract::Secret;

/// Characters that are shown of a message.
const SHOWN: usize = 300;
/// Characters that a code has at most; longer ones are not codes.
const CODE: usize = 64;
/// Shorter secrets stand in every other word: blotting them out would tell where they are, and hide nothing else.
const SHORTEST_SECRET: usize = 4;
const BLOT: &str = "…";

/// One line, without secrets, queries of URLs and control characters, of bounded length.
pub(crate) fn scrub<'a>(message: &str, secrets: impl IntoIterator<Item = &'a Secret>) -> String {
    let mut secrets: Vec<&str> = secrets
        .into_iter()
        .map(Secret::expose)
        .filter(|secret| secret.len() >= SHORTEST_SECRET)
        .collect();
    // One may be a part of another: the longer goes first, or its rest would stay.
    secrets.sort_unstable_by_key(|secret| std::cmp::Reverse(secret.len()));
    let mut message = message.to_owned();
    for secret in secrets {
        message = message.replace(secret, BLOT);
    }
    let line = message
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .map(without_query)
        .collect::<Vec<_>>()
        .join(" ");
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}{BLOT}", &line[..end]),
        None => line,
    }
}

/// A code as it may be shown, compared and counted: `None` where it is none, or tells a secret.
pub(super) fn code(code: String, secrets: &[&Secret]) -> Option<String> {
    let mut secrets = secrets.iter().map(|secret| secret.expose());
    if secrets.any(|secret| secret.len() >= SHORTEST_SECRET && code.contains(secret)) {
        return None;
    }
    let is_code = (1..=CODE).contains(&code.len())
        && code
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
    is_code.then_some(code)
}

/// A signature stands in a URL's query, and a password before its host.
fn without_query(word: &str) -> String {
    let Some(scheme) = word.find("://") else {
        return word.to_owned();
    };
    let (before, url) = word.split_at(scheme + 3);
    let end = url
        .find(['"', '\'', '`', ')', '>', '<', ']', '}'])
        .unwrap_or(url.len());
    let (url, after) = url.split_at(end);
    let host_end = url.find(['/', '?', '#']).unwrap_or(url.len());
    let url = match url[..host_end].rfind('@') {
        Some(at) => format!("{BLOT}{}", &url[at..]),
        None => url.to_owned(),
    };
    match url.find(['?', '#']) {
        Some(query) => format!("{before}{}?{BLOT}{after}", &url[..query]),
        None => format!("{before}{url}{after}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_queries_and_control_characters_are_not_shown() {
        let secrets = [
            Secret::new("tok"),
            Secret::new("hunter2"),
            Secret::new("hunter2-long"),
        ];
        let message = "bad value hunter2-long\r\n\u{1b}[31mat (https://me:pw@cdn.example/a?X-Sig=abc#d) tok hunter2";
        assert_eq!(
            scrub(message, &secrets),
            "bad value … [31mat (https://…@cdn.example/a?…) tok …"
        );
        assert_eq!(
            scrub("see https://vercel.com/docs.", []),
            "see https://vercel.com/docs."
        );
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let shown = scrub(&"é".repeat(1_000), []);
        assert_eq!(shown.chars().count(), SHOWN + 1);
        assert!(shown.ends_with('…'));
    }

    #[test]
    fn what_is_no_word_is_no_code() {
        assert_eq!(
            code("missing_files".into(), &[]).as_deref(),
            Some("missing_files")
        );
        for none in ["", "a b", "<html>", &"x".repeat(65)] {
            assert_eq!(code(none.to_owned(), &[]), None);
        }
        let secret = Secret::new("hunter2");
        assert_eq!(code("not-hunter2".into(), &[&secret]), None);
    }
}
