//! The file before SQLite sees it: where it is, and who may read it.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::DatabaseError;

/// Makes `path` absolute and the file exist, empty if it is new. Safe to run by several processes at once.
///
/// Absolute, because readers open the file much later and the working folder may have changed by then. Readable by its owner
/// alone, because queued events can hold secrets; SQLite gives the -wal and -shm files the same mode.
pub(crate) fn ensure_file(path: &Path) -> Result<Arc<Path>, DatabaseError> {
    let folder_error = |folder: &Path, source: io::Error| DatabaseError::Folder {
        folder: Arc::from(folder),
        source: Arc::new(source),
    };
    let file: Arc<Path> = std::path::absolute(path)
        .map_err(|error| folder_error(path, error))?
        .into();
    let folder = file.parent().unwrap_or(&file);
    fs::create_dir_all(folder).map_err(|error| folder_error(folder, error))?;

    let mut create = OpenOptions::new();
    create.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut create, 0o600);
    match create.open(&file) {
        Ok(_) => sync_folder(folder),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
    .map_err(|error| DatabaseError::NotWritable {
        file: Arc::clone(&file),
        source: Arc::new(error),
    })?;
    Ok(file)
}

/// Makes the new file's name durable; SQLite does so for its log, but not for a file that it did not create.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}
