//! How connections are set up: one for the writer, a few for readers.
//!
//! Everything is kept small, since a laptop's `foreshow up` mostly idles: half a megabyte of cache per connection (the
//! operating system caches the file anyway) and no memory map (a truncated or failing file is then an error, not a SIGBUS).

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode};

use crate::DatabaseError;

/// Statements kept prepared per connection; enough for a broker and a store on one file.
const STATEMENTS: usize = 128;

/// Page cache per connection. SQLite reads a negative `cache_size` as KiB.
const CACHE: &str = "PRAGMA cache_size = -512; PRAGMA mmap_size = 0;";

/// What is left of the write-ahead log's file after it was copied back, so that one storm is not remembered for ever.
const JOURNAL_SIZE_LIMIT: &str = "PRAGMA journal_size_limit = 4194304;";

/// How often a taken lock is tried again.
///
/// SQLite's own handler backs off to 100 ms, too slow to catch the moments in which a busy writer frees the lock.
/// [`crate::writer`] stands back for longer than this after long streaks, so a waiting process gets its turn.
pub(crate) const RETRY_LOCK_EVERY: Duration = Duration::from_millis(1);

/// Opens the writer's connection and checks that the file is one that we can share and write.
pub(crate) fn open_writer(
    file: &Arc<Path>,
    busy_timeout: Duration,
) -> Result<Connection, DatabaseError> {
    let wrong = |error| DatabaseError::from_sqlite(file, error).after_waiting(busy_timeout);
    let connection = Connection::open(file).map_err(wrong)?;
    connection.busy_timeout(busy_timeout).map_err(wrong)?;
    ensure_wal(&connection, file, busy_timeout)?;
    connection
        .execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA wal_autocheckpoint = 1000;")
        .and_then(|()| connection.execute_batch(CACHE))
        .and_then(|()| connection.execute_batch(JOURNAL_SIZE_LIMIT))
        .map_err(wrong)?;
    if connection.is_readonly("main").map_err(wrong)? {
        let source = Arc::new(std::io::Error::from(std::io::ErrorKind::PermissionDenied));
        return Err(DatabaseError::NotWritable {
            file: Arc::clone(file),
            source,
        });
    }
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

/// Sets up a reader. Called on a thread that may block.
pub(crate) fn prepare_reader(
    connection: &Connection,
    busy_timeout: Duration,
) -> rusqlite::Result<()> {
    connection.busy_timeout(busy_timeout)?;
    connection.execute_batch("PRAGMA query_only = ON; PRAGMA foreign_keys = ON;")?;
    connection.execute_batch(CACHE)?;
    connection.execute_batch(JOURNAL_SIZE_LIMIT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(())
}

/// Switches the file to a write-ahead log. Several processes may start at once, and SQLite answers `BUSY` to some of them
/// at once, whatever the busy timeout (seen with eight that open a new file together), hence our own patience.
fn ensure_wal(
    connection: &Connection,
    file: &Arc<Path>,
    busy_timeout: Duration,
) -> Result<(), DatabaseError> {
    let started = Instant::now();
    loop {
        match connection
            .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0))
        {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(mode) => {
                return Err(DatabaseError::NotShareable {
                    file: Arc::clone(file),
                    mode,
                });
            }
            Err(error) if is_busy(&error) && started.elapsed() < busy_timeout => {
                pause(RETRY_LOCK_EVERY);
            }
            Err(error) => {
                return Err(
                    DatabaseError::from_sqlite(file, error).after_waiting(started.elapsed())
                );
            }
        }
    }
}

pub(crate) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    )
}

#[expect(
    clippy::disallowed_methods,
    reason = "SQLite's lock between processes can only be polled; this is the writer's own thread"
)]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}
