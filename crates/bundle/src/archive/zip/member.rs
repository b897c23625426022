//! The entries, in the order they lie in: each one's own header against the directory, its bytes against its checksum.

use std::sync::Arc;

use flate2::Crc;

use super::super::entries::{Entries, strip_dot};
use super::super::inflate::Inflate;
use super::super::input::Input;
use super::super::unpacked::Unpacked;
use super::directory::{Member, Method};
use super::extra::Extra;
use super::{DESCRIBED_BEHIND, SEE_64, u16_at, u32_at, u64_at};
use crate::backing::Backing;
use crate::content::Content;
use crate::digest::FileHasher;
use crate::error::BundleError;
use crate::path::SafePath;
use crate::tree::TreeFile;

const HEADER: [u8; 4] = *b"PK\x03\x04";
const HEADER_BYTES: usize = 30;
const DESCRIPTOR: [u8; 4] = *b"PK\x07\x08";

/// One pass over the entries.
pub(super) struct Reading<'a, 'e, 'l> {
    input: Input<'a>,
    zip: Arc<Backing>,
    entries: &'e mut Entries<'l>,
    unpacked: Unpacked<'a>,
    inflate: Inflate,
    name: Vec<u8>,
    extra: Vec<u8>,
    /// Where the last entry ended.
    ended_at: u64,
}

impl<'a, 'e, 'l> Reading<'a, 'e, 'l> {
    pub(super) fn new(
        input: Input<'a>,
        entries: &'e mut Entries<'l>,
        unpacked: Unpacked<'a>,
    ) -> Self {
        Self {
            zip: Backing::kept(input.subject().path),
            input,
            entries,
            unpacked,
            inflate: Inflate::new(),
            name: Vec::new(),
            extra: Vec::new(),
            ended_at: 0,
        }
    }

    fn invalid(&self, member: &Member, reason: &str) -> BundleError {
        let path = &member.path;
        let subject = self.input.subject();
        subject.invalid(format!("{path} can't be right: {reason}"))
    }

    /// The next entry, which must end where the one behind it begins.
    pub(super) fn member(&mut self, member: &Member, ends_at: u64) -> Result<(), BundleError> {
        self.begins_at(member.at)?;
        let overlaps = || BundleError::OverlappingEntries {
            entry: member.path.to_string(),
        };
        if ends_at <= member.at {
            return Err(overlaps());
        }
        self.header(member)?;
        let data_at = self.input.at();
        let behind = data_at
            .checked_add(member.packed_bytes)
            .and_then(|data_ends_at| ends_at.checked_sub(data_ends_at))
            .ok_or_else(overlaps)?;
        self.content(member, data_at)?;
        self.descriptor(member, behind)?;
        self.ended_at = ends_at;
        Ok(())
    }

    /// Once all are read: nothing may lie between them and the directory.
    pub(super) fn finish(self, directory_at: u64) -> Result<(), BundleError> {
        self.begins_at(directory_at)?;
        self.unpacked.finish().map(drop)
    }

    fn begins_at(&self, at: u64) -> Result<(), BundleError> {
        if at == self.ended_at {
            Ok(())
        } else {
            let reason = "there is something before or between its entries";
            Err(self.input.subject().invalid(reason))
        }
    }

