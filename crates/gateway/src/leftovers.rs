//! Files that are being received, in a folder that several processes may share.
//!
//! Such a file has a name that is never asked for and goes when its process drops it. A process that is killed leaves it
//! behind: the next one to open the folder removes what has long not been written to.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use foreshow_contract::Timestamp;
use tempfile::NamedTempFile;

const PREFIX: &str = ".receiving-";

/// Nothing takes as long: a transfer without progress is cut off within minutes, and a build ends within hours.
const ABANDONED_AFTER: Duration = Duration::from_hours(24);

/// Makes the folder where it is missing, and removes what dead processes left. Answers how many files that were. Blocking.
pub(crate) fn open(folder: &Path) -> io::Result<usize> {
    fs::create_dir_all(folder)?;
    remove_abandoned(folder, Timestamp::now().saturating_sub(ABANDONED_AFTER))
}

/// Makes a file for what will be received. For its owner's eyes alone. Blocking.
pub(crate) fn create(folder: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix(PREFIX).tempfile_in(folder)
}

fn remove_abandoned(folder: &Path, before: Timestamp) -> io::Result<usize> {
    let before =
        std::time::UNIX_EPOCH + Duration::from_micros(before.as_micros().max(0).unsigned_abs());
    let mut removed = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let is_ours = entry
            .file_name()
            .to_str()
            .is_some_and(|name| name.starts_with(PREFIX));
        // Whatever can't be looked at or removed may be gone already, and it can wait.
        let is_old = || entry.metadata().and_then(|found| found.modified());
        if is_ours && is_old().is_ok_and(|at| at < before) && fs::remove_file(entry.path()).is_ok()
        {
            removed += 1;
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_dead_process_left_long_ago_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let at_work = create(folder.path()).unwrap();
        let old = std::time::UNIX_EPOCH + Duration::from_secs(1000);
        for name in [".receiving-dead", "sha256-kept.tar"] {
            let file = fs::File::create(folder.path().join(name)).unwrap();
            file.set_modified(old).unwrap();
        }
        assert_eq!(open(folder.path()).unwrap(), 1);
        assert!(at_work.path().is_file());
        assert!(folder.path().join("sha256-kept.tar").is_file());
        assert!(!folder.path().join(".receiving-dead").exists());
    }
}
