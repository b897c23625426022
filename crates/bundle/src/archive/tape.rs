//! The walk over a tar.
//!
//! One pass computes the digest of every file and notes where it lies; its content is read from there when it is wanted. Only regular
//! files and folders are accepted, and the two ways of writing long names: GNU's entries and POSIX' pax headers. Numbers are
//! read strictly, for what one reader takes for garbage is another one's length, and then the two see different files.

mod header;
mod pax;

use std::sync::Arc;

pub(super) use self::header::{BLOCK, has_magic, is_header};
use self::header::{Header, Kind};
use super::entries::{Entries, shown};
use super::input::Input;
use crate::backing::Backing;
use crate::content::Content;
use crate::digest::FileHasher;
use crate::error::BundleError;
use crate::limits::Limits;
use crate::path::SafePath;
use crate::tree::TreeFile;

/// The most bytes of a long name. Four times the longest path: normalisation may shrink it.
const MAX_NAME_BYTES: u64 = 4 * SafePath::MAX_BYTES as u64;
/// The most bytes of a pax header. macOS and SELinux put a file's extended attributes there, and nobody looks at them here.
const MAX_PAX_BYTES: u64 = 64 << 10;
/// The most headers about one entry. Real tools write three: a global one, its own, and a name.
const MAX_HEADERS: u32 = 8;

/// The files of the tar that `input` reads, which lies in `tar`.
pub(super) fn files(
    input: Input<'_>,
    tar: &Arc<Backing>,
    limits: &Limits,
) -> Result<Vec<TreeFile>, BundleError> {
    let mut walk = Walk {
        input,
        tar,
        entries: Entries::new(limits),
        long_name: None,
        headers: 0,
        has_root: false,
    };
    while let Some(header) = walk.header()? {
        walk.entry(&header)?;
    }
    walk.end()?;
    Ok(walk.entries.into_files())
}

struct Walk<'a> {
    input: Input<'a>,
    tar: &'a Arc<Backing>,
    entries: Entries<'a>,
    /// What is known of the next entry's name, from the headers before it.
    long_name: Option<Vec<u8>>,
    /// How many there were.
    headers: u32,
    has_root: bool,
}

impl Walk<'_> {
    fn invalid(&self, reason: &'static str) -> BundleError {
        self.input.subject().invalid(reason)
    }

    /// The next header, unless the archive's end comes.
    fn header(&mut self) -> Result<Option<Header>, BundleError> {
        if self.input.has_ended()? {
            return Err(self.invalid("its end is missing"));
        }
        let block = self.input.exact("a header")?;
        if block == [0; BLOCK] {
            return Ok(None);
        }
        Header::parse(&block)
            .map(Some)
            .map_err(|reason| self.invalid(reason))
    }

    /// Behind the first block of zeros, nothing but zeros: a second one, and padding to a tape's records.
    fn end(&mut self) -> Result<(), BundleError> {
        if self.headers > 0 {
            return Err(self.invalid("it ends with a header that has no entry"));
        }
        loop {
            let rest = self.input.fill()?;
            if rest.is_empty() {
                return Ok(());
            }
            let len = rest.len();
            if rest.iter().any(|&byte| byte != 0) {
                return Err(self.invalid("there is more after its end"));
            }
            self.input.consume(len);
        }
    }

    fn entry(&mut self, header: &Header) -> Result<(), BundleError> {
        match header.kind() {
            Kind::LongName => {
                let mut name = self.meta(header, MAX_NAME_BYTES)?;
                if name.last() == Some(&0) {
                    name.pop();
                }
                self.name_next(name)
            }
            Kind::Pax => {
                let records = self.meta(header, MAX_PAX_BYTES)?;
                match pax::path(&records).map_err(|reason| self.invalid(reason))? {
                    Some(name) => self.name_next(name.to_vec()),
                    None => Ok(()),
                }
            }
            Kind::GlobalPax => {
                // `git archive` puts the commit there. A path for all files would be nonsense.
                let records = self.meta(header, MAX_PAX_BYTES)?;
                match pax::path(&records).map_err(|reason| self.invalid(reason))? {
                    Some(_) => Err(self.invalid("one name for all entries")),
                    None => Ok(()),
                }
            }
            Kind::File => {
                let name = self.take_name(header);
                self.file(&name, header.size_bytes())
            }
            Kind::Folder => {
                let name = self.take_name(header);
                if header.size_bytes() > 0 {
                    return Err(self.invalid("a folder has a size"));
                }
                self.folder(&name)
            }
            Kind::Other(kind) => Err(BundleError::UnsupportedEntry {
                entry: shown(&self.take_name(header)),
                kind,
            }),
        }
    }

    fn file(&mut self, name: &[u8], size_bytes: u64) -> Result<(), BundleError> {
        let path = self.entries.admit_file(name, size_bytes)?;
        let offset_bytes = self.input.at();
        let mut hasher = FileHasher::default();
        self.input
            .each(size_bytes, path.as_str(), |bytes| hasher.update(bytes))?;
        let padding = size_bytes.next_multiple_of(BLOCK as u64) - size_bytes;
        self.input.skip(padding, path.as_str())?;
        let (sha256, sha1) = hasher.finish();
        self.entries.put(TreeFile {
            path,
            size_bytes,
            sha256,
            sha1,
            content: Content::Slice {
                file: Arc::clone(self.tar),
                offset_bytes,
                len_bytes: size_bytes,
            },
        });
        Ok(())
    }

    fn folder(&mut self, name: &[u8]) -> Result<(), BundleError> {
        // `tar -c .` begins with the folder itself.
        if matches!(name, b"." | b"./") {
            return if std::mem::replace(&mut self.has_root, true) {
                Err(self.invalid("its root is there twice"))
            } else {
                Ok(())
            };
        }
        self.entries.admit_folder(name).map(drop)
    }

    fn name_next(&mut self, name: Vec<u8>) -> Result<(), BundleError> {
        match self.long_name.replace(name) {
            None => Ok(()),
            Some(_) => Err(self.invalid("two long names for one entry")),
        }
    }

    fn take_name(&mut self, header: &Header) -> Vec<u8> {
        self.headers = 0;
        self.long_name.take().unwrap_or_else(|| header.name())
    }

    /// What an entry about the next entry says.
    fn meta(&mut self, header: &Header, limit_bytes: u64) -> Result<Vec<u8>, BundleError> {
        self.headers += 1;
        if self.headers > MAX_HEADERS {
            return Err(self.invalid("too many headers for one entry"));
        }
        let size_bytes = header.size_bytes();
        if size_bytes > limit_bytes {
            return Err(self.invalid("a name or a header is too long"));
        }
        let mut bytes = Vec::new();
        self.input
            .each(size_bytes, "a name", |piece| bytes.extend_from_slice(piece))?;
        let padding = size_bytes.next_multiple_of(BLOCK as u64) - size_bytes;
        self.input.skip(padding, "a name")?;
        Ok(bytes)
    }
}
