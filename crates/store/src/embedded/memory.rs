//! Whether the store has its whole memory, and who sweeps.
//!
//! A file that is new, or took the place of one that was lost, knows no context, and must not take the first event that comes
//! for the newest. So it does not remember until a rebuild from the providers' tags is done: one that was begun in this very
//! file, which its nonce tells, and that no other has overtaken.

use std::time::Duration;

use foreshow_contract::Timestamp;
use foreshow_engine::Owner;
use foreshow_sqlite::rusqlite::{Connection, OptionalExtension};

use super::error::StepError;

fn read(connection: &Connection, name: &str) -> Result<Option<String>, StepError> {
    let found = connection
        .prepare_cached("SELECT value FROM memory WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    Ok(found)
}

fn write(
    connection: &Connection,
    name: &str,
    value: &str,
    until: Option<Timestamp>,
) -> Result<(), StepError> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO memory (name, value, until) VALUES (?1, ?2, ?3)")?
        .execute((name, value, until.map(Timestamp::as_micros)))?;
    Ok(())
}

pub(super) fn remembers(connection: &Connection) -> Result<bool, StepError> {
    Ok(read(connection, "epoch")?.is_some())
}

pub(super) fn begin_rebuild(connection: &Connection, nonce: &str) -> Result<(), StepError> {
    write(connection, "nonce", nonce, None)
}

/// `false` where the nonce is gone.
pub(super) fn complete_rebuild(connection: &Connection, nonce: &str) -> Result<bool, StepError> {
    let is_there = read(connection, "nonce")?.as_deref() == Some(nonce);
    if is_there {
        write(connection, "epoch", nonce, None)?;
    }
    Ok(is_there)
}

/// `false` where somebody else sweeps.
pub(super) fn lead_sweep(
    connection: &Connection,
    owner: &Owner,
    ttl: Duration,
    now: Timestamp,
) -> Result<bool, StepError> {
    let leader: Option<(String, Option<i64>)> = connection
        .prepare_cached("SELECT value, until FROM memory WHERE name = 'sweeper'")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let owner = owner.to_string();
    let is_taken = leader.is_some_and(|(leader, until)| {
        leader != owner && until.is_some_and(|until| until > now.as_micros())
    });
    if !is_taken {
        let until = now.saturating_add(ttl);
        write(connection, "sweeper", &owner, Some(until))?;
    }
    Ok(!is_taken)
}
