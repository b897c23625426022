//! Telling the living from the dead.
//!
//! A session is one broker handle that consumes. It has a row, named by the messages that are out with it, and a file that it
//! keeps locked. The operating system drops the lock when the process ends, at a `kill -9` too, and not before: no heartbeat
//! that a busy or suspended process could miss, and no wait for one to run out.
//!
//! **A row in `sessions` always names a locked file, or a dead session.** The file is made and locked before the row is written;
//! [the reaper](super::reaper) locks it, takes the row away, and removes the file last. Who dies between the first two leaves a
//! stray file, which the next session's start removes.
//!
//! Should somebody delete the lock of a living session by hand, its deliveries are given to others as well (allowed:
//! at least once), and [`Session::mend`] puts the lock back.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use foreshow_engine::Queue;
use foreshow_sqlite::{
    Database, DatabaseError,
    rusqlite::{Connection, Transaction},
};

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionError {
    #[error(
        "cannot make or lock a file in {}: check that the folder belongs to this user, that its disk has space, and that it is a local disk",
        dir.display()
    )]
    Lock { dir: PathBuf, source: io::Error },
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error("the runtime is shutting down")]
    Stopping,
}

/// This handle's own session.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) number: i64,
    name: String,
    path: PathBuf,
    lock: Mutex<File>,
}

impl Session {
    pub(super) async fn open(db: &Database, dir: &Path) -> Result<Self, SessionError> {
        let folder = dir.to_owned();
        let (name, lock) = tokio::task::spawn_blocking(move || {
            std::fs::create_dir_all(&folder)
                .and_then(|()| lock_new(&folder))
                .map_err(|source| SessionError::Lock {
                    dir: folder,
                    source,
                })
        })
        .await
        .map_err(|_| SessionError::Stopping)??;
        let path = lock_path(dir, &name);
        let row = name.clone();
        let number = db
            .write(move |tx| -> Result<i64, DatabaseError> {
                tx.execute("INSERT INTO sessions (name) VALUES (?1)", [row])?;
                Ok(tx.last_insert_rowid())
            })
            .await?;
        Ok(Self {
            number,
            name,
            path,
            lock: Mutex::new(lock),
        })
    }

    /// In the transaction of a claim: the row that makes the claim's deliveries findable must be there.
    pub(super) fn ensure_row(&self, tx: &Transaction<'_>) -> Result<(), DatabaseError> {
        tx.prepare_cached("INSERT OR IGNORE INTO sessions (session, name) VALUES (?1, ?2)")?
            .execute((self.number, &self.name))?;
        Ok(())
    }

    /// Puts the lock back if somebody deleted its file. Blocking.
    pub(super) fn mend(&self) -> io::Result<()> {
        if self.path.exists() {
            return Ok(());
        }
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&self.path)?;
        file.try_lock()?;
        *self.lock.lock().unwrap_or_else(PoisonError::into_inner) = file;
        Ok(())
    }
}

pub(super) fn lock_path(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}.lock"))
}

/// Makes a file that nobody has and locks it, before anybody knows its name.
///
/// A cleaner of stray files may see it between the two steps. It removes only what it has locked itself, so either our lock
/// fails or our name is gone: then another name is tried.
fn lock_new(dir: &Path) -> io::Result<(String, File)> {
    loop {
        let name = format!("{:032x}", fastrand::u128(..));
        let path = lock_path(dir, &name);
        let file = match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(error),
        };
        match file.try_lock() {
            Ok(()) if path.exists() => return Ok((name, file)),
            Ok(()) | Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

/// What a look at another session's file tells.
pub(super) enum Probe {
    Alive,
    /// Nobody holds the lock; now we do, if the file is there, for as long as this lives.
    Dead(Option<File>),
}

/// Tries to take the lock of a session. Blocking, but never waits.
pub(super) fn probe(path: &Path) -> io::Result<Probe> {
    let file = match OpenOptions::new().write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Probe::Dead(None)),
        Err(error) => return Err(error),
    };
    match file.try_lock() {
        Ok(()) => Ok(Probe::Dead(Some(file))),
        Err(TryLockError::WouldBlock) => Ok(Probe::Alive),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// The names of the sessions that have a consumer of the queue, dead ones among them.
pub(super) fn consuming(
    connection: &Connection,
    queue: Queue,
) -> Result<Vec<String>, DatabaseError> {
    let mut names = connection.prepare_cached(
        "SELECT DISTINCT name FROM sessions JOIN consumers USING (session) WHERE queue = ?1",
    )?;
    let rows = names.query_map([queue.name()], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Whether somebody holds the lock, asked without getting into a reaper's way for long. What can't be told counts as alive.
pub(super) fn is_alive(path: &Path) -> bool {
    match OpenOptions::new().write(true).open(path) {
        Ok(file) => file.try_lock_shared().is_err(),
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}
