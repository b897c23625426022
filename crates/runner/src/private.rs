//! Folders for this user alone: previews are other people's work, and a preview's address is its only key.
//!
//! The folder around ours may be open to everybody, so each of ours is closed by itself. One that is there already keeps
//! its mode: whoever opened it meant to.

use std::fs::DirBuilder;
use std::io;
use std::path::Path;

/// Makes the folder and those around it that are missing; one that is there is fine.
pub(crate) fn create_folders(path: &Path) -> io::Result<()> {
    create(DirBuilder::new().recursive(true), path)
}

/// Makes the folder.
///
/// # Errors
/// Also where it is there already.
pub(crate) fn create_folder(path: &Path) -> io::Result<()> {
    create(&mut DirBuilder::new(), path)
}

fn create(builder: &mut DirBuilder, path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(builder, 0o700);
    builder.create(path)
}
