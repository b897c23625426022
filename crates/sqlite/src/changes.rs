//! Telling that the file changed.
//!
//! A [`Changes`] remembers up to which commit its owner has been told. The writer's thread counts commits up: its own right
//! after each commit that changed something, those of other processes when it finds SQLite's `data_version` moved. That
//! number, asked on the writer's own connection, moves for commits by *others* only, so no commit is told twice.
//!
//! No wake-up is lost: the count only grows and is compared, not delivered, and the last seen `data_version` is never
//! reset, so that a commit by another process made before anybody watched is at worst told once too often.

use crate::Database;

/// A watcher made by [`Database::changes`]. Cheap to clone; a clone has been told what its original had been told.
///
/// Make it *before* reading the state it watches over:
///
/// ```no_run
/// # async fn example(db: foreshow_sqlite::Database) {
/// let mut changes = db.changes();
/// loop {
///     // read what there is to do …
///     changes.changed().await;
/// }
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Changes {
    commits: tokio::sync::watch::Receiver<u64>,
    /// Keeps the writer's thread, and so the poll, alive.
    _database: Database,
}

impl Changes {
    pub(crate) fn new(commits: tokio::sync::watch::Receiver<u64>, database: Database) -> Self {
        Self {
            commits,
            _database: database,
        }
    }

    /// Waits until something was committed after the last call returned (or, the first time, after this watcher was made).
    /// Many commits may be told at once, and now and then one that changed nothing of interest: read again and decide.
    ///
    /// Cancel safe: a dropped call forgets nothing.
    pub async fn changed(&mut self) {
        if self.commits.changed().await.is_err() {
            // The sender lives as long as `_database`, so this is never reached; and nothing will change any more.
            std::future::pending::<()>().await;
        }
    }
}
