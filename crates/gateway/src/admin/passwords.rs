//! Passwords in URLs, wherever in a text.

use std::borrow::Cow;

/// The text, with the user and the password of every URL in it cut out.
///
/// What stands between `://` and the last `@` before the authority ends is credentials. An unescaped slash in a password
/// ends the authority for whoever reads the URL, too: such a URL never worked.
pub(super) fn without_passwords(text: &str) -> Cow<'_, str> {
    if !text.contains("://") {
        return Cow::Borrowed(text);
    }
    let mut parts = text.split("://");
    let mut cut = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        cut.push_str("://");
        let ends = |c: char| matches!(c, '/' | '?' | '#' | '"' | '\'' | '`') || c.is_whitespace();
        let end = part.find(ends).unwrap_or(part.len());
        match part[..end].rfind('@') {
            Some(at) => {
                cut.push_str("[redacted]");
                cut.push_str(&part[at..]);
            }
            None => cut.push_str(part),
        }
    }
    Cow::Owned(cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_go_and_the_rest_stays() {
        for (text, shown) in [
            ("no URL here, a@b", "no URL here, a@b"),
            (
                "amqp://user:s3cret@rabbit:5672/vhost refused",
                "amqp://[redacted]@rabbit:5672/vhost refused",
            ),
            (
                "cannot reach redis://:s3cret@redis and (amqps://u:s3@cret@mq): timed out",
                "cannot reach redis://[redacted]@redis and (amqps://[redacted]@mq): timed out",
            ),
            (
                "see https://example.com/a@b?c=d@e",
                "see https://example.com/a@b?c=d@e",
            ),
            ("://", "://"),
        ] {
            assert_eq!(without_passwords(text), shown);
        }
    }
}
