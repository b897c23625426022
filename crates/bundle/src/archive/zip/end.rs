//! The end of a zip: where its directory is.
//!
//! It is found from behind, since a comment of any text may follow it (`git archive` writes the commit there). A comment that
//! looks like another end is refused: which of the two is meant, readers would disagree.

use super::super::input::Input;
use super::{u16_at, u32_at, u64_at};
use crate::error::BundleError;

const END: [u8; 4] = *b"PK\x05\x06";
const END_BYTES: usize = 22;
const LONGEST_COMMENT: usize = u16::MAX as usize;

const LOCATOR: [u8; 4] = *b"PK\x06\x07";
const LOCATOR_BYTES: usize = 20;
const END_64: [u8; 4] = *b"PK\x06\x06";
const END_64_BYTES: usize = 56;

/// Where the directory is.
pub(super) struct End {
    /// How many entries it is said to have.
    pub(super) entries: u64,
    pub(super) directory_at: u64,
    pub(super) directory_ends_at: u64,
}

struct Announced {
    entries: u64,
    directory_bytes: u64,
    directory_at: u64,
}

pub(super) fn find(input: &mut Input<'_>, size_bytes: u64) -> Result<End, BundleError> {
    let subject = input.subject();
    let (at, record) = last_record(input, size_bytes)?;
    let announced = Announced {
        entries: u64::from(u16_at(&record, 10)),
        directory_bytes: u64::from(u32_at(&record, 12)),
        directory_at: u64::from(u32_at(&record, 16)),
    };
    let (announced, directory_ends_at) = match at.checked_sub(LOCATOR_BYTES as u64) {
        Some(locator_at) => {
            input.seek_to(locator_at)?;
            let locator: [u8; LOCATOR_BYTES] = input.exact("its directory's end")?;
            if locator.starts_with(&LOCATOR) {
                read_64(input, &locator, locator_at, &announced)?
            } else {
                (announced, at)
            }
        }
        None => (announced, at),
    };
    let parts = [u16_at(&record, 4), u16_at(&record, 6)];
    if parts != [0, 0] || u16_at(&record, 8) != u16_at(&record, 10) {
        return Err(subject.invalid("it is one part of a split zip"));
    }
    let Announced {
        entries,
        directory_bytes,
        directory_at,
    } = announced;
    if directory_at.checked_add(directory_bytes) != Some(directory_ends_at) {
        return Err(subject.invalid("its directory is not where it should be"));
    }
    Ok(End {
        entries,
        directory_at,
        directory_ends_at,
    })
}

/// The one record in the last 64 KiB whose comment ends with the file.
fn last_record(
    input: &mut Input<'_>,
    size_bytes: u64,
) -> Result<(u64, [u8; END_BYTES]), BundleError> {
    let subject = input.subject();
    let tail_bytes = size_bytes.min((END_BYTES + LONGEST_COMMENT) as u64);
    let tail_at = size_bytes - tail_bytes;
    let mut tail = Vec::new();
    input.seek_to(tail_at)?;
    input.each(tail_bytes, "its directory's end", |bytes| {
        tail.extend_from_slice(bytes);
    })?;
    let mut found = None;
    let mut is_last = false;
    for (at, record) in tail.windows(END_BYTES).enumerate() {
        if record.starts_with(&END) {
            let comment = usize::from(u16_at(record, 20));
            is_last = at + END_BYTES + comment == tail.len();
            if is_last && found.replace((at, record)).is_some() {
                return Err(subject.invalid("it has two ends"));
            }
        }
    }
    match found {
        Some((at, record)) if is_last => {
            let record = record.try_into().expect("windows have that length");
            Ok((tail_at + at as u64, record))
        }
        Some(_) => Err(subject.invalid("it has two ends")),
        None => Err(subject.invalid("its directory's end is missing, or there is more after it")),
    }
}

/// The same for large zips: a record of its own, found by a locator.
fn read_64(
    input: &mut Input<'_>,
    locator: &[u8],
    locator_at: u64,
    small: &Announced,
) -> Result<(Announced, u64), BundleError> {
    let subject = input.subject();
    let at = u64_at(locator, 8);
    if u32_at(locator, 4) != 0 || u32_at(locator, 16) > 1 {
        return Err(subject.invalid("it is one part of a split zip"));
    }
    let misplaced = "its directory's end is not where it should be";
    if at
        .checked_add(END_64_BYTES as u64)
        .is_none_or(|end| end > locator_at)
    {
        return Err(subject.invalid(misplaced));
    }
    input.seek_to(at)?;
    let record: [u8; END_64_BYTES] = input.exact("its directory's end")?;
    let len = u64_at(&record, 4).checked_add(12);
    if !record.starts_with(&END_64) || len != Some(locator_at - at) {
        return Err(subject.invalid(misplaced));
    }
    let entries = u64_at(&record, 32);
    if u32_at(&record, 16) != 0 || u32_at(&record, 20) != 0 || u64_at(&record, 24) != entries {
        return Err(subject.invalid("it is one part of a split zip"));
    }
    let large = Announced {
        entries,
        directory_bytes: u64_at(&record, 40),
        directory_at: u64_at(&record, 48),
    };
    let agrees = |small: u64, large: u64, see: u64| small == large || small == see;
    if agrees(small.entries, large.entries, u64::from(u16::MAX))
        && agrees(
            small.directory_bytes,
            large.directory_bytes,
            u64::from(u32::MAX),
        )
        && agrees(small.directory_at, large.directory_at, u64::from(u32::MAX))
    {
        Ok((large, at))
    } else {
        Err(subject.invalid("its two ends differ"))
    }
}
