//! What happened last, for people: the newest [`KEPT`] entries.

use foreshow_contract::{ContextKey, Ordinal, Timestamp};
use foreshow_engine::{Happening, HistoryEntry};
use foreshow_sqlite::rusqlite::Connection;

use super::{
    error::{StepError, to_integer, to_revision},
    schema::{kind_number, kind_of},
};

/// Entries kept.
const KEPT: i64 = 10_000;

/// How many are added between two removals of what is beyond [`KEPT`].
const PRUNE_EVERY: i64 = 256;

pub(super) fn append(connection: &Connection, entry: &HistoryEntry) -> Result<(), StepError> {
    let by = entry.by.as_ref();
    connection
        .prepare_cached(
            "INSERT INTO history (at, tenant, context, revision, kind, outcome, detail, worker, held_since)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute((
            entry.at.as_micros(),
            entry.key.tenant.as_str(),
            entry.key.context.as_str(),
            to_integer(entry.ordinal.revision),
            kind_number(entry.ordinal.kind),
            entry.what.word(),
            &entry.detail,
            by.map(|(worker, _)| worker.as_str()),
            by.map(|(_, since)| since.as_micros()),
        ))?;
    let seq = connection.last_insert_rowid();
    if seq % PRUNE_EVERY == 0 {
        connection
            .prepare_cached("DELETE FROM history WHERE seq <= ?1")?
            .execute([seq - KEPT])?;
    }
    Ok(())
}

/// Newest first.
pub(super) fn newest(
    connection: &Connection,
    key: Option<&ContextKey>,
    limit: u32,
) -> Result<Vec<HistoryEntry>, StepError> {
    // Two statements: with `?1 IS NULL OR …` the index of one context would go unused.
    let mut entries = connection.prepare_cached(match key {
        Some(_) => {
            "SELECT at, tenant, context, revision, kind, outcome, detail, worker, held_since FROM history
             WHERE tenant = ?2 AND context = ?3 ORDER BY seq DESC LIMIT ?1"
        }
        None => {
            "SELECT at, tenant, context, revision, kind, outcome, detail, worker, held_since FROM history
             WHERE ?2 IS NULL AND ?3 IS NULL ORDER BY seq DESC LIMIT ?1"
        }
    })?;
    let mut rows = entries.query((
        limit,
        key.map(|key| key.tenant.as_str()),
        key.map(|key| key.context.as_str()),
    ))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let word: String = row.get(5)?;
        let Some(what) = Happening::from_word(&word) else {
            // Of a newer version, in which more can happen.
            continue;
        };
        let worker: Option<String> = row.get(7)?;
        let since: Option<i64> = row.get(8)?;
        found.push(HistoryEntry {
            at: Timestamp::from_micros(row.get(0)?),
            key: ContextKey::try_new(&row.get::<_, String>(1)?, &row.get::<_, String>(2)?)?,
            ordinal: Ordinal {
                revision: to_revision(row.get(3)?)?,
                kind: kind_of(row.get(4)?),
            },
            what,
            detail: row.get(6)?,
            by: worker.zip(since.map(Timestamp::from_micros)),
        });
    }
    Ok(found)
}
