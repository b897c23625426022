//! How an event ended, as one string: `1 <instant> <revisions that were replaced, or -> <length of digest> <digest><JSON>`.
//!
//! A script puts it together: what was replaced and when it was settled are known there alone. Redis forgets it by itself
//! once it is old. Kept by age and not by number: an acknowledgement is never confirmed, so only age tells that no copy of
//! the event is left that could ask.

use foreshow_contract::{Ordinal, Revision};
use foreshow_engine::{Outcome, SettledOutcome};

use super::text::{to_instant, to_number, to_revision, unpack};

/// Reads an end; `None` where it can't be read.
pub(super) fn parse(stored: &[u8], ordinal: Ordinal) -> Option<SettledOutcome> {
    let mut words = stored.splitn(5, |byte| *byte == b' ');
    if words.next()? != b"1" {
        return None;
    }
    let at = to_instant(words.next()?)?;
    let replaced = to_replaced(words.next()?)?;
    let digest_bytes = usize::try_from(to_number(words.next()?)?).ok()?;
    let (digest, json) = words.next()?.split_at_checked(digest_bytes)?;
    let mut outcome: Outcome = serde_json::from_slice(json).ok()?;
    if let Outcome::Ready(ready) = &mut outcome {
        ready.replaced = replaced;
    }
    Some(SettledOutcome {
        ordinal,
        digest: unpack(digest)?,
        outcome,
        at,
    })
}

/// Revisions with commas between, or `-`, as `settle.lua` stores and answers them.
pub(super) fn to_replaced(words: &[u8]) -> Option<Vec<Revision>> {
    if words == b"-" {
        return Some(Vec::new());
    }
    words.split(|byte| *byte == b',').map(to_revision).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_damaged_or_newer_cannot_be_read() {
        let ordinal = Ordinal::end(7.try_into().unwrap());
        let read = |stored: &[u8]| parse(stored, ordinal);
        let settled = read(br#"1 5 - 3 d  {"kind":"removed"}"#).unwrap();
        assert_eq!(
            (settled.digest.as_str(), settled.outcome),
            ("d  ", Outcome::Removed)
        );
        for damaged in [
            &br#"2 5 - 1 d{"kind":"removed"}"#[..],
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
