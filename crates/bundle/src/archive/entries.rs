//! What an archive holds, as far as it has been read.
//!
//! Every entry asks here before its content is looked at: its path must be safe and new, and there must be room for it within the
//! limits. Folders are remembered only to see that no name is used twice; which of them are empty is nobody's concern.

use std::collections::BTreeMap;

use crate::error::BundleError;
use crate::limits::{Budget, Limits};
use crate::path::SafePath;
use crate::tree::TreeFile;

pub(super) struct Entries<'a> {
    budget: Budget<'a>,
    found: BTreeMap<SafePath, Option<TreeFile>>,
}

impl<'a> Entries<'a> {
    pub(super) fn new(limits: &'a Limits) -> Self {
        Self {
            budget: Budget::new(limits),
            found: BTreeMap::new(),
        }
    }

    /// Asks for room for a file, which is to be [`put`](Self::put) when it was read.
    pub(super) fn admit_file(&mut self, name: &[u8], bytes: u64) -> Result<SafePath, BundleError> {
        let path = SafePath::from_bytes(strip_dot(name))?;
        self.budget.admit_file(&path, bytes)?;
        self.claim(path)
    }

    /// A folder's name, with or without its `/`.
    pub(super) fn admit_folder(&mut self, name: &[u8]) -> Result<SafePath, BundleError> {
        let name = name.strip_suffix(b"/").unwrap_or(name);
        let path = SafePath::from_bytes(strip_dot(name))?;
        self.budget.admit_folder(&path)?;
        self.claim(path)
    }

    fn claim(&mut self, path: SafePath) -> Result<SafePath, BundleError> {
        match self.found.insert(path.clone(), None) {
            None => Ok(path),
            Some(_) => Err(BundleError::DuplicatePath { path }),
        }
    }

    pub(super) fn put(&mut self, file: TreeFile) {
        self.found.insert(file.path.clone(), Some(file));
    }

    pub(super) fn into_files(self) -> Vec<TreeFile> {
        self.found.into_values().flatten().collect()
    }
}

/// `tar -c .` writes `./a`; that one way of saying `a` is accepted here.
pub(super) fn strip_dot(name: &[u8]) -> &[u8] {
    name.strip_prefix(b"./").unwrap_or(name)
}

/// A name as it stands in an archive, for a message.
pub(super) fn shown(name: &[u8]) -> String {
    /// Of a longer name this much, in bytes.
    const SHOWN: usize = 200;
    String::from_utf8_lossy(&name[..name.len().min(SHOWN)]).into_owned()
}
