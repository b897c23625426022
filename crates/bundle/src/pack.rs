//! A directory made into a bundle.
//!
//! The same files always make the same bytes, on any machine: entries are sorted, have no folders between them, and
//! carry no times, owners or modes of their own. So a bundle's name, its digest, says what is in it.

use std::io::{self, Read, Write};
use std::path::Path;

use foreshow_contract::Sha256;

use crate::collect::{Collected, CollectedFile, collect};
use crate::digest::Hashing;
use crate::error::BundleError;
use crate::ignored::Ignored;
use crate::limits::Limits;

/// A bundle that was written.
#[derive(Clone, Debug)]
pub struct Packed {
    /// The digest of the bundle as a file: its name and what a receiver checks.
    pub sha256: Sha256,
    /// How large the bundle is.
    pub size_bytes: u64,
    /// How many files are to be deployed from it.
    pub files: usize,
    /// Their sizes together.
    pub total_bytes: u64,
    /// What was left out, and why, sorted by path.
    pub ignored: Vec<Ignored>,
}

/// Packs `dir` into an uncompressed tar. Blocking.
///
/// # Errors
/// Those of [`collect()`], and `Io` where `out` refuses. What has been written by then is worthless.
pub fn pack(dir: &Path, limits: &Limits, out: &mut dyn Write) -> Result<Packed, BundleError> {
    collect(dir, limits)?.pack(out)
}

impl Collected {
    /// Reads the files and writes them into an uncompressed tar. Blocking.
    ///
    /// # Errors
    /// `Io`, or [`BundleError::FileChanged`] where a file is no longer the one that was found.
    pub fn pack(&self, out: &mut dyn Write) -> Result<Packed, BundleError> {
        let mut tar = tar::Builder::new(Hashing::new(out));
        for file in self.sent() {
            append(&mut tar, file).map_err(write_error)?;
        }
        let out = tar.into_inner().map_err(write_error)?;
        let (sha256, size_bytes) = out.finish();
        Ok(Packed {
            sha256,
            size_bytes,
            files: self.files().len(),
            total_bytes: self.total_bytes(),
            ignored: self.ignored().to_vec(),
        })
    }
}

/// Names are written by hand: the library cuts a long one for the header, and refuses it where the cut leaves a part `..`.
fn append<W: Write>(tar: &mut tar::Builder<W>, file: &CollectedFile) -> io::Result<()> {
    let name = file.path.as_str().as_bytes();
    let short_len = tar::Header::new_gnu().as_old().name.len();
    if name.len() > short_len {
        let size_bytes = name.len() as u64 + 1;
        let header = header(b"././@LongLink", tar::EntryType::GNULongName, size_bytes);
        tar.append(&header, name.chain(&b"\0"[..]))?;
    }
    // Behind a long name this one isn't read.
    let short = &name[..name.len().min(short_len)];
    let header = header(short, tar::EntryType::Regular, file.size_bytes);
    let content = Unchanged {
        inner: file.open().map_err(io::Error::other)?,
        left_bytes: file.size_bytes,
        file,
    };
    tar.append(&header, content)
}

fn header(name: &[u8], entry_type: tar::EntryType, size_bytes: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.set_entry_type(entry_type);
    header.set_size(size_bytes);
    // One mode for all: not every sender has an executable bit, and nothing that serves a site needs it.
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_cksum();
    header
}

/// A file's bytes, exactly as many as its header says; anything else would shift all that follows in the tar.
struct Unchanged<'a> {
    inner: std::fs::File,
    left_bytes: u64,
    file: &'a CollectedFile,
}

impl Read for Unchanged<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match self.inner.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            other => other.map_err(|source| {
                io::Error::other(BundleError::Io {
                    operation: "read",
                    path: self.file.source.clone(),
                    source,
                })
            })?,
        };
        match self.left_bytes.checked_sub(read as u64) {
            // Ends early, or goes on past what was found.
            Some(left) if read == 0 && left > 0 && !buffer.is_empty() => Err(self.changed()),
            None => Err(self.changed()),
            Some(left) => {
                self.left_bytes = left;
                Ok(read)
            }
        }
    }
}

impl Unchanged<'_> {
    fn changed(&self) -> io::Error {
        io::Error::other(BundleError::FileChanged {
            path: self.file.path.clone(),
        })
    }
}

/// The tar library passes on what reading said; anything else is the writer's.
fn write_error(error: io::Error) -> BundleError {
    error
        .downcast::<BundleError>()
        .unwrap_or_else(BundleError::io("write", "the bundle"))
}
