//! A zip.
//!
//! A zip says everything twice: in front of each entry, and in the directory at its end. Readers that stream believe the
//! one, readers that seek the other; a zip in which the two differ is two archives, and is refused. So is one whose entries
//! don't lie one behind the other from its first byte to its directory: what lies between them somebody may read, and
//! where they share bytes, a few megabytes become petabytes (as David Fifield showed, without any nesting).
//!
//! In this order: the end (`end`), the directory, whose every entry must find room within the limits (`directory`), then the
//! entries in the order they lie in (`member`). Stored entries are read where they are; only deflated ones are written
//! anew. Names are UTF-8 whether the flag for it is set or not: a name in another encoding that isn't UTF-8 by chance is
//! refused, since which encoding it is, nobody knows.

mod directory;
mod end;
mod extra;
mod member;

use super::entries::Entries;
use super::input::Input;
use super::unpacked::{Bound, Unpacked};
use crate::error::BundleError;
use crate::limits::Limits;
use crate::tree::TreeFile;

/// Flags that mean that nobody reads the entry without a password: it is encrypted, strongly, and its local header too.
const ENCRYPTED: u16 = 1 | 1 << 6 | 1 << 13;
/// Sizes and checksum stand behind the entry, since its writer couldn't seek.
const DESCRIBED_BEHIND: u16 = 1 << 3;
/// The entry is a difference to some other file.
const PATCH: u16 = 1 << 5;

/// What stands for "see the zip64 field".
const SEE_64: u32 = u32::MAX;

pub(super) fn files(
    mut input: Input<'_>,
    size_bytes: u64,
    limits: &Limits,
) -> Result<Vec<TreeFile>, BundleError> {
    let subject = input.subject();
    let end = end::find(&mut input, size_bytes)?;
    let mut entries = Entries::new(limits);
    let bound = Bound::new(size_bytes, limits);
    let mut members = directory::read(&mut input, &end, &mut entries, &bound, limits)?;
    members.sort_by_key(|member| member.at);

    let unpacked = Unpacked::create(subject, size_bytes, limits)?;
    let mut reading = member::Reading::new(input, &mut entries, unpacked);
    let mut rest = members.iter().peekable();
    while let Some(member) = rest.next() {
        let ends_at = rest.peek().map_or(end.directory_at, |next| next.at);
        reading.member(member, ends_at)?;
    }
    reading.finish(end.directory_at)?;
    Ok(entries.into_files())
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(chunk(bytes, at))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(chunk(bytes, at))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(chunk(bytes, at))
}

fn chunk<const LEN: usize>(bytes: &[u8], at: usize) -> [u8; LEN] {
    *bytes[at..]
        .first_chunk()
        .expect("places are within records, whose lengths are fixed")
}
