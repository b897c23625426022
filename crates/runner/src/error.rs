//! What can go wrong with the previews' folder, said so that the reader knows what to do.

use std::io;
use std::path::{Path, PathBuf};

use foreshow_contract::{HostLabel, Sha256};
use foreshow_sqlite::DatabaseError;

/// A [`PreviewHost`](crate::PreviewHost) did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum PreviewError {
    /// The index did not do its part; its own message says what to do.
    #[error(transparent)]
    Index(DatabaseError),
    /// No space left for a file, or a limit on file sizes or disk use was hit. What was written so far is removed.
    #[error("no space left to write {}: free some space on that disk (or raise the limit on files), then try again", path.display())]
    Full {
        /// The file.
        path: PathBuf,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
    /// The folder may not be written to.
    #[error("cannot write to {}: make it writable for this user (is the mount read-only?), or choose another data folder", path.display())]
    NotWritable {
        /// The file or folder.
        path: PathBuf,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
    /// Any other trouble with a file in the folder.
    #[error("could not {operation} {}: check the disk and the system's log, then try again", path.display())]
    Io {
        /// What was tried, e.g. `write`.
        operation: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
    /// The files to deploy could not be read any more: their bundle was removed or altered meanwhile.
    #[error(
        "the content of {file} could not be read from its bundle, which changed or went away: publish it again"
    )]
    Source {
        /// The file's path within the site.
        file: String,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
    /// The index has a blob that the folder lacks: somebody deleted files by hand.
    #[error(
        "the blob {sha256} of a live preview is missing from the folder: publish that context again"
    )]
    BlobMissing {
        /// Which blob.
        sha256: Sha256,
    },
    /// Another deployment already has the label. Labels are derived from context and revision, so the folder belongs
    /// to another installation key, or two contexts were given one label.
    #[error(
        "the label {label} already names another deployment: use the installation key that made this folder, or another data folder"
    )]
    LabelTaken {
        /// The label.
        label: HostLabel,
    },
    /// The index holds something that this program never writes.
    #[error(
        "the index of previews holds an unreadable {what}: delete the previews' folder; contexts are deployed again with their next event"
    )]
    Unreadable {
        /// Which column.
        what: &'static str,
    },
    /// The task that did the work panicked or was stopped with its runtime.
    #[error("the work on a preview was stopped half-way: try again")]
    Interrupted,
}

impl PreviewError {
    /// Sorts an error of the file system.
    pub(crate) fn on(operation: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_path_buf();
        match source.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Self::Full { path, source },
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::NotWritable { path, source }
            }
            _ => Self::Io {
                operation,
                path,
                source,
            },
        }
    }
}

impl PreviewError {
    /// What happened, for a tenant: without a place on this machine and without the operator's remedy. Both are in
    /// `Display`, which is for the log.
    pub fn public_message(&self) -> String {
        match self {
            Self::Index(error) => match error {
                DatabaseError::Folder { .. } | DatabaseError::NotWritable { .. } => {
                    NOT_WRITABLE.to_owned()
                }
                DatabaseError::Full { .. } => FULL.to_owned(),
                DatabaseError::Io { .. } => FAILED.to_owned(),
                DatabaseError::Busy { .. } => "the index of previews stayed locked".to_owned(),
                DatabaseError::NotADatabase { .. } | DatabaseError::Corrupt { .. } => {
                    "the index of previews is damaged".to_owned()
                }
                DatabaseError::NotShareable { .. } | DatabaseError::NewerSchema { .. } => {
                    "the index of previews cannot be used".to_owned()
                }
                DatabaseError::Thread { .. }
                | DatabaseError::Undone { .. }
                | DatabaseError::Panicked { .. }
                | DatabaseError::Closed { .. }
                | DatabaseError::Query { .. } => "the index of previews did not answer".to_owned(),
            },
            Self::Full { .. } => FULL.to_owned(),
            Self::NotWritable { .. } => NOT_WRITABLE.to_owned(),
            Self::Io { .. } => FAILED.to_owned(),
            // These tell of the tenant's own files and labels alone.
            Self::Source { .. } | Self::BlobMissing { .. } | Self::Interrupted => self.to_string(),
            Self::LabelTaken { label } => {
                format!("the label {label} already names another deployment")
            }
            Self::Unreadable { what } => {
                format!("the index of previews holds an unreadable {what}")
            }
        }
    }
}

const FULL: &str = "no space left on the disk that holds previews";
const NOT_WRITABLE: &str = "the folder that holds previews cannot be written to";
const FAILED: &str = "the disk that holds previews failed";

impl From<DatabaseError> for PreviewError {
    fn from(error: DatabaseError) -> Self {
        Self::Index(error)
    }
}

/// For `?` in the index's closures.
impl From<rusqlite::Error> for PreviewError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Index(error.into())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_and_a_read_only_one_say_what_to_do() {
        // ENOSPC, EDQUOT and EFBIG ; then EACCES and EROFS.
        for code in [28, 122, 27] {
            let error = PreviewError::on(
                "write",
                "/data/x".as_ref(),
                io::Error::from_raw_os_error(code),
            );
            assert!(matches!(error, PreviewError::Full { .. }), "{error}");
            assert!(error.to_string().contains("free some space"), "{error}");
        }
        for code in [13, 30] {
            let error = PreviewError::on(
                "write",
                "/data/x".as_ref(),
                io::Error::from_raw_os_error(code),
            );
            assert!(matches!(error, PreviewError::NotWritable { .. }), "{error}");
            assert!(error.to_string().contains("/data/x"), "{error}");
        }
    }

    #[test]
    fn a_tenant_learns_what_happened_and_not_where() {
        let on = |code| {
            let source = io::Error::from_raw_os_error(code);
            PreviewError::on("write", "/data/x".as_ref(), source).public_message()
        };
        assert_eq!(on(28), "no space left on the disk that holds previews");
        assert_eq!(
            on(13),
            "the folder that holds previews cannot be written to"
        );
        assert_eq!(on(5), "the disk that holds previews failed");
        let file: std::sync::Arc<Path> = Path::new("/data/index.db").into();
        let closed = PreviewError::Index(DatabaseError::Closed { file });
        assert!(closed.to_string().contains("/data/index.db"), "{closed}");
        assert_eq!(
            closed.public_message(),
            "the index of previews did not answer"
        );
    }
}
