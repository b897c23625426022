//! A temporary folder that goes even where its owner was killed: with the next one that is made.
//!
//! Its owner holds a lock on a file in it. Whoever makes a new folder removes those whose lock nobody holds; the system
//! lets go of a dead process's locks, however it died.

use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use crate::random_word;

/// How old a folder without a lock file must be: a younger one may be just being made.
const BEING_MADE: Duration = Duration::from_mins(10);

/// A folder that is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    pub(crate) fn new() -> Result<Self> {
        let user = rustix::process::getuid().as_raw();
        Self::in_parent(&env::temp_dir().join(format!("foreshow-servers-{user}")))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn in_parent(parent: &Path) -> Result<Self> {
        let what = || format!("cannot make a temporary folder in {}", parent.display());
        fs::create_dir_all(parent).with_context(what)?;
        sweep(parent);
        for _ in 0..10 {
            let path = parent.join(random_word());
            fs::create_dir(&path).with_context(what)?;
            let lock = File::create(path.join("lock")).with_context(what)?;
            // Somebody who sweeps may have got it in between; that folder goes, and we take another.
            if lock.try_lock().is_ok() {
                return Ok(Self { path, _lock: lock });
            }
        }
        bail!("{}: somebody else locks every new folder", what())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.path).ok();
    }
}

/// Removes what the dead have left.
fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let left = match File::open(entry.path().join("lock")) {
            Ok(lock) => lock.try_lock().is_ok(),
            Err(_) => entry.metadata().is_ok_and(|found| {
                let age = found.modified().ok().and_then(|at| at.elapsed().ok());
                age.is_some_and(|age| age > BEING_MADE)
            }),
        };
        if left {
            fs::remove_dir_all(entry.path()).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_dead_have_left_goes_with_the_next_folder_and_what_is_used_stays() {
        let parent = tempfile::tempdir().unwrap();
        let used = Folder::in_parent(parent.path()).unwrap();
        let left = parent.path().join("left");
        fs::create_dir(&left).unwrap();
        fs::write(left.join("lock"), "").unwrap();
        let young = parent.path().join("young");
        fs::create_dir(&young).unwrap();

        let next = Folder::in_parent(parent.path()).unwrap();
        assert!(!left.exists());
        assert!(young.exists() && used.path().exists() && next.path().exists());
        let path = next.path().to_owned();
        drop(next);
        assert!(!path.exists());
    }
}
