//! File contents on disk: `blobs/<2 hex>/<62 hex>`, named by their SHA-256.
//!
//! What it keeps true: a file with a blob's name is whole. It is written in [`Scratch`] and then *linked* to its name,
//! which never replaces a file that is there: so what one writer has synced, another can't exchange for a copy of its own
//! that isn't yet. Whether the blob may be *relied on* is not this module's to say: only the index knows, and it learns of
//! a blob after [`BlobFolder::store`] has returned, that is, after contents and names were synced to disk. A power failure
//! in between leaves a file that the index does not know, whole or not; the next start removes it.
//!
//! Everything here blocks.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use foreshow_bundle::Content;
use foreshow_contract::Sha256;
use sha2::Digest as _;

use crate::PreviewError;
use crate::private::{create_folder, create_folders};
use crate::scratch::{Scratch, ignore_missing};

/// Up to so many new files are synced one by one; more are synced together with all else on their file system. One by
/// one, each costs a flush of the disk; together, one does for all, but other programs' unwritten data goes along.
const SYNCED_ONE_BY_ONE: usize = 32;

/// The folder of blobs. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct BlobFolder {
    root: Arc<Path>,
    scratch: Arc<Scratch>,
}

/// A blob to be stored.
#[derive(Clone, Debug)]
pub(crate) struct Blob {
    pub(crate) sha256: Sha256,
    pub(crate) size_bytes: u64,
    pub(crate) content: Content,
    /// One of the paths that have it, for messages.
    pub(crate) path: String,
}

impl BlobFolder {
    /// Makes the folders below `parent`, where they are missing.
    pub(crate) fn open(parent: &Path) -> Result<Self, PreviewError> {
        let root: Arc<Path> = parent.join("blobs").into();
        create_folders(&root).map_err(|error| PreviewError::on("create", &root, error))?;
        let mut is_new = false;
        for first in 0..=u8::MAX {
            let folder = root.join(format!("{first:02x}"));
            match create_folder(&folder) {
                Ok(()) => is_new = true,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(PreviewError::on("create", &folder, error)),
            }
        }
        if is_new {
            sync_folder(&root)?;
            sync_folder(parent)?;
        }
        let scratch = Arc::new(Scratch::open(&parent.join("scratch"))?);
        Ok(Self { root, scratch })
    }

    /// Where a blob is, or would be.
    pub(crate) fn path(&self, sha256: &Sha256) -> PathBuf {
        let hex = sha256.to_hex();
        let (folder, name) = hex.split_at(2);
        self.root.join(folder).join(name)
    }

    /// Whether a file of that name and size is there.
    pub(crate) fn has(&self, sha256: &Sha256, size_bytes: u64) -> bool {
        fs::metadata(self.path(sha256)).is_ok_and(|metadata| metadata.len() == size_bytes)
    }

    /// Writes those of `blobs` that are not there, and makes sure that all of them stay after a power failure.
    pub(crate) fn store(&self, blobs: &[Blob]) -> Result<(), PreviewError> {
        let together = cfg!(target_os = "linux") && blobs.len() > SYNCED_ONE_BY_ONE;
        for blob in blobs {
            let path = self.path(&blob.sha256);
            if !self.has(&blob.sha256, blob.size_bytes) {
                self.write(blob, &path, !together)?;
            } else if !together {
                // Another writer's, who may not have come to syncing it. If it vanishes now, the index will notice.
                ignore_missing(File::open(&path).and_then(|file| file.sync_all()))
                    .map_err(|error| PreviewError::on("sync", &path, error))?;
            }
        }
        if together {
            return self.sync_all();
        }
        let mut folders: Vec<u8> = blobs.iter().map(|blob| blob.sha256.as_bytes()[0]).collect();
        folders.sort_unstable();
        folders.dedup();
        folders
            .into_iter()
            .try_for_each(|first| sync_folder(&self.root.join(format!("{first:02x}"))))
    }

