//! The first two promises as numbers to alert on: what was accepted and has not ended, by age; and what providers have that no
//! record names.
//!
//! The worker that leads the sweep counts, from a listing of the contexts. Each sweep makes one; between sweeps the listing is
//! repeated as long as there are at most [`FEW`], and never takes more than a fiftieth of the time: the numbers are seconds old in a small
//! installation, and as old as the last sweep in a large one. Beyond the sweep's own bound of contexts the oldest are not
//! counted. Only what reached a worker is: what still waits in a queue is the broker's to tell.
//!
//! Who leads no more tells zeros, so that sums over all workers are right; when it last completed a sweep stays.

use std::time::Duration;

use foreshow_contract::Timestamp;
use tokio::time::Instant;
use tracing::debug;

use super::LEADS_FOR;
use crate::{ContextSummary, StoreError, observe, worker::Engine};

/// Contexts that are listed between sweeps, at most.
const FEW: u32 = 10_000;

/// How often they are, at most.
const AGAIN_AFTER: Duration = Duration::from_secs(15);

/// How much longer it is until the next listing than this one took.
const REST: u32 = 50;

/// The bounds of the ages that are told apart; what is older than the last is in a class of its own.
pub(crate) const AGES: [(&str, Duration); 3] = [
    ("1m", Duration::from_mins(1)),
    ("10m", Duration::from_mins(10)),
    ("1h", Duration::from_hours(1)),
];

/// What was counted among the contexts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// Contexts whose newest accepted event has not ended: accepted up to a minute, ten minutes, an hour ago, and earlier.
    pub unended: [u64; AGES.len() + 1],
    /// How long ago the oldest of these was accepted.
    pub oldest: Duration,
    /// Deployments that the sweeper found, and that wait for their event.
    pub adopted: u64,
}

impl Audit {
    /// Counts. Of what is older than `kept` nobody would remember how it ended.
    pub(super) fn of(contexts: &[ContextSummary], kept: Duration, now: Timestamp) -> Self {
        let mut audit = Self::default();
        for ContextSummary { record, last, .. } in contexts {
            audit.adopted += record.adopted.len() as u64;
            // What was replayed counts from then.
            let since = record
                .stale_since
                .map_or(record.desired_at, |at| at.max(record.desired_at));
            let age = now.saturating_since(since);
            if record.is_unended(last.as_ref()) && age < kept {
                let class = AGES.iter().position(|(_, bound)| age <= *bound);
                audit.unended[class.unwrap_or(AGES.len())] += 1;
                audit.oldest = audit.oldest.max(age);
            }
        }
        audit
    }
}

impl Engine {
    /// Counts among the contexts that changed last, this many at most.
    ///
    /// # Errors
    /// Where the store does not answer.
    pub async fn audit(&self, contexts: u32) -> Result<Audit, StoreError> {
        Ok(self.audit_some(contexts).await?.0)
    }

    async fn audit_some(&self, contexts: u32) -> Result<(Audit, usize), StoreError> {
        let store = self.store();
        let listed = store.contexts(None, contexts).await?;
        let now = store.now().await?;
        let audit = Audit::of(&listed, store.keeps_outcomes_for(), now);
        Ok((audit, listed.len()))
    }
}

/// Counts while this worker leads the sweep.
pub(super) struct Auditor {
    next_at: Instant,
    /// Until when it leads, as far as it knows.
    leads_until: Option<Instant>,
    /// There are too many contexts to list them between sweeps.
    is_large: bool,
}

impl Auditor {
    pub(super) fn new() -> Self {
        observe::leads(false);
        Self {
            next_at: Instant::now(),
            leads_until: None,
            is_large: false,
        }
    }

    /// This worker leads, for a while from now.
    pub(super) fn leads(&mut self) {
        self.leads_until = Some(Instant::now() + LEADS_FOR);
        observe::leads(true);
    }

    /// It does not: another does.
    pub(super) fn resigns(&mut self) {
        if self.leads_until.take().is_some() {
            observe::leads(false);
            self.is_large = false;
        }
    }

    /// The store did not say who leads; it is whoever did, until that runs out.
    pub(super) fn does_not_know(&mut self) {
        if self
            .leads_until
            .is_some_and(|until| until <= Instant::now())
        {
            self.resigns();
        }
    }

    /// What a sweep counted.
    pub(super) fn counted(&mut self, audit: &Audit, contexts: usize) {
        observe::audited(audit);
        self.is_large = contexts >= FEW as usize;
        self.next_at = Instant::now() + AGAIN_AFTER;
    }

    /// Counts, where it is time.
    pub(super) async fn look(&mut self, engine: &Engine) {
        let began_at = Instant::now();
        if self.is_large || began_at < self.next_at {
            return;
        }
        match engine.audit_some(FEW).await {
            Ok((_, contexts)) if contexts >= FEW as usize => self.is_large = true,
            Ok((audit, _)) => observe::audited(&audit),
            Err(error) => debug!(error = &error as &dyn std::error::Error, "not counted"),
        }
        self.next_at = Instant::now() + AGAIN_AFTER.max(began_at.elapsed() * REST);
    }
}
