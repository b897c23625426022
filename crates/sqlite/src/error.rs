//! What can go wrong with the file, said so that the reader knows what to do.
//!
//! Closures use `?` on [`rusqlite::Error`], which knows no file name. The thread that runs a closure therefore notes whose
//! file it works on ([`on_file`]), and the conversion reads that note.

use std::any::Any;
use std::cell::RefCell;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::ErrorCode;

/// Why a database operation failed. `Clone`, because one failed commit is the answer to many writes.
///
/// An error from [`Database::write`](crate::Database::write) means *not acknowledged*: after [`Io`](Self::Io) or
/// [`Full`](Self::Full) at the commit itself a crash in the same moment can still leave the whole write behind. Writers that
/// may be repeated are safe in every case.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The folder for the file is missing and can't be made.
    #[error("cannot create the folder {}: choose a data folder that this user may write to", folder.display())]
    Folder {
        folder: Arc<Path>,
        source: Arc<io::Error>,
    },
    /// The file can't be opened for writing, or turned out to be read-only.
    #[error(
        "cannot write to {}: check that the file, its -wal and -shm neighbours and their folder belong to this user and that \
         the mount is not read-only, or choose another data folder",
        file.display()
    )]
    NotWritable {
        file: Arc<Path>,
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// No space left for the write. Nothing was stored.
    #[error("the disk that holds {} is full: free some space, then try again", file.display())]
    Full {
        file: Arc<Path>,
        source: Arc<rusqlite::Error>,
    },
    /// Another process held a lock for too long. Nothing was stored. `waited` is the time since the write was queued, and
    /// zero for a read, where SQLite did the waiting.
    #[error(
        "{} stayed locked by another process: if it goes on, look for a process that hangs while it writes to the file \
         (`fuser` names them)",
        file.display()
    )]
    Busy {
        file: Arc<Path>,
        waited: Duration,
        source: Arc<rusqlite::Error>,
    },
    /// The file exists but is something else.
    #[error("{} is not a database: move the file away, or choose another data folder", file.display())]
    NotADatabase {
        file: Arc<Path>,
        source: Arc<rusqlite::Error>,
    },
    /// The file is damaged.
    #[error(
        "{} is damaged: stop every process that uses it, keep a copy, and rescue what is left with `sqlite3 FILE .recover`, or \
         start with a new file",
        file.display()
    )]
    Corrupt {
        file: Arc<Path>,
        source: Arc<rusqlite::Error>,
    },
    /// The file system can't share memory between processes, which the write-ahead log needs.
    #[error(
        "{} cannot be shared by several processes on this file system (journal mode stayed {mode:?}): network mounts can't, so \
         choose a data folder on a local disk",
        file.display()
    )]
    NotShareable { file: Arc<Path>, mode: String },
    /// A newer program has already changed the file's tables.
    #[error(
        "{} was written by a newer version of this program ({component} has schema {found}, this program knows {known}): \
         upgrade this program, or choose another data folder",
        file.display()
    )]
    NewerSchema {
        file: Arc<Path>,
        component: &'static str,
        found: i64,
        known: i64,
    },
    /// The operating system failed to read or write.
    #[error("the disk failed while {} was read or written: check for a full disk, a limit on file sizes (`ulimit -f`), and I/O errors in the system's log", file.display())]
    Io {
        file: Arc<Path>,
        source: Arc<rusqlite::Error>,
    },
    /// The operating system gave us no thread to write on.
    #[error("cannot start a thread for {}: raise this user's limit on processes (`ulimit -u`)", file.display())]
    Thread {
        file: Arc<Path>,
        source: Arc<io::Error>,
    },
    /// Another write of the same batch broke the shared transaction. Nothing was stored; trying again is right.
    #[error(
        "a write to {} was undone, because the transaction that it shared with others was rolled back: try again",
        file.display()
    )]
    Undone { file: Arc<Path> },
    /// The caller's closure panicked; what it did was undone.
    #[error("a query on {} panicked: {message}", file.display())]
    Panicked { file: Arc<Path>, message: String },
    /// The database was closed while the call was under way, for instance because the runtime is shutting down.
    #[error("{} is already closed", file.display())]
    Closed { file: Arc<Path> },
    /// The statement itself failed: bad SQL, a violated constraint, an unexpected type.
    #[error("a query on {} failed", file.display())]
    Query {
        file: Arc<Path>,
        source: Arc<rusqlite::Error>,
    },
}

impl DatabaseError {
    /// Sorts an error of SQLite by its code; a message's text is never looked at.
    pub(crate) fn from_sqlite(file: &Arc<Path>, error: rusqlite::Error) -> Self {
        let file = Arc::clone(file);
        let code = error.sqlite_error_code();
        let source = Arc::new(error);
        match code {
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                Self::NotWritable { file, source }
            }
            Some(ErrorCode::DiskFull) => Self::Full { file, source },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy {
                file,
                waited: Duration::ZERO,
                source,
            },
            Some(ErrorCode::NotADatabase) => Self::NotADatabase { file, source },
            Some(ErrorCode::DatabaseCorrupt) => Self::Corrupt { file, source },
            Some(ErrorCode::SystemIoFailure) => Self::Io { file, source },
            _ => Self::Query { file, source },
        }
    }

    /// Notes how long the caller waited, where the error is about waiting.
    pub(crate) fn after_waiting(self, waited: Duration) -> Self {
        match self {
            Self::Busy { file, source, .. } => Self::Busy {
                file,
                waited,
                source,
            },
            other => other,
        }
    }

    pub(crate) fn panicked(file: &Arc<Path>, payload: &(dyn Any + Send)) -> Self {
        let message = payload
            .downcast_ref::<&str>()
            .map(ToString::to_string)
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".to_owned());
        Self::Panicked {
            file: Arc::clone(file),
            message,
        }
    }
}

/// For `?` in closures. Outside a closure of this crate the file is not known and is called "a database".
impl From<rusqlite::Error> for DatabaseError {
    fn from(error: rusqlite::Error) -> Self {
        Self::from_sqlite(&current_file(), error)
    }
}

thread_local! {
    static CURRENT_FILE: RefCell<Option<Arc<Path>>> = const { RefCell::new(None) };
}

pub(crate) fn current_file() -> Arc<Path> {
    CURRENT_FILE
        .with_borrow(Clone::clone)
        .unwrap_or_else(|| Arc::from(Path::new("a database")))
}

/// Runs `work` with this thread's errors attributed to `file`.
pub(crate) fn on_file<R>(file: &Arc<Path>, work: impl FnOnce() -> R) -> R {
    /// Restores the note also when `work` panics: a pool's threads serve more than one file.
    struct Restore(Option<Arc<Path>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            CURRENT_FILE.set(self.0.take());
        }
    }
    let _restore = Restore(CURRENT_FILE.replace(Some(Arc::clone(file))));
    work()
}
