//! One step on one context: load its record, change it, save it if it changed, all in one write.
//!
//! The clock is read inside the write, so time runs forward in the order of the steps: one that waited long for its turn judges
//! leases by the time at which it acts, and not by the time at which it was asked.

use foreshow_contract::{ContextKey, Timestamp};
use foreshow_engine::ContextRecord;
use foreshow_sqlite::rusqlite::Transaction;

use super::{
    error::StepError,
    records::{self, Loaded},
};

/// A step under way.
pub(super) struct Step<'a> {
    pub(super) tx: &'a Transaction<'a>,
    pub(super) key: &'a ContextKey,
    pub(super) now: Timestamp,
    /// The record as it was found, to be changed in place.
    pub(super) record: Option<ContextRecord>,
    /// Set by a step whose change those who wait for the context should hear of: the lease was given back, or something
    /// newer was accepted. Not every change: if each question woke the others, they would wake each other for ever.
    pub(super) concerns_waiters: bool,
}

/// How many changes of a context have concerned its waiters, at the end of a step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Noticed {
    pub(super) notices: i64,
    /// Whether this step was one of them.
    pub(super) is_new: bool,
}

pub(super) fn run<T>(
    tx: &Transaction<'_>,
    key: &ContextKey,
    now: Timestamp,
    change: impl FnOnce(&mut Step<'_>) -> Result<T, StepError>,
) -> Result<(T, Noticed), StepError> {
    let found = records::load(tx, key)?;
    let mut step = Step {
        tx,
        key,
        now,
        record: found.as_ref().map(|found| found.record.clone()),
        concerns_waiters: false,
    };
    let answer = change(&mut step)?;
    let mut notices = found.as_ref().map_or(0, |found| found.notices);
    let is_new = step.concerns_waiters;
    notices += i64::from(is_new);
    if let Some(record) = step.record {
        let left = Loaded { record, notices };
        if found.as_ref() != Some(&left) {
            records::save(tx, key, &left)?;
        }
    }
    Ok((answer, Noticed { notices, is_new }))
}
