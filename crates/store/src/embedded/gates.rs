//! The gates of providers' accounts: a row each, and a row for each entry that counts against a limit.
//!
//! An entry or a report that changes nothing writes nothing. Entries whose time is over are removed by the next one under a
//! limit, in the same transaction. A gate that is closed for a reason of which only a newer version knows counts as open, as
//! one does that was lost: it costs one refused call.

use std::collections::BTreeMap;

use foreshow_contract::Timestamp;
use foreshow_engine::{AccountId, Closed, Gate, GateAnswer, GateEntry, GateId, GateReport, Lane};
use foreshow_sqlite::rusqlite::{self, Connection, OptionalExtension, Row};

use super::error::StepError;

/// All gates, without their entries.
pub(super) fn all(connection: &Connection) -> Result<BTreeMap<GateId, Gate>, StepError> {
    let mut gates = connection.prepare_cached(
        "SELECT closed_until, closed_why, failures, closings, trial_until, account, lane FROM gates",
    )?;
    let mut rows = gates.query([])?;
    let mut found = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let account: String = row.get(5)?;
        if let Some(lane) = Lane::from_word(&row.get::<_, String>(6)?) {
            let account = AccountId::new(account);
            found.insert(GateId { account, lane }, gate_of(row)?);
        }
    }
    Ok(found)
}

pub(super) fn enter(
    connection: &Connection,
    id: &GateId,
    entry: &GateEntry,
    now: Timestamp,
) -> Result<GateAnswer, StepError> {
    let found = load(connection, id)?;
    let before = found.clone().unwrap_or_default();
    let mut gate = before.clone();
    if entry.limit.is_some() {
        gate.entries = entries(connection, id)?;
    }
    let answer = gate.enter(entry, now);
    let entries = std::mem::take(&mut gate.entries);
    if entry.limit.is_some() {
        save_entries(connection, id, entry, &entries)?;
    }
    // It is listed from its first entry under a limit on, also where it was never closed.
    if gate != before || (found.is_none() && !entries.is_empty()) {
        save(connection, id, &gate)?;
    }
    Ok(answer)
}

pub(super) fn report(
    connection: &Connection,
    id: &GateId,
    report: &GateReport,
    now: Timestamp,
) -> Result<(), StepError> {
    let before = load(connection, id)?.unwrap_or_default();
    let mut gate = before.clone();
    gate.report(report, now);
    if gate != before {
        save(connection, id, &gate)?;
    }
    Ok(())
}

fn load(connection: &Connection, id: &GateId) -> Result<Option<Gate>, StepError> {
    let found = connection
        .prepare_cached(
            "SELECT closed_until, closed_why, failures, closings, trial_until FROM gates
             WHERE account = ?1 AND lane = ?2",
        )?
        .query_row((id.account.as_str(), id.lane.word()), gate_of)
        .optional()?;
    Ok(found)
}

fn gate_of(row: &Row<'_>) -> Result<Gate, rusqlite::Error> {
    let until: Option<i64> = row.get(0)?;
    let why: Option<String> = row.get(1)?;
    let why = why.and_then(|word| Closed::from_word(&word));
    let trial_until: Option<i64> = row.get(4)?;
    Ok(Gate {
        closed: until.map(Timestamp::from_micros).zip(why),
        failures: row.get(2)?,
        closings: row.get(3)?,
        trial_until: trial_until.map(Timestamp::from_micros),
        entries: BTreeMap::new(),
    })
}

fn entries(connection: &Connection, id: &GateId) -> Result<BTreeMap<String, Timestamp>, StepError> {
    let mut entries = connection
        .prepare_cached("SELECT name, at FROM gate_entries WHERE account = ?1 AND lane = ?2")?;
    let entries = entries.query_map((id.account.as_str(), id.lane.word()), |row| {
        Ok((row.get(0)?, Timestamp::from_micros(row.get(1)?)))
    })?;
    Ok(entries.collect::<Result<_, _>>()?)
}

/// Adds what was entered, and removes those whose time is over: the ones that are older than all that are left.
fn save_entries(
    connection: &Connection,
    id: &GateId,
    entry: &GateEntry,
    left: &BTreeMap<String, Timestamp>,
) -> Result<(), StepError> {
    let (account, lane) = (id.account.as_str(), id.lane.word());
    let oldest = left.values().min().copied().unwrap_or(Timestamp::MAX);
    connection
        .prepare_cached("DELETE FROM gate_entries WHERE account = ?1 AND lane = ?2 AND at < ?3")?
        .execute((account, lane, oldest.as_micros()))?;
    if let Some(at) = left.get(&entry.name) {
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO gate_entries (account, lane, name, at) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute((account, lane, &entry.name, at.as_micros()))?;
    }
    Ok(())
}

fn save(connection: &Connection, id: &GateId, gate: &Gate) -> Result<(), StepError> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO gates (account, lane, closed_until, closed_why, failures, closings, trial_until)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute((
            id.account.as_str(),
            id.lane.word(),
            gate.closed.map(|(until, _)| until.as_micros()),
            gate.closed.map(|(_, why)| why.word()),
            gate.failures,
            gate.closings,
            gate.trial_until.map(Timestamp::as_micros),
        ))?;
    Ok(())
}
