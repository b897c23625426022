//! A process's own folder for half-written files.
//!
//! What it keeps true: a file in the blob folder is always whole, because it is written here first and then given its
//! name in one step. If we die half-way, our scratch folder stays, and the next process to start removes it: it can tell
//! that we are dead, because we held a lock on the `.lock` file beside it, and the system released that with us. Starting
//! twice at once is no race: whoever gets the lock checks afterwards that the lock file still has its name.

use std::ffi::OsStr;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::PreviewError;
use crate::private::{create_folder, create_folders};

/// The folder, for as long as this value lives.
#[derive(Debug)]
pub(crate) struct Scratch {
    folder: PathBuf,
    lock_file: PathBuf,
    next: AtomicU64,
    _lock: File,
}

impl Scratch {
    /// Removes what dead processes left below `parent`, and makes a folder for this one.
    pub(crate) fn open(parent: &Path) -> Result<Self, PreviewError> {
        create_folders(parent).map_err(|error| PreviewError::on("create", parent, error))?;
        remove_dead(parent).map_err(|error| PreviewError::on("clean up", parent, error))?;
        loop {
            let name =
                token().map_err(|error| PreviewError::on("name a folder in", parent, error))?;
            let (folder, lock_file) = (parent.join(&name), parent.join(format!("{name}.lock")));
            let lock = File::create_new(&lock_file)
                .map_err(|error| PreviewError::on("create", &lock_file, error))?;
            match lock.try_lock() {
                // Another process may have taken the new file for a dead one's before we locked it.
                Ok(()) if lock_file.exists() => {}
                Ok(()) | Err(TryLockError::WouldBlock) => continue,
                // No locks on this file system: nobody can tell that we are dead, so nobody cleans up after us.
                Err(TryLockError::Error(error)) => {
                    tracing::debug!(%error, "the data folder supports no file locks");
                }
            }
            create_folder(&folder).map_err(|error| PreviewError::on("create", &folder, error))?;
            return Ok(Self {
                folder,
                lock_file,
                next: AtomicU64::new(0),
                _lock: lock,
            });
        }
    }

    /// A path that nobody else uses.
    pub(crate) fn fresh(&self) -> PathBuf {
        self.folder
            .join(self.next.fetch_add(1, Ordering::Relaxed).to_string())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Best effort: what stays is removed at the next start.
        drop(fs::remove_dir_all(&self.folder));
        drop(fs::remove_file(&self.lock_file));
    }
}

fn remove_dead(parent: &Path) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let lock_file = entry?.path();
        if lock_file.extension() != Some(OsStr::new("lock")) {
            continue;
        }
        let lock = match File::open(&lock_file) {
            Ok(lock) => lock,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if lock.try_lock().is_ok() {
            ignore_missing(fs::remove_dir_all(lock_file.with_extension("")))?;
            ignore_missing(fs::remove_file(&lock_file))?;
        }
    }
    Ok(())
}

pub(crate) fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// 80 random bits as text.
pub(crate) fn token() -> io::Result<String> {
    let mut bytes = [0; 10];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(data_encoding::BASE32_NOPAD
        .encode(&bytes)
        .to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_process_leaves_nothing_and_a_living_one_keeps_its_own() {
        let parent = tempfile::tempdir().unwrap();
        let living = Scratch::open(parent.path()).unwrap();
        fs::write(living.fresh(), "half").unwrap();
        fs::create_dir(parent.path().join("dead")).unwrap();
        fs::write(parent.path().join("dead/0"), "half").unwrap();
        fs::write(parent.path().join("dead.lock"), "").unwrap();

        let second = Scratch::open(parent.path()).unwrap();
        assert!(!parent.path().join("dead").exists());
        assert!(!parent.path().join("dead.lock").exists());
        assert!(living.folder.join("0").exists());

        drop((living, second));
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }
}
