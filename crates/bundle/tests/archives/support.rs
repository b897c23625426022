//! A bundle in a folder of its own, read; and how a case is written.

use std::fs;
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};
use foreshow_bundle::{BundleError, Limits, Tree, tree_from_bundle};
use foreshow_contract::Sha256;
use std::io::Write as _;
use tempfile::TempDir;

/// One `#[test]` for each archive that is refused: its name is a claim, then the bytes, the code, and a part of the message.
macro_rules! refused {
    ($($name:ident: $bytes:expr => $code:literal, $message:literal;)*) => {
        $(#[test]
        fn $name() {
            let bytes = $bytes;
            $crate::support::assert_refused(bytes.as_ref(), $code, $message);
        })*
    };
}
pub(crate) use refused;

/// One `#[test]` for each archive that is read: its name is a claim, then the bytes, and the files.
macro_rules! accepted {
    ($($name:ident: $bytes:expr => [$(($path:literal, $content:expr)),* $(,)?];)*) => {
        $(#[test]
        fn $name() {
            let expected: Vec<(&str, Vec<u8>)> = vec![$(($path, $content.to_vec())),*];
            let bytes = $bytes;
            $crate::support::assert_accepted(bytes.as_ref(), &expected);
        })*
    };
}
pub(crate) use accepted;

/// A bundle on disk and its digest. Its folder goes with the value.
pub(crate) struct OnDisk {
    folder: TempDir,
    path: PathBuf,
    pub(crate) sha256: Sha256,
}

impl OnDisk {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let folder = TempDir::new().unwrap();
        // A name that tells nothing: it must not matter.
        let path = folder.path().join("bundle");
        fs::write(&path, bytes).unwrap();
        Self {
            folder,
            path,
            sha256: Sha256::of(bytes),
        }
    }

    pub(crate) fn read(&self, limits: &Limits) -> Result<Tree, BundleError> {
        tree_from_bundle(&self.path, self.sha256, limits)
    }

    /// How many files lie beside the bundle.
    pub(crate) fn beside(&self) -> usize {
        fs::read_dir(self.folder.path()).unwrap().count() - 1
    }
}

/// What a bundle holds, in the tree's order.
pub(crate) fn contents(tree: &Tree) -> Vec<(&str, Vec<u8>)> {
    let files = tree.files().iter();
    files
        .map(|file| {
            let content = file.content.read().unwrap().to_vec();
            assert_eq!(content.len() as u64, file.size_bytes);
            assert_eq!(Sha256::of(&content), file.sha256);
            (file.path.as_str(), content)
        })
        .collect()
}

pub(crate) fn assert_refused_within(limits: &Limits, bytes: &[u8], code: &str, message: &str) {
    let bundle = OnDisk::new(bytes);
    let error = bundle.read(limits).unwrap_err();
    let said = error.to_string();
    assert_eq!(error.code(), code, "{said}");
    assert!(said.contains(message), "{said}");
    assert!(!error.is_transient());
    assert_eq!(bundle.beside(), 0, "a scratch file is left");
    // Whatever is wrong with a bundle, that it is another one is told first.
    let another = Sha256::of(b"another");
    let error = tree_from_bundle(&bundle.path, another, limits).unwrap_err();
    assert_eq!(error.code(), "bundle_digest_mismatch");
}

pub(crate) fn assert_refused(bytes: &[u8], code: &str, message: &str) {
    assert_refused_within(&Limits::default(), bytes, code, message);
}

pub(crate) fn assert_accepted(bytes: &[u8], expected: &[(&str, Vec<u8>)]) {
    let bundle = OnDisk::new(bytes);
    let tree = bundle.read(&Limits::default()).unwrap();
    assert_eq!(contents(&tree), expected);
    drop(tree);
    assert_eq!(bundle.beside(), 0, "a scratch file is left");
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::new(6));
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

pub(crate) fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut out = DeflateEncoder::new(Vec::new(), Compression::new(6));
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    ruzstd::encoding::compress_to_vec(bytes, level)
}

/// Changes what a case needs changed.
pub(crate) trait Changed {
    fn with(self, change: impl FnOnce(&mut Vec<u8>)) -> Self;
    fn put(self, at: usize, bytes: &[u8]) -> Self;
    fn and(self, bytes: &[u8]) -> Self;
    fn cut(self, len: usize) -> Self;
}

impl Changed for Vec<u8> {
    fn with(mut self, change: impl FnOnce(&mut Vec<u8>)) -> Self {
        change(&mut self);
        self
    }

    fn put(mut self, at: usize, bytes: &[u8]) -> Self {
        self[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }

    fn and(mut self, bytes: &[u8]) -> Self {
        self.extend_from_slice(bytes);
        self
    }

    fn cut(mut self, len: usize) -> Self {
        self.truncate(len);
        self
    }
}
