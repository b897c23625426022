//! The escaped form of names.
//!
//! Routing keys, result ids and tags can't carry just any byte, so in such places letters, digits, `_` and `-` stay, and
//! any other byte becomes `~` and two upper-case hex digits. It can be reversed, holds neither `.` nor `/`, and a name
//! has exactly one escaped form.

use crate::NameError;

/// Escapes a name for routing keys, result ids and tags.
pub fn escape(raw: &str) -> String {
    let mut escaped = String::with_capacity(raw.len());
    for &byte in raw.as_bytes() {
        if stands_for_itself(byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push('~');
            escaped.push(char::from(HEX[usize::from(byte >> 4)]));
            escaped.push(char::from(HEX[usize::from(byte & 0xF)]));
        }
    }
    escaped
}

/// Reverses [`escape`], and takes nothing that it would not write.
///
/// # Errors
/// [`NameError::NotEscaped`].
pub fn unescape(escaped: &str) -> Result<String, NameError> {
    let digit = |byte: Option<u8>| {
        let byte = byte.ok_or(NameError::NotEscaped)?;
        HEX.iter()
            .zip(0_u8..)
            .find(|(hex, _)| **hex == byte)
            .map(|(_, value)| value)
            .ok_or(NameError::NotEscaped)
    };
    let mut raw = Vec::with_capacity(escaped.len());
    let mut bytes = escaped.bytes();
    while let Some(byte) = bytes.next() {
        raw.push(match byte {
            b'~' => {
                let decoded = digit(bytes.next())? << 4 | digit(bytes.next())?;
                Some(decoded)
                    .filter(|byte| !stands_for_itself(*byte))
                    .ok_or(NameError::NotEscaped)?
            }
            plain if stands_for_itself(plain) => plain,
            _ => return Err(NameError::NotEscaped),
        });
    }
    String::from_utf8(raw).map_err(|_| NameError::NotEscaped)
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

const fn stands_for_itself(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// How long [`escape`]'s answer is.
pub(crate) fn escaped_bytes(raw: &str) -> usize {
    raw.bytes()
        .map(|byte| if stands_for_itself(byte) { 1 } else { 3 })
        .sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn unescape_reverses_escape(raw in any::<String>()) {
            let escaped = escape(&raw);
            prop_assert!(escaped.bytes().all(|byte| stands_for_itself(byte) || byte == b'~'));
            prop_assert_eq!(escaped.len(), escaped_bytes(&raw));
            prop_assert_eq!(unescape(&escaped).unwrap(), raw);
        }

        #[test]
        fn only_what_escape_writes_is_unescaped(text in "[A-Fa-f0-9~_.-]{0,12}") {
            if let Ok(raw) = unescape(&text) {
                prop_assert_eq!(escape(&raw), text);
            }
        }
    }
}
