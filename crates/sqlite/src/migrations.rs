//! Bringing a component's tables up to date, when it starts.
//!
//! The table `schema_versions` holds one number per component: how many of its steps have run. All missing steps run in one
//! write, so a crash leaves the old version or the new one, and of several processes that start at once, the first one
//! migrates while the others wait for its lock and then find nothing to do. Steps are never edited once released, only
//! added. A file that is ahead of us belongs to a newer program and is left alone.

use std::sync::Arc;

use rusqlite::{OptionalExtension, Transaction};

use crate::DatabaseError;
use crate::error::current_file;

const VERSIONS: &str = "CREATE TABLE IF NOT EXISTS schema_versions (
    component TEXT PRIMARY KEY,
    version INTEGER NOT NULL
) STRICT, WITHOUT ROWID";

pub(crate) fn migrate(
    tx: &Transaction<'_>,
    component: &'static str,
    steps: &[Arc<str>],
) -> Result<(), DatabaseError> {
    tx.execute_batch(VERSIONS)?;
    let found: i64 = tx
        .query_row(
            "SELECT version FROM schema_versions WHERE component = ?1",
            [component],
            |row| row.get(0),
        )
        .optional()?
        .unwrap_or(0);
    let known = i64::try_from(steps.len()).unwrap_or(i64::MAX);
    if found > known {
        return Err(DatabaseError::NewerSchema {
            file: current_file(),
            component,
            found,
            known,
        });
    }
    if found == known {
        return Ok(());
    }
    for step in steps.iter().skip(usize::try_from(found).unwrap_or(0)) {
        tx.execute_batch(step)?;
    }
    tx.execute(
        "INSERT INTO schema_versions (component, version) VALUES (?1, ?2)
         ON CONFLICT (component) DO UPDATE SET version = excluded.version",
        (component, known),
    )?;
    Ok(())
}
