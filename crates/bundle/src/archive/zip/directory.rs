//! The directory: what entries there are.
//!
//! It is read one record at a time, and an entry that finds no room within the limits ends it: what it claims to have is
//! never taken for true.

use super::super::entries::{Entries, shown};
use super::super::input::{Input, Subject};
use super::super::unpacked::Bound;
use super::end::End;
use super::extra::Extra;
use super::{ENCRYPTED, PATCH, u16_at, u32_at};
use crate::error::BundleError;
use crate::limits::Limits;
use crate::path::SafePath;

const RECORD: [u8; 4] = *b"PK\x01\x02";
const RECORD_BYTES: usize = 46;

/// What DOS calls a folder, among its attributes.
const DOS_FOLDER: u32 = 0x10;
/// AES has its own method, which hides the real one.
const AES: u16 = 99;

/// An entry as the directory has it.
pub(super) struct Member {
    pub(super) path: SafePath,
    pub(super) is_folder: bool,
    pub(super) flags: u16,
    pub(super) method: Method,
    pub(super) crc: u32,
    pub(super) packed_bytes: u64,
    pub(super) size_bytes: u64,
    /// Where its local header begins.
    pub(super) at: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Stored,
    Deflated,
}

impl Method {
    pub(super) fn number(self) -> u16 {
        match self {
            Self::Stored => 0,
            Self::Deflated => 8,
        }
    }
}

pub(super) fn read(
    input: &mut Input<'_>,
    end: &End,
    entries: &mut Entries<'_>,
    bound: &Bound,
    limits: &Limits,
) -> Result<Vec<Member>, BundleError> {
    let subject = input.subject();
    // Files and folders are counted apart.
    if end.entries > (limits.files as u64).saturating_mul(2) {
        return Err(BundleError::TooManyFiles {
            limit: limits.files,
        });
    }
    input.seek_to(end.directory_at)?;
    let (mut name, mut extra) = (Vec::new(), Vec::new());
    let mut members = Vec::new();
    let mut total_bytes = 0_u64;
    for _ in 0..end.entries {
        if input.at() >= end.directory_ends_at {
            return Err(subject.invalid("its directory has fewer entries than it should"));
        }
        let record: [u8; RECORD_BYTES] = input.exact("its directory")?;
        if !record.starts_with(&RECORD) {
            return Err(subject.invalid("an entry of its directory is not where it should be"));
        }
        name.resize(usize::from(u16_at(&record, 28)), 0);
        input.exact_into(&mut name, "its directory")?;
        extra.resize(usize::from(u16_at(&record, 30)), 0);
        input.exact_into(&mut extra, "its directory")?;
        input.skip(u64::from(u16_at(&record, 32)), "its directory")?;

        let member = member(subject, &record, &name, &extra, entries)?;
        total_bytes = total_bytes.saturating_add(member.size_bytes);
        bound.check(subject, total_bytes)?;
        members.push(member);
    }
    if input.at() != end.directory_ends_at {
        return Err(subject.invalid("its directory has more entries than it should"));
    }
    Ok(members)
}

fn member(
    subject: Subject<'_>,
    record: &[u8; RECORD_BYTES],
    name: &[u8],
    extra: &[u8],
    entries: &mut Entries<'_>,
) -> Result<Member, BundleError> {
    let invalid =
        |reason: &str| subject.invalid(format!("{:?} can't be right: {reason}", shown(name)));
    let flags = u16_at(record, 8);
    let method = match u16_at(record, 10) {
        AES => return Err(encrypted(name)),
        _ if flags & ENCRYPTED != 0 => return Err(encrypted(name)),
        0 => Method::Stored,
        8 => Method::Deflated,
        method => {
            return Err(BundleError::UnsupportedMethod {
                entry: shown(name),
                method,
            });
        }
    };
    let is_folder = is_folder(record, flags, name).map_err(|kind| match kind {
        Misfit::Kind(kind) => BundleError::UnsupportedEntry {
            entry: shown(name),
            kind,
        },
        Misfit::Reason(reason) => invalid(reason),
    })?;
    let mut numbers = [24, 20, 42].map(|at| u64::from(u32_at(record, at)));
    let extra = Extra::parse(extra, name).map_err(invalid)?;
    extra.enlarge(&mut numbers).map_err(invalid)?;
    let [size_bytes, packed_bytes, at] = numbers;
    if !matches!(u16_at(record, 34), 0 | u16::MAX) {
        return Err(subject.invalid("it is one part of a split zip"));
    }
    if method == Method::Stored && size_bytes != packed_bytes {
        return Err(invalid("it is stored, and has two sizes"));
    }
    if is_folder && size_bytes > 0 {
        return Err(invalid("it is a folder, and has a size"));
    }
    let path = if is_folder {
        entries.admit_folder(name)?
    } else {
        entries.admit_file(name, size_bytes)?
    };
    Ok(Member {
        path,
        is_folder,
        flags,
        method,
        crc: u32_at(record, 16),
        packed_bytes,
        size_bytes,
        at,
    })
}

enum Misfit {
    /// It is something that isn't accepted.
    Kind(&'static str),
    /// Its name says one thing and its attributes another.
    Reason(&'static str),
}

/// Whether it is a folder, and not a file: by its name, which its attributes must not contradict. Whatever system is said to have
/// written it: some readers look there, and some don't.
fn is_folder(record: &[u8; RECORD_BYTES], flags: u16, name: &[u8]) -> Result<bool, Misfit> {
    if flags & PATCH != 0 {
        return Err(Misfit::Kind("a difference to another file"));
    }
    let named_so = name.ends_with(b"/");
    let attributes = u32_at(record, 38);
    let contradiction = Misfit::Reason("it is a folder, and its name doesn't end in /");
    match (attributes >> 16) & 0o170_000 {
        0o040_000 if !named_so => Err(contradiction),
        0 if attributes & DOS_FOLDER != 0 && !named_so => Err(contradiction),
        // Some tools write every mode as a file's, and mean the name.
        0 | 0o100_000 | 0o040_000 => Ok(named_so),
        0o120_000 => Err(Misfit::Kind("a symbolic link")),
        0o020_000 | 0o060_000 => Err(Misfit::Kind("a device")),
        0o010_000 => Err(Misfit::Kind("a pipe")),
        0o140_000 => Err(Misfit::Kind("a socket")),
        _ => Err(Misfit::Kind("of an unknown kind")),
    }
}

fn encrypted(name: &[u8]) -> BundleError {
    BundleError::EncryptedEntry { entry: shown(name) }
}
