//! What the stories share: directories and archives made by hand.

use std::fs;
use std::path::{Path, PathBuf};

use foreshow_bundle::{Limits, Packed, SafePath, Tree, pack};
use foreshow_contract::{Encoding, InlineFile, Sha256};
use tempfile::TempDir;

pub(crate) fn inline(path: &str, content: &str) -> InlineFile {
    InlineFile {
        path: path.to_owned(),
        content: content.to_owned(),
        encoding: Encoding::Utf8,
    }
}

/// A directory with these files in it.
pub(crate) fn directory(files: &[(&str, &[u8])]) -> TempDir {
    let dir = TempDir::new().unwrap();
    for (path, content) in files {
        let path = SafePath::parse(path).unwrap().join_to(dir.path());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    dir
}

/// Packs into memory.
pub(crate) fn packed(dir: &Path) -> (Packed, Vec<u8>) {
    let mut bytes = Vec::new();
    let packed = pack(dir, &Limits::default(), &mut bytes).unwrap();
    (packed, bytes)
}

/// The paths of a tree, in its order.
pub(crate) fn paths(tree: &Tree) -> Vec<&str> {
    tree.files().iter().map(|file| file.path.as_str()).collect()
}

/// Everything that two equal trees have in common.
pub(crate) fn contents(tree: &Tree) -> Vec<(String, Vec<u8>, Sha256, String, u64)> {
    tree.files()
        .iter()
        .map(|file| {
            (
                file.path.to_string(),
                file.content.read().unwrap().to_vec(),
                file.sha256,
                file.sha1.to_string(),
                file.size_bytes,
            )
        })
        .collect()
}

/// A tar written entry by entry, for what `pack` would never write.
#[derive(Default)]
pub(crate) struct HandMade(Vec<u8>);

impl HandMade {
    pub(crate) fn entry(mut self, entry_type: tar::EntryType, name: &[u8], content: &[u8]) -> Self {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.set_entry_type(entry_type);
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub(crate) fn file(self, name: &str, content: &str) -> Self {
        self.entry(tar::EntryType::Regular, name.as_bytes(), content.as_bytes())
    }

    pub(crate) fn folder(self, name: &str) -> Self {
        self.entry(tar::EntryType::Directory, name.as_bytes(), b"")
    }

    pub(crate) fn bytes(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 1024, 0);
        self.0
    }
}

/// A bundle on disk and its right digest. The directory goes with the value.
pub(crate) struct OnDisk {
    _dir: TempDir,
    pub(crate) path: PathBuf,
    pub(crate) sha256: Sha256,
}

impl OnDisk {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("bundle.tar");
        fs::write(&path, bytes).unwrap();
        Self {
            _dir: dir,
            path,
            sha256: Sha256::of(bytes),
        }
    }
}
