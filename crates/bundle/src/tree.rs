//! A context's files, ready to deploy.

use foreshow_contract::Sha256;
use sha2::Digest as _;

use crate::collisions::refuse_collisions;
use crate::content::Content;
use crate::digest::{self, FileHasher, Sha1};
use crate::error::BundleError;
use crate::ignored::Ignored;
use crate::path::SafePath;
use crate::sieve;

/// One file of a tree.
#[derive(Clone, Debug)]
pub struct TreeFile {
    /// Where it goes.
    pub path: SafePath,
    /// How large it is.
    pub size_bytes: u64,
    /// Its SHA-256: what it is identified by.
    pub sha256: Sha256,
    /// Its SHA-1: what some providers name uploads by.
    pub sha1: Sha1,
    /// Where its bytes are.
    pub content: Content,
}

impl TreeFile {
    /// A file whose bytes are in memory.
    pub(crate) fn in_memory(path: SafePath, bytes: bytes::Bytes) -> Self {
        let (sha256, sha1) = FileHasher::of(&bytes);
        Self {
            path,
            size_bytes: bytes.len() as u64,
            sha256,
            sha1,
            content: Content::Bytes(bytes),
        }
    }
}

/// A context's files: safe, sorted by path, without collisions and without what is ignored. Never empty.
#[derive(Clone, Debug)]
pub struct Tree {
    files: Vec<TreeFile>,
    ignored: Vec<Ignored>,
    digest: Sha256,
    total_bytes: u64,
}

impl Tree {
    /// Applies the ignore rules among the files, sorts what is left, refuses collisions and digests the whole.
    pub(crate) fn build(mut files: Vec<TreeFile>) -> Result<Self, BundleError> {
        files.sort_by(|a, b| a.path.cmp(&b.path));
        // Also among what will be ignored: of two `.gitignore`s nobody could say which one holds.
        refuse_duplicates(&files)?;
        let (files, ignored) = sieve::sift(files)?;
        if files.is_empty() {
            return Err(BundleError::NoFiles { ignored });
        }
        refuse_collisions(files.iter().map(|file| &file.path))?;
        Ok(Self {
            digest: tree_digest(&files),
            total_bytes: files.iter().map(|file| file.size_bytes).sum(),
            files,
            ignored,
        })
    }

    /// The files, sorted by path.
    pub fn files(&self) -> &[TreeFile] {
        &self.files
    }

    /// The file at `path`.
    pub fn get(&self, path: &str) -> Option<&TreeFile> {
        let index = self
            .files
            .binary_search_by(|file| file.path.as_str().cmp(path))
            .ok()?;
        self.files.get(index)
    }

    /// A digest of all paths and contents: two trees with the same one deploy the same site.
    pub fn digest(&self) -> Sha256 {
        self.digest
    }

    /// What is not deployed, and why, sorted by path.
    pub fn ignored(&self) -> &[Ignored] {
        &self.ignored
    }

    /// The sizes of all files together, in bytes.
    pub fn total_bytes(&self) -> u64 {
        self.total_bytes
    }
}

fn refuse_duplicates(sorted: &[TreeFile]) -> Result<(), BundleError> {
    match sorted.windows(2).find(|pair| pair[0].path == pair[1].path) {
        Some(pair) => Err(BundleError::DuplicatePath {
            path: pair[0].path.clone(),
        }),
        None => Ok(()),
    }
}

/// SHA-256 over a domain, the number of files and, for each in order, its path's length and bytes, its size and its SHA-256.
/// All numbers are 64 bits, big-endian: nothing can be read in two ways. A change of this changes what counts as "unchanged".
fn tree_digest(sorted: &[TreeFile]) -> Sha256 {
    let mut hasher = sha2::Sha256::new_with_prefix(b"foreshow.tree.v1\0");
    hasher.update((sorted.len() as u64).to_be_bytes());
    for file in sorted {
        let path = file.path.as_str();
        hasher.update((path.len() as u64).to_be_bytes());
        hasher.update(path);
        hasher.update(file.size_bytes.to_be_bytes());
        hasher.update(file.sha256.as_bytes());
    }
    digest::sha256(hasher)
}
