//! How values are written: for scripts with leading zeros, so that text compares as the numbers do.

use std::time::Duration;

use foreshow_contract::{Ordinal, OrdinalKind, Revision, Timestamp};

/// A number of 20 digits.
pub(super) fn number(number: u64) -> String {
    format!("{number:020}")
}

/// An instant, in microseconds since 1970. What is before 1970 counts as 1970: no clock of ours shows it.
pub(super) fn instant(at: Timestamp) -> String {
    number(u64::try_from(at.as_micros()).unwrap_or(0))
}

/// A span, in microseconds: at most the one to the last instant there is, which is how it counts when it is added.
pub(super) fn span(span: Duration) -> String {
    let last = Timestamp::MAX.as_micros().unsigned_abs();
    number(u64::try_from(span.as_micros()).unwrap_or(last).min(last))
}

/// An event's place in its context's order: the revision, then 0 for an update and 1 for an end.
pub(super) fn place(ordinal: Ordinal) -> String {
    let kind = match ordinal.kind {
        OrdinalKind::Update => '0',
        OrdinalKind::End => '1',
    };
    format!("{}{kind}", ordinal.revision.padded())
}

/// Of digits, with leading zeros or without.
pub(super) fn to_number(text: &[u8]) -> Option<u64> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(text)
        .ok()
        .filter(|_| digits)?
        .parse()
        .ok()
}

pub(super) fn to_instant(text: &[u8]) -> Option<Timestamp> {
    let micros = i64::try_from(to_number(text)?).ok()?;
    Some(Timestamp::from_micros(micros))
}

pub(super) fn to_revision(text: &[u8]) -> Option<Revision> {
    Revision::try_new(to_number(text)?).ok()
}

pub(super) fn to_place(text: &[u8]) -> Option<Ordinal> {
    let (kind, revision) = text.split_last()?;
    // Bare, the first revision's places are "0" and "1".
    let revision = if revision.is_empty() { b"0" } else { revision };
    Some(Ordinal {
        revision: to_revision(revision)?,
        kind: match kind {
            b'0' => OrdinalKind::Update,
            b'1' => OrdinalKind::End,
            _ => return None,
        },
    })
}

/// The first byte of a packed digest; no text begins with it, for it is in no UTF-8.
const PACKED: u8 = 0xFF;

/// A word as it is stored: 64 hexadecimal digits, as digests have, are packed into half.
pub(super) fn pack(word: &str) -> Vec<u8> {
    let bytes = word.as_bytes();
    let nibble = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let packed: Option<Vec<u8>> = if bytes.len() == 64 {
        bytes
            .chunks(2)
            .map(|pair| Some(nibble(pair[0])? << 4 | nibble(pair[1])?))
            .collect()
    } else {
        None
    };
    match packed {
        Some(packed) => [&[PACKED], &packed[..]].concat(),
        None => bytes.to_vec(),
    }
}

/// Reverses [`pack`].
pub(super) fn unpack(stored: &[u8]) -> Option<String> {
    match stored.split_first() {
        Some((&PACKED, packed)) => Some(
            packed
                .iter()
                .flat_map(|byte| [byte >> 4, byte & 0xF])
                .map(|nibble| char::from(b"0123456789abcdef"[usize::from(nibble)]))
                .collect(),
        ),
        _ => String::from_utf8(stored.to_vec()).ok(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_word_is_unpacked_as_it_was(word in prop_oneof![any::<String>(), "[0-9a-f]{64}", "[0-9a-fA-F]{64}"]) {
            prop_assert_eq!(unpack(&pack(&word)), Some(word));
        }

        #[test]
        fn places_compare_as_text(a in 0..=Revision::MAX.get(), b in 0..=Revision::MAX.get(), ends: (bool, bool)) {
            let ordinal = |number, is_end| {
                let revision = Revision::try_new(number).unwrap();
                if is_end { Ordinal::end(revision) } else { Ordinal::update(revision) }
            };
            let (a, b) = (ordinal(a, ends.0), ordinal(b, ends.1));
            prop_assert_eq!(place(a).cmp(&place(b)), a.cmp(&b));
            prop_assert_eq!(to_place(place(a).as_bytes()), Some(a));
            let bare = place(a).trim_start_matches('0').to_owned();
            let bare = if bare.is_empty() { "0".to_owned() } else { bare };
            prop_assert_eq!(to_place(bare.as_bytes()), Some(a));
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", "-1", "+1", "1.5", " 1", "99999999999999999999999"] {
            assert_eq!(to_number(text.as_bytes()), None, "{text}");
        }
        assert_eq!(to_place(b"72"), None);
        assert_eq!(to_place(b""), None);
    }

    #[test]
    fn spans_and_instants_stop_at_the_ends() {
        assert_eq!(span(Duration::MAX), instant(Timestamp::MAX));
        assert_eq!(instant(Timestamp::MIN), "00000000000000000000");
        assert_eq!(
            to_instant(instant(Timestamp::MAX).as_bytes()),
            Some(Timestamp::MAX)
        );
    }
}
