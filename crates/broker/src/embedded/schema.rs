//! The tables.
//!
//! A message is two rows. Its *payload* is written once and never touched again; its *message* row is small, so that
//! claiming, giving back and delaying a delivery of 8 MiB rewrites a hundred bytes. A message row is in one of three states:
//!
//! | state | `session` | `due_at` |
//! | --- | --- | --- |
//! | ready | null | null |
//! | delayed | null | when it becomes ready |
//! | out with a consumer | whose, with `consumer` and `tag` | null |
//!
//! Ready messages are in order of (`position`, `id`): when it was published, or became due. Ready is a state and not a
//! comparison with the clock: where the clock steps back, what was published before is still delivered.
//!
//! A payload is accepted once, and its message again with each new life (`accepted_at` of the message and of the dead
//! letter; null in the first one). A dead letter that somebody looks at has the `session` and the `walk`.

use foreshow_sqlite::{Database, DatabaseError};

const STEPS: &[&str] = &["
CREATE TABLE payloads (
    id INTEGER PRIMARY KEY,
    routing_key TEXT NOT NULL,
    content_type TEXT,
    headers TEXT NOT NULL,
    body BLOB NOT NULL,
    accepted_at INTEGER NOT NULL
) STRICT;

CREATE TABLE messages (
    id INTEGER PRIMARY KEY,
    queue TEXT NOT NULL,
    position INTEGER NOT NULL,
    due_at INTEGER,
    attempt INTEGER NOT NULL,
    history TEXT NOT NULL,
    redelivered INTEGER NOT NULL DEFAULT 0,
    session INTEGER,
    consumer INTEGER,
    tag INTEGER
) STRICT;
CREATE INDEX messages_ready ON messages (queue, position, id) WHERE session IS NULL AND due_at IS NULL;
CREATE INDEX messages_delayed ON messages (queue, due_at) WHERE due_at IS NOT NULL;
CREATE UNIQUE INDEX messages_out ON messages (session, consumer, tag) WHERE session IS NOT NULL;

CREATE TABLE dead_letters (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    payload INTEGER NOT NULL UNIQUE,
    queue TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    history TEXT NOT NULL,
    code TEXT NOT NULL,
    reason TEXT NOT NULL,
    died_at INTEGER NOT NULL
) STRICT;

CREATE TABLE results (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,
    routing_key TEXT NOT NULL,
    tenant TEXT,
    context TEXT,
    outcome TEXT NOT NULL,
    body BLOB NOT NULL,
    at INTEGER NOT NULL
) STRICT;

CREATE TABLE sessions (
    session INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE consumers (
    session INTEGER NOT NULL,
    consumer INTEGER NOT NULL,
    queue TEXT NOT NULL,
    PRIMARY KEY (session, consumer)
) STRICT, WITHOUT ROWID;
", "
ALTER TABLE payloads ADD COLUMN message_type TEXT;
", "
ALTER TABLE messages ADD COLUMN replay INTEGER NOT NULL DEFAULT 0;
ALTER TABLE messages ADD COLUMN accepted_at INTEGER;
ALTER TABLE dead_letters ADD COLUMN replay INTEGER NOT NULL DEFAULT 0;
ALTER TABLE dead_letters ADD COLUMN accepted_at INTEGER;
ALTER TABLE dead_letters ADD COLUMN session INTEGER;
ALTER TABLE dead_letters ADD COLUMN walk INTEGER;
CREATE INDEX dead_letters_held ON dead_letters (session, walk) WHERE session IS NOT NULL;
"];

pub(super) async fn apply(db: &Database) -> Result<(), DatabaseError> {
    db.migrate("broker", STEPS).await
}

/// A number of ours as SQLite has it. All of them count up from 1, so none comes near the end; a foreign one that is
/// beyond it names nothing.
pub(super) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
