//! The end of an event: the record, the outcome and the history in one step, under the fence.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use foreshow_contract::Revision;
use foreshow_engine::{HistoryEntry, LeaseId, Outcome, SettledOutcome, Settlement, Settling};

use super::{error::StepError, history, outcomes, steps::Step};

/// How often outcomes that are too old are looked for.
const PRUNE_EVERY: Duration = Duration::from_hours(1);

/// Ends the lease's event and remembers how.
pub(super) fn settle(
    step: &mut Step<'_>,
    lease: &LeaseId,
    settlement: Settlement,
) -> Result<Settling, StepError> {
    let Some(record) = &mut step.record else {
        return Ok(Settling::Lost);
    };
    let held = record.lease.clone();
    let expiring = record.expires_with(lease);
    if !record.settle(lease, &settlement, step.now) {
        return Ok(Settling::Lost);
    }
    let Settlement {
        mut outcome,
        kept,
        cancelled,
        expires_at: _,
        built_ms: _,
    } = settlement;
    step.concerns_waiters = true;
    match &mut outcome {
        Outcome::Ready(ready) => {
            ready.replaced = outcomes::retire_but(step.tx, step.key, &kept)?;
        }
        Outcome::Removed { expired } => {
            let gone = outcomes::retire_up_to(step.tx, step.key, lease.ordinal.revision)?;
            let told = expiring.map(|live| gone.into_iter().chain([live]).collect::<BTreeSet<_>>());
            *expired = told.into_iter().flatten().collect();
        }
        Outcome::Reset { gone } => {
            let announced = outcomes::retire_up_to(step.tx, step.key, Revision::MAX)?;
            *gone = record.reset_took(announced);
            outcomes::forget(step.tx, step.key)?;
        }
        Outcome::Failed { .. } | Outcome::Superseded { .. } => {}
    }
    // That something newer won needs no memory: an accepted order only grows. Of a reset the record tells.
    if !matches!(outcome, Outcome::Superseded { .. } | Outcome::Reset { .. }) {
        let settled = SettledOutcome {
            ordinal: lease.ordinal,
            digest: held
                .as_ref()
                .map(|held| held.digest.clone())
                .unwrap_or_default(),
            outcome: outcome.clone(),
            at: step.now,
            replay: lease.replay,
        };
        outcomes::save(step.tx, step.key, &settled)?;
    }
    let cancelled = cancelled.as_deref();
    let entry = HistoryEntry::ended(lease, &outcome, cancelled, held.as_ref(), step.now);
    history::append(step.tx, &entry)?;
    Ok(Settling::Settled { outcome })
}

/// Removes outcomes that are too old: a few at a time, now and then, along with a step that writes anyway.
pub(super) fn prune_if_due(
    step: &Step<'_>,
    prune_at: &AtomicI64,
    keep: Duration,
) -> Result<(), StepError> {
    if step.now.as_micros() < prune_at.load(Ordering::Relaxed) {
        return Ok(());
    }
    let has_more = outcomes::prune(step.tx, keep, step.now)?;
    let next = if has_more {
        step.now
    } else {
        step.now.saturating_add(PRUNE_EVERY)
    };
    prune_at.store(next.as_micros(), Ordering::Relaxed);
    Ok(())
}
