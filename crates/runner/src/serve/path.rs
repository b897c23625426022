//! From a URL's path to a file's, and back.

use foreshow_bundle::SafePath;

/// What a URL asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// A file, or a folder without its slash.
    File(SafePath),
    /// A folder; `None` is the root.
    Folder(Option<SafePath>),
}

/// Decodes a path once, as UTF-8, and checks it as any file's. `None` where no file could have that name.
pub(super) fn decode(path: &str) -> Option<Asked> {
    let decoded = percent_decode(path.strip_prefix('/')?)?;
    if decoded.is_empty() {
        return Some(Asked::Folder(None));
    }
    match decoded.strip_suffix('/') {
        Some(folder) => SafePath::parse(folder)
            .ok()
            .map(|folder| Asked::Folder(Some(folder))),
        None => SafePath::parse(&decoded).ok().map(Asked::File),
    }
}

fn percent_decode(text: &str) -> Option<String> {
    let digit = |byte: Option<u8>| {
        byte.and_then(|byte| char::from(byte).to_digit(16))
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => digit(bytes.next())? << 4 | digit(bytes.next())?,
            plain => plain,
        });
    }
    String::from_utf8(decoded).ok()
}

/// Encodes one part of a path for a link; `/` too.
pub(super) fn encode(part: &str) -> String {
    let mut encoded = String::with_capacity(part.len());
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            data_encoding::HEXUPPER.encode_append(&[byte], &mut encoded);
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file(path: &str) -> Asked {
        Asked::File(SafePath::parse(path).unwrap())
    }

    #[test]
    fn no_path_leads_out() {
        for path in [
            "/..",
            "/../x",
            "/..%2f",
            "/..%2Fetc/passwd",
            "/%2e%2e/x",
            "/a/../../x",
            "/a%2f..%2fx",
            "//x",
            "/%2Fx",
            "/a//b",
            "/a%5cb",
            "/%00",
            "/a%0ab",
            "/%zz",
            "/%f",
            "/%ff",
            "x",
        ] {
            assert_eq!(decode(path), None, "{path}");
        }
        // Decoded once: this is a file of that very name.
        assert_eq!(decode("/%252e%252e"), Some(file("%2e%2e")));
    }

    #[test]
    fn names_are_decoded_and_composed() {
        assert_eq!(decode("/"), Some(Asked::Folder(None)));
        assert_eq!(decode("/a%20b.txt"), Some(file("a b.txt")));
        assert_eq!(decode("/gr%C3%BC%C3%9Fe"), Some(file("grüße")));
        // A decomposed ü, as macOS writes it, names the same file.
        assert_eq!(decode("/gru%CC%88%C3%9Fe"), Some(file("grüße")));
        assert_eq!(
            decode("/docs/"),
            Some(Asked::Folder(Some(SafePath::parse("docs").unwrap())))
        );
    }

    proptest! {
        #[test]
        fn decode_reverses_encode(part in "[^/\\\\\\p{C}]{1,20}") {
            prop_assume!(SafePath::parse(&part).is_ok());
            prop_assert_eq!(decode(&format!("/{}", encode(&part))), Some(file(&part)));
        }
    }
}
