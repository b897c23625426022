//! How much a context may be.

use serde::{Deserialize, Serialize};

use crate::error::BundleError;
use crate::path::SafePath;

/// Bounds on a context's files. A value at a limit is allowed; 0 refuses every context.
///
/// Inline files and bundles are held to them *before* the ignore rules are applied, for the bounds are there to
/// bound the work; a directory is held to them afterwards, because what is ignored there is never read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// The most files (and, counted apart, folders) of one context. Default 20,000. A few hundred bytes of memory
    /// each; many providers take no more than 15,000 to 25,000.
    pub files: usize,
    /// The most bytes of all files together. Default 512 MiB. A worker may hold this much on disk for each slot, and twice as
    /// much where the bundle is compressed.
    pub total_bytes: u64,
    /// The most bytes of one file. Default 128 MiB. Some providers take only 25 MiB; those refuse later, by name.
    pub file_bytes: u64,
    /// The most parts of one path, the file's name included. Default 32. Deep trees are nearly always a mistake
    /// (a folder linked or copied into itself).
    pub depth: usize,
    /// The most bytes that one byte of a compressed bundle may become, beyond a first 16 MiB that are free. Default 200:
    /// sites shrink to a third or a tenth, logs and generated data to a hundredth; what shrinks further is nearly always made
    /// to fill disks (zeros shrink to a thousandth, or far less). 0 refuses what becomes more than 16 MiB.
    pub ratio: u64,
}

/// What any compressed bundle may become: an honest small one may shrink well.
const FREE_BYTES: u64 = 16 << 20;

impl Default for Limits {
    fn default() -> Self {
        Self {
            files: 20_000,
            total_bytes: 512 << 20,
            file_bytes: 128 << 20,
            depth: 32,
            ratio: 200,
        }
    }
}

impl Limits {
    /// The most bytes that a bundle within these limits can take up as a tar.
    pub fn archive_bytes(&self) -> u64 {
        // Per entry: a header, padding to 512, and a long name's own header and at most three blocks. Files and folders
        // are counted apart. The end: two blocks, padded by some writers to 10 KiB records.
        const PER_ENTRY: u64 = 6 * 512;
        const END: u64 = 2 * 10_240;
        let entries = (self.files as u64).saturating_mul(2);
        self.total_bytes
            .saturating_add(entries.saturating_mul(PER_ENTRY))
            .saturating_add(END)
    }

    /// The most bytes that a compressed bundle of this size may become.
    pub(crate) fn unpacked_bytes(&self, packed_bytes: u64) -> u64 {
        FREE_BYTES.saturating_add(packed_bytes.saturating_mul(self.ratio))
    }
}

/// What has been used of the limits so far. Ask before reading a file's content.
pub(crate) struct Budget<'a> {
    limits: &'a Limits,
    files: usize,
    folders: usize,
    total_bytes: u64,
}

impl<'a> Budget<'a> {
    pub(crate) fn new(limits: &'a Limits) -> Self {
        Self {
            limits,
            files: 0,
            folders: 0,
            total_bytes: 0,
        }
    }

    pub(crate) fn admit_file(
        &mut self,
        path: &SafePath,
        size_bytes: u64,
    ) -> Result<(), BundleError> {
        let limits = self.limits;
        self.check_depth(path)?;
        if self.files >= limits.files {
            return Err(BundleError::TooManyFiles {
                limit: limits.files,
            });
        }
        if size_bytes > limits.file_bytes {
            return Err(BundleError::FileTooLarge {
                path: path.clone(),
                size_bytes,
                limit_bytes: limits.file_bytes,
            });
        }
        let total_bytes = self.total_bytes.saturating_add(size_bytes);
        if total_bytes > limits.total_bytes {
            return Err(BundleError::BundleTooLarge {
                limit_bytes: limits.total_bytes,
            });
        }
        self.files += 1;
        self.total_bytes = total_bytes;
        Ok(())
    }

    pub(crate) fn admit_folder(&mut self, path: &SafePath) -> Result<(), BundleError> {
        self.check_depth(path)?;
        if self.folders >= self.limits.files {
            return Err(BundleError::TooManyFiles {
                limit: self.limits.files,
            });
        }
        self.folders += 1;
        Ok(())
    }

    fn check_depth(&self, path: &SafePath) -> Result<(), BundleError> {
        let depth = path.depth();
        if depth > self.limits.depth {
            return Err(BundleError::TooDeep {
                path: path.clone(),
                depth,
                limit: self.limits.depth,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> SafePath {
        SafePath::parse(text).unwrap()
    }

    #[test]
    fn what_is_at_a_limit_is_allowed_and_one_more_is_not() {
        let limits = Limits {
            files: 2,
            total_bytes: 10,
            file_bytes: 8,
            depth: 2,
            ..Limits::default()
        };
        let code = |result: Result<(), BundleError>| result.unwrap_err().code();

        let mut budget = Budget::new(&limits);
        assert_eq!(code(budget.admit_file(&path("a"), 9)), "file_too_large");
        assert_eq!(code(budget.admit_file(&path("a/b/c"), 1)), "too_deep");
        budget.admit_file(&path("a/b"), 8).unwrap();
        assert_eq!(code(budget.admit_file(&path("c"), 3)), "bundle_too_large");
        budget.admit_file(&path("c"), 2).unwrap();
        assert_eq!(code(budget.admit_file(&path("d"), 0)), "too_many_files");

        budget.admit_folder(&path("x")).unwrap();
        budget.admit_folder(&path("y")).unwrap();
        assert_eq!(code(budget.admit_folder(&path("z"))), "too_many_files");
    }

    #[test]
    fn an_unknown_key_is_refused_and_a_missing_one_has_its_default() {
        let limits: Limits = toml::from_str("files = 5\ntotal_bytes = 7").unwrap();
        assert_eq!((limits.files, limits.total_bytes, limits.depth), (5, 7, 32));
        assert_eq!(limits.ratio, 200);
        assert!(toml::from_str::<Limits>("filez = 5").is_err());
    }

    #[test]
    fn what_a_compressed_bundle_may_become_grows_with_it() {
        let limits = Limits {
            ratio: 3,
            ..Limits::default()
        };
        assert_eq!(limits.unpacked_bytes(0), 16 << 20);
        assert_eq!(limits.unpacked_bytes(100), (16 << 20) + 300);
        assert_eq!(limits.unpacked_bytes(u64::MAX), u64::MAX);
    }

    #[test]
    fn sizes_near_the_end_of_u64_do_not_wrap() {
        let limits = Limits {
            file_bytes: u64::MAX,
            ..Limits::default()
        };
        let mut budget = Budget::new(&limits);
        budget.admit_file(&path("a"), 1).unwrap();
        assert!(budget.admit_file(&path("b"), u64::MAX).is_err());
    }
}
