//! What is decompressed, in a file beside the bundle.
//!
//! It is bounded while it is written: by what the limits allow for any bundle, and by what they allow for one of this
//! compressed size. So a bomb costs the disk what an honest bundle may cost, and no more.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::sync::Arc;

use super::BUFFER_BYTES;
use super::input::Subject;
use crate::backing::Backing;
use crate::error::BundleError;
use crate::limits::Limits;
use crate::scratch;

pub(super) struct Unpacked<'a> {
    subject: Subject<'a>,
    bound: Bound,
    backing: Arc<Backing>,
    file: BufWriter<File>,
    bytes: u64,
}

/// How much a compressed bundle may become.
pub(super) struct Bound {
    archive_bytes: u64,
    total_bytes: u64,
    unpacked_bytes: u64,
    ratio: u64,
}

impl Bound {
    pub(super) fn new(packed_bytes: u64, limits: &Limits) -> Self {
        Self {
            archive_bytes: limits.archive_bytes(),
            total_bytes: limits.total_bytes,
            unpacked_bytes: limits.unpacked_bytes(packed_bytes),
            ratio: limits.ratio,
        }
    }

    /// Whether it may be as large as this.
    pub(super) fn check(&self, subject: Subject<'_>, bytes: u64) -> Result<(), BundleError> {
        if bytes <= self.unpacked_bytes.min(self.archive_bytes) {
            Ok(())
        } else if self.archive_bytes <= self.unpacked_bytes {
            Err(BundleError::BundleTooLarge {
                limit_bytes: self.total_bytes,
            })
        } else {
            Err(BundleError::CompressionBomb {
                path: subject.path.to_owned(),
                limit_bytes: self.unpacked_bytes,
                ratio: self.ratio,
            })
        }
    }
}

impl<'a> Unpacked<'a> {
    pub(super) fn create(
        subject: Subject<'a>,
        packed_bytes: u64,
        limits: &Limits,
    ) -> Result<Self, BundleError> {
        let folder = match subject.path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            Some(_) | None => Path::new("."),
        };
        let failed = || BundleError::io("create a file in", folder);
        let file = scratch::create(folder).map_err(failed())?;
        let writer = file.as_file().try_clone().map_err(failed())?;
        Ok(Self {
            subject,
            bound: Bound::new(packed_bytes, limits),
            backing: Backing::scratch(file),
            file: BufWriter::with_capacity(BUFFER_BYTES, writer),
            bytes: 0,
        })
    }

    /// Where it can be read from once it is finished.
    pub(super) fn backing(&self) -> &Arc<Backing> {
        &self.backing
    }

    /// How much it is so far, and so where the next byte will lie.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), BundleError> {
        self.bytes += bytes.len() as u64;
        self.bound.check(self.subject, self.bytes)?;
        self.file
            .write_all(bytes)
            .map_err(BundleError::io("write", self.backing.path()))
    }

    /// Hands everything to the system. What wasn't finished isn't to be read.
    pub(super) fn finish(mut self) -> Result<Arc<Backing>, BundleError> {
        self.file
            .flush()
            .map_err(BundleError::io("write", self.backing.path()))?;
        Ok(self.backing)
    }
}