    /// Reads the entry's own header, which must say what the directory says.
    fn header(&mut self, member: &Member) -> Result<(), BundleError> {
        let what = member.path.as_str();
        self.input.seek_to(member.at)?;
        let header: [u8; HEADER_BYTES] = self.input.exact(what)?;
        if !header.starts_with(&HEADER) {
            return Err(self.invalid(member, "its header is not where it should be"));
        }
        self.name.resize(usize::from(u16_at(&header, 26)), 0);
        self.input.exact_into(&mut self.name, what)?;
        self.extra.resize(usize::from(u16_at(&header, 28)), 0);
        self.input.exact_into(&mut self.extra, what)?;

        let name = self.name.strip_suffix(b"/").unwrap_or(&self.name);
        let is_folder = name.len() < self.name.len();
        let path = SafePath::from_bytes(strip_dot(name))?;
        if path != member.path || is_folder != member.is_folder {
            return Err(self.invalid(member, "the directory and its header name it differently"));
        }
        let mut numbers = [22, 18].map(|at| u64::from(u32_at(&header, at)));
        Extra::parse(&self.extra, &self.name)
            .and_then(|extra| extra.enlarge(&mut numbers))
            .map_err(|reason| self.invalid(member, reason))?;
        let [size_bytes, packed_bytes] = numbers;
        let agrees = |here: u64, there: u64| {
            // What isn't known yet stands behind.
            let is_unknown = matches!(here, 0) || here == u64::from(SEE_64);
            here == there || (member.flags & DESCRIBED_BEHIND != 0 && is_unknown)
        };
        if u16_at(&header, 6) != member.flags
            || u16_at(&header, 8) != member.method.number()
            || !agrees(u64::from(u32_at(&header, 14)), u64::from(member.crc))
            || !agrees(size_bytes, member.size_bytes)
            || !agrees(packed_bytes, member.packed_bytes)
        {
            return Err(self.invalid(member, "the directory and its header differ"));
        }
        Ok(())
    }

    fn content(&mut self, member: &Member, data_at: u64) -> Result<(), BundleError> {
        let what = member.path.as_str();
        let subject = self.input.subject();
        let mut hasher = FileHasher::default();
        let mut crc = Crc::new();
        let (file, offset_bytes) = match member.method {
            Method::Stored => {
                self.input.each(member.packed_bytes, what, |bytes| {
                    crc.update(bytes);
                    hasher.update(bytes);
                })?;
                (&self.zip, data_at)
            }
            Method::Deflated => {
                let begins_at = self.unpacked.bytes();
                let mut left = member.size_bytes;
                let lies = |what| subject.invalid(format!("{what} is not as long as it says"));
                let taken =
                    self.inflate
                        .stream(&mut self.input, member.packed_bytes, what, |bytes| {
                            left = left
                                .checked_sub(bytes.len() as u64)
                                .ok_or_else(|| lies(what))?;
                            crc.update(bytes);
                            hasher.update(bytes);
                            self.unpacked.push(bytes)
                        })?;
                if left > 0 || taken != member.packed_bytes {
                    return Err(lies(what));
                }
                (self.unpacked.backing(), begins_at)
            }
        };
        if crc.sum() != member.crc {
            return Err(subject.damaged(what));
        }
        if !member.is_folder {
            let (sha256, sha1) = hasher.finish();
            self.entries.put(TreeFile {
                path: member.path.clone(),
                size_bytes: member.size_bytes,
                sha256,
                sha1,
                content: Content::Slice {
                    file: Arc::clone(file),
                    offset_bytes,
                    len_bytes: member.size_bytes,
                },
            });
        }
        Ok(())
    }

    /// What stands behind the entry: nothing, or what its header didn't know yet. Four forms are in use: with a signature or
    /// without, with sizes of 32 bits or of 64.
    fn descriptor(&mut self, member: &Member, len_bytes: u64) -> Result<(), BundleError> {
        let is_expected = member.flags & DESCRIBED_BEHIND != 0;
        let (has_signature, is_64) = match (is_expected, len_bytes) {
            (false, 0) => return Ok(()),
            (true, 12) => (false, false),
            (true, 16) => (true, false),
            (true, 20) => (false, true),
            (true, 24) => (true, true),
            _ => {
                let reason = "there is something between it and the next";
                return Err(self.invalid(member, reason));
            }
        };
        let mut record = [0; 24];
        let record = &mut record[..usize::try_from(len_bytes).expect("it is at most 24")];
        self.input.exact_into(record, member.path.as_str())?;
        let (signature, rest) = record.split_at(if has_signature { 4 } else { 0 });
        let (packed_bytes, size_bytes) = if is_64 {
            (u64_at(rest, 4), u64_at(rest, 12))
        } else {
            (u64::from(u32_at(rest, 4)), u64::from(u32_at(rest, 8)))
        };
        if (has_signature && signature != DESCRIPTOR)
            || u32_at(rest, 0) != member.crc
            || packed_bytes != member.packed_bytes
            || size_bytes != member.size_bytes
        {
            return Err(self.invalid(member, "what stands behind it differs from the directory"));
        }
        Ok(())
    }
}
