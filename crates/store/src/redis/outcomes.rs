//! How an event ended, as one string: `1 <instant> <revisions that are told as gone, or -> <length of digest> <digest><JSON>`.
//! After a reset of the context it is `2 <instant> <fence of the reset> <revisions> …`, and what was settled before, which no
//! script can find, does not count any more. Of an event that was replayed from the dead letters it is
//! `3 <instant> <fence of the reset, or -> <how often it was replayed> <revisions> …`.
//!
//! A script puts it together: what is gone and when it was settled are known there alone. Redis forgets it by itself
//! once it is old. Kept by age and not by number: an acknowledgement is never confirmed, so only age tells that no copy of
//! the event is left that could ask.

use foreshow_contract::{Ordinal, Revision};
use foreshow_engine::{Outcome, SettledOutcome};

use super::text::{to_instant, to_number, to_revision, unpack};

/// Reads an end; `None` where it can't be read.
pub(super) fn parse(stored: &[u8], ordinal: Ordinal) -> Option<SettledOutcome> {
    let (version, rest) = word(stored)?;
    let (at, rest) = word(rest)?;
    let at = to_instant(at)?;
    let (replay, rest) = match version {
        b"1" => (0, rest),
        b"2" => (0, word(rest)?.1),
        b"3" => {
            let (replay, rest) = word(word(rest)?.1)?;
            (u32::try_from(to_number(replay)?).ok()?, rest)
        }
        _ => return None,
    };
    let (gone, rest) = word(rest)?;
    let gone = to_gone(gone)?;
    let (digest_bytes, rest) = word(rest)?;
    let digest_bytes = usize::try_from(to_number(digest_bytes)?).ok()?;
    let (digest, json) = rest.split_at_checked(digest_bytes)?;
    let mut outcome: Outcome = serde_json::from_slice(json).ok()?;
    tell(&mut outcome, gone);
    Some(SettledOutcome {
        ordinal,
        digest: unpack(digest)?,
        outcome,
        at,
        replay,
    })
}

/// The first word, and what follows.
fn word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.iter().position(|byte| *byte == b' ')?;
    Some((&text[..end], &text[end + 1..]))
}

/// Whether a stored end counts, where the context's last reset had this fence.
pub(super) fn counts(stored: &[u8], reset_fence: Option<u64>) -> bool {
    let mut words = stored.splitn(4, |byte| *byte == b' ');
    let (version, fence) = (words.next(), words.nth(1));
    reset_fence.is_none_or(|reset| {
        matches!(version, Some(b"2" | b"3")) && fence.and_then(to_number) == Some(reset)
    })
}

/// Puts the revisions that are told as gone where the outcome has them.
pub(super) fn tell(outcome: &mut Outcome, gone: Vec<Revision>) {
    match outcome {
        Outcome::Ready(ready) => ready.replaced = gone,
        Outcome::Removed { expired } => *expired = gone,
        Outcome::Reset { gone: told } => *told = gone,
        Outcome::Failed { .. } | Outcome::Superseded { .. } => {}
    }
}

/// Revisions with commas between, or `-`, as `settle.lua` stores and answers them.
pub(super) fn to_gone(words: &[u8]) -> Option<Vec<Revision>> {
    if words == b"-" {
        return Some(Vec::new());
    }
    words.split(|byte| *byte == b',').map(to_revision).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_settled_before_a_reset_does_not_count() {
        for (stored, expected) in [
            (&b"1 5 - 1 d{}"[..], [true, false]),
            (b"2 5 9 - 1 d{}", [true, true]),
            (b"2 5 8 - 1 d{}", [true, false]),
            (b"1 9 9 - 1 d{}", [true, false]),
            (b"3 5 9 1 - 1 d{}", [true, true]),
            (b"3 5 - 9 - 1 d{}", [true, false]),
        ] {
            assert_eq!([None, Some(9)].map(|fence| counts(stored, fence)), expected);
        }
    }

    #[test]
    fn what_is_damaged_or_newer_cannot_be_read() {
        let ordinal = Ordinal::end(7.try_into().unwrap());
        let read = |stored: &[u8]| parse(stored, ordinal);
        let settled = read(br#"1 5 - 3 d  {"kind":"removed"}"#).unwrap();
        assert_eq!(
            (settled.digest.as_str(), settled.outcome),
            ("d  ", Outcome::removed())
        );
        let later = br#"2 5 9 7,8 1 d{"kind":"removed"}"#;
        let expired = [7, 8].map(|number| number.try_into().unwrap()).to_vec();
        assert_eq!(read(later).unwrap().outcome, Outcome::Removed { expired });
        for (replayed, times) in [
            (&br#"3 5 - 2 - 1 d{"kind":"removed"}"#[..], 2),
            (br#"3 5 9 1 - 1 d{"kind":"removed"}"#, 1),
            (br#"2 5 9 - 1 d{"kind":"removed"}"#, 0),
        ] {
            assert_eq!(read(replayed).unwrap().replay, times);
        }
        for damaged in [
            &br#"4 5 - 1 d{"kind":"removed"}"#[..],
            br#"3 5 - 1 d{"kind":"removed"}"#,
            br#"3 5 - x - 1 d{"kind":"removed"}"#,
            br#"2 5 - 1 d{"kind":"removed"}"#,
            br#"1 x - 1 d{"kind":"removed"}"#,
            br#"1 5 , 1 d{"kind":"removed"}"#,
            br#"1 5 - 99 d{"kind":"removed"}"#,
            br#"1 5 - 1 d{"kind":"of a newer version"}"#,
            b"",
        ] {
            assert!(
                read(damaged).is_none(),
                "{}",
                String::from_utf8_lossy(damaged)
            );
        }
    }
}
