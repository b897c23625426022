//! One SQLite file shared by tasks and processes: a group-committing writer and a pool of readers.
//!
//! What it keeps true:
//!
//! - **Acknowledged is durable.** [`Database::write`] answers `Ok` only after the commit that holds the write was synced to
//!   disk. Kill the process at any instant: what was answered is there, what was not answered is there whole or not at all.
//! - **One writer per process.** Writes run one after another on a thread of their own, many of them in one transaction,
//!   so a hundred waiting tasks share one sync. Between processes SQLite's own lock decides.
//! - **Readers never wait for writers** (WAL), and each [`Database::read`] sees one instant of the file.
//! - **No lost wake-ups.** [`Changes`] tells of every commit, by this process at once, by another within a poll.
//!
//! ```no_run
//! # async fn example() -> Result<(), foreshow_sqlite::DatabaseError> {
//! use foreshow_sqlite::{Database, DatabaseError, Options};
//!
//! let db = Database::open("jobs.db".as_ref(), Options::default()).await?;
//! db.migrate("jobs", &["CREATE TABLE jobs (id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT"]).await?;
//! let id = db
//!     .write(|tx| -> Result<i64, DatabaseError> {
//!         tx.prepare_cached("INSERT INTO jobs (name) VALUES (?1)")?.execute(["sweep"])?;
//!         Ok(tx.last_insert_rowid())
//!     })
//!     .await?;
//! # let _ = id;
//! # Ok(())
//! # }
//! ```

mod batch;
mod changes;
mod connection;
mod database;
mod error;
mod file;
mod job;
mod migrations;
mod options;
mod readers;
mod stats;
mod writer;

pub use changes::Changes;
pub use database::{Checkpoint, Database};
pub use error::DatabaseError;
pub use options::Options;
pub use rusqlite;
pub use stats::Stats;
