//! How much is in a queue.

use foreshow_engine::Queue;
use foreshow_sqlite::{DatabaseError, rusqlite::Connection};

/// The messages of one queue, by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Waiting for a consumer.
    pub ready: u64,
    /// Waiting for their time.
    pub delayed: u64,
    /// With a consumer, not yet acknowledged.
    pub out: u64,
}

impl Depth {
    /// All of them.
    pub fn total(self) -> u64 {
        self.ready + self.delayed + self.out
    }
}

pub(super) fn of(connection: &Connection, queue: Queue) -> Result<Depth, DatabaseError> {
    Ok(connection
        .prepare_cached(
            "SELECT count(*) FILTER (WHERE session IS NULL AND due_at IS NULL),
                 count(*) FILTER (WHERE due_at IS NOT NULL), count(*) FILTER (WHERE session IS NOT NULL)
             FROM messages WHERE queue = ?1",
        )?
        .query_row([queue.name()], |row| {
            let count = |column| Ok::<_, foreshow_sqlite::rusqlite::Error>(row.get::<_, i64>(column)?.unsigned_abs());
            Ok(Depth { ready: count(0)?, delayed: count(1)?, out: count(2)? })
        })?)
}
