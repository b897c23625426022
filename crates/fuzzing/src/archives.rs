//! Archives of strangers: never more than the limits, neither in the tree nor on the disk; every path safe.

use std::{collections::BTreeSet, fs, path::Path};

use foreshow_bundle::{BundleError, Limits, SafePath, Tree, tree_from_bundle};
use foreshow_contract::Sha256;

/// A tar's block.
const BLOCK: usize = 512;
/// Where a header has its checksum, and how long that is.
const CHECKSUM: std::ops::Range<usize> = 148..156;

/// Small, so that they are met.
fn limits() -> Limits {
    Limits {
        files: 8,
        total_bytes: 8 << 10,
        file_bytes: 4 << 10,
        depth: 4,
        ..Limits::default()
    }
}

/// The bytes as a bundle, and the same with the checksums of a tar mended, which no change would get past.
pub fn archives(bytes: &[u8]) {
    opened(bytes);
    let mut mended = bytes.to_vec();
    mend(&mut mended);
    if mended != bytes {
        opened(&mended);
    }
}

fn opened(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("bundle");
    fs::write(&path, bytes).expect("a file can be written");
    let before = on_disk(folder.path());
    let limits = limits();
    match tree_from_bundle(&path, Sha256::of(bytes), &limits) {
        Ok(tree) => {
            accepted(&tree, &limits);
            let grown = on_disk(folder.path()) - before;
            let most = limits.archive_bytes();
            assert!(
                grown <= most,
                "{grown} bytes are on the disk beside the bundle"
            );
        }
        Err(error) => refused(&error),
    }
    let left = on_disk(folder.path()) - before;
    assert_eq!(left, 0, "bytes are left on the disk");
}

fn accepted(tree: &Tree, limits: &Limits) {
    let mut paths = BTreeSet::new();
    let mut total_bytes = 0;
    assert!(!tree.files().is_empty() && tree.files().len() <= limits.files);
    for file in tree.files() {
        let path = file.path.as_str();
        assert_eq!(SafePath::parse(path).as_ref(), Ok(&file.path));
        assert!(path.split('/').count() <= limits.depth, "{path}");
        assert!(paths.insert(path.to_lowercase()), "{path} is there twice");
        let content = file.content.read().expect("what is in the tree is there");
        assert_eq!(content.len() as u64, file.size_bytes, "{path}");
        assert_eq!(Sha256::of(&content), file.sha256, "{path}");
        assert!(file.size_bytes <= limits.file_bytes);
        total_bytes += file.size_bytes;
    }
    assert!(total_bytes <= limits.total_bytes);
    assert_eq!(tree.total_bytes(), total_bytes);
}

fn refused(error: &BundleError) {
    let words = error.to_string();
    assert!(!words.is_empty() && words.len() <= 40_000, "{words:.200}");
}

fn on_disk(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).expect("the folder can be listed");
    entries
        .map(|entry| {
            let entry = entry.expect("an entry");
            let metadata = entry.metadata().expect("an entry is there");
            if metadata.is_dir() {
                on_disk(&entry.path())
            } else {
                metadata.len()
            }
        })
        .sum()
}

/// Gives every header of a tar the checksum that it should have.
fn mend(bytes: &mut [u8]) {
    let mut at = 0;
    while let Some(header) = bytes.get_mut(at..at + BLOCK) {
        if header.iter().all(|byte| *byte == 0) {
            return;
        }
        header[CHECKSUM].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[CHECKSUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let digits = String::from_utf8_lossy(&header[124..136]).into_owned();
        let digits = digits.trim_matches(|c: char| !c.is_digit(8));
        let size = usize::from_str_radix(digits, 8).unwrap_or(0);
        let Some(next) = size
            .checked_next_multiple_of(BLOCK)
            .and_then(|padded| at.checked_add(BLOCK)?.checked_add(padded))
        else {
            return;
        };
        at = next;
    }
}
