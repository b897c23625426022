//! Files of a moment, in a folder that several processes may share: what is being received, what was decompressed.
//!
//! Such a file has a name that is never asked for and goes when its owner drops it. A process that is killed leaves it
//! behind: the next one to open the folder removes what has long not been written to and nobody holds. Whoever made a file
//! holds a lock on it for as long as it has it open, and the system releases that with the process: so a file that is read
//! for days, long after the last write, is not taken for a dead one's. Where a file system knows no locks, age decides.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use foreshow_contract::Timestamp;
use tempfile::{NamedTempFile, TempPath};

const PREFIX: &str = ".receiving-";

/// Nothing that isn't held takes as long: a transfer without progress is cut off within minutes, and a build ends within hours.
const ABANDONED_AFTER: Duration = Duration::from_hours(24);

/// Makes the folder where it is missing, and removes what dead processes left. Answers how many files that were. Blocking.
///
/// # Errors
/// What the file system answers where the folder can't be made or read. What can't be removed now stays for the next time.
pub fn open(folder: &Path) -> io::Result<usize> {
    fs::create_dir_all(folder)?;
    remove_abandoned(folder, Timestamp::now().saturating_sub(ABANDONED_AFTER))
}

/// Makes a file in a folder that is there. For its owner's eyes alone, and locked while it is open. Blocking.
///
/// # Errors
/// What the file system answers.
pub fn create(folder: &Path) -> io::Result<NamedTempFile> {
    let made = tempfile::Builder::new()
        .prefix(PREFIX)
        .tempfile_in(folder)?;
    match made.as_file().try_lock() {
        // Nobody else has had the time to want it; and without locks it is as safe as its youth makes it.
        Ok(()) | Err(TryLockError::WouldBlock | TryLockError::Error(_)) => Ok(made),
    }
}

/// Gives a file of the same folder a second name, which goes when it is dropped: whoever takes the first one away meanwhile
/// takes nothing from its reader. Blocking.
///
/// # Errors
/// What the file system answers: `NotFound` where there is no such file, others where it has no hard links.
pub fn link(folder: &Path, file: &Path) -> io::Result<TempPath> {
    let linked = tempfile::Builder::new()
        .prefix(PREFIX)
        .make_in(folder, |name| fs::hard_link(file, name))?;
    Ok(linked.into_temp_path())
}

/// Whether a file of this name is one of ours.
pub(crate) fn is_named(name: &str) -> bool {
    name.starts_with(PREFIX)
}

/// Whether a living process holds the file.
pub(crate) fn is_held(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

fn remove_abandoned(folder: &Path, before: Timestamp) -> io::Result<usize> {
    let before = UNIX_EPOCH + Duration::from_micros(before.as_micros().max(0).unsigned_abs());
    let mut removed = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let is_ours = entry.file_name().to_str().is_some_and(is_named);
        // Whatever can't be looked at or removed may be gone already, and it can wait.
        if is_ours
            && modified(&entry).is_some_and(|at| at < before)
            && !is_held(&entry.path())
            && fs::remove_file(entry.path()).is_ok()
        {
            removed += 1;
        }
    }
    Ok(removed)
}

fn modified(entry: &fs::DirEntry) -> Option<SystemTime> {
    entry.metadata().and_then(|found| found.modified()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_dead_process_left_long_ago_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let old = UNIX_EPOCH + Duration::from_secs(1000);
        let at_work = create(folder.path()).unwrap();
        let read_for_days = create(folder.path()).unwrap();
        read_for_days.as_file().set_modified(old).unwrap();
        for name in [".receiving-dead", "sha256-kept.tar"] {
            let file = File::create(folder.path().join(name)).unwrap();
            file.set_modified(old).unwrap();
        }
        assert_eq!(open(folder.path()).unwrap(), 1);
        assert!(at_work.path().is_file());
        assert!(read_for_days.path().is_file());
        assert!(folder.path().join("sha256-kept.tar").is_file());
        assert!(!folder.path().join(".receiving-dead").exists());
    }

    #[test]
    #[cfg(unix)]
    fn a_second_name_keeps_the_file_for_its_reader() {
        let folder = tempfile::tempdir().unwrap();
        let kept = folder.path().join("kept");
        assert_eq!(
            link(folder.path(), &kept).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
        fs::write(&kept, "site").unwrap();
        let linked = link(folder.path(), &kept).unwrap();
        fs::remove_file(&kept).unwrap();
        assert_eq!(fs::read(&linked).unwrap(), b"site");
        drop(linked);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_that_is_missing_is_made() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("a/b");
        assert_eq!(open(&folder).unwrap(), 0);
        let made = create(&folder).unwrap();
        let path = made.path().to_owned();
        drop(made);
        assert!(!path.exists());
    }
}