    fn write(&self, blob: &Blob, path: &Path, sync: bool) -> Result<(), PreviewError> {
        let scratch = self.scratch.fresh();
        let written = Self::write_scratch(blob, &scratch, sync).and_then(|()| {
            let named = match fs::hard_link(&scratch, path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    // Somebody was quicker; or a file of another size is in the way, which only a torn one can be.
                    if self.has(&blob.sha256, blob.size_bytes) {
                        Ok(())
                    } else {
                        fs::rename(&scratch, path)
                    }
                }
                // No hard links on this file system: replace, which in the worst case costs a repeated sync.
                Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                    fs::rename(&scratch, path)
                }
                other => other,
            };
            named.map_err(|error| PreviewError::on("write", path, error))
        });
        ignore_missing(fs::remove_file(&scratch))
            .map_err(|error| PreviewError::on("remove", &scratch, error))?;
        written
    }

    fn write_scratch(blob: &Blob, scratch: &Path, sync: bool) -> Result<(), PreviewError> {
        let on = |error| PreviewError::on("write", scratch, error);
        let mut file = File::create_new(scratch).map_err(on)?;
        match &blob.content {
            Content::Bytes(bytes) => file.write_all(bytes).map_err(on)?,
            content @ Content::Slice { .. } => copy_checked(blob, content, &mut file, scratch)?,
        }
        if sync {
            file.sync_all().map_err(on)
        } else {
            Ok(())
        }
    }

    #[cfg(target_os = "linux")]
    fn sync_all(&self) -> Result<(), PreviewError> {
        File::open(&self.root)
            .and_then(|folder| rustix::fs::syncfs(&folder).map_err(io::Error::from))
            .map_err(|error| PreviewError::on("sync", &self.root, error))
    }

    #[cfg(not(target_os = "linux"))]
    fn sync_all(&self) -> Result<(), PreviewError> {
        Ok(())
    }

    /// Removes a blob's file; one that is gone counts as removed.
    pub(crate) fn remove(&self, sha256: &Sha256) -> Result<(), PreviewError> {
        let path = self.path(sha256);
        ignore_missing(fs::remove_file(&path))
            .map_err(|error| PreviewError::on("remove", &path, error))
    }

    /// Every blob whose file is there. Files with other names are not ours and are left out.
    pub(crate) fn list(&self) -> Result<Vec<Sha256>, PreviewError> {
        let mut found = Vec::new();
        for first in 0..=u8::MAX {
            let prefix = format!("{first:02x}");
            let folder = self.root.join(&prefix);
            let entries =
                fs::read_dir(&folder).map_err(|error| PreviewError::on("read", &folder, error))?;
            for entry in entries {
                let entry = entry.map_err(|error| PreviewError::on("read", &folder, error))?;
                let name = entry.file_name();
                found.extend(
                    name.to_str()
                        .and_then(|rest| format!("{prefix}{rest}").parse::<Sha256>().ok()),
                );
            }
        }
        Ok(found)
    }
}

/// Copies a stretch of a bundle, which somebody may have altered since its digest was made.
fn copy_checked(
    blob: &Blob,
    content: &Content,
    file: &mut File,
    scratch: &Path,
) -> Result<(), PreviewError> {
    let changed = |source| PreviewError::Source {
        file: blob.path.clone(),
        source,
    };
    let mut reader = content.open().map_err(changed)?;
    let mut hasher = sha2::Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(changed(error)),
        };
        let chunk = &buffer[..read];
        hasher.update(chunk);
        file.write_all(chunk)
            .map_err(|error| PreviewError::on("write", scratch, error))?;
    }
    if <[u8; 32]>::from(hasher.finalize()) == *blob.sha256.as_bytes() {
        Ok(())
    } else {
        Err(changed(io::Error::new(
            io::ErrorKind::InvalidData,
            "its digest is another",
        )))
    }
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> Result<(), PreviewError> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| PreviewError::on("sync", folder, error))
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> Result<(), PreviewError> {
    Ok(())
}
