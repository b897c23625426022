//! What providers have, compared with what the store knows: the way back after a crash, a late answer or a lost memory.
//!
//! One worker at a time does it, by a lease in the store; that two do is harmless, for every decision is one atomic step on one
//! record. Three tasks:
//!
//! - **Rebuild.** A store that is new, or was wiped, does not [remember](crate::Store::remembers). Each context that providers
//!   have deployments of is [seeded](crate::ContextRecord::seed); then the store remembers, unless the rebuild's own nonce is
//!   gone, which a second wipe took along. Until then whoever is granted an unknown context looks it up for itself.
//! - **Sweep.** A deployment that its context's record does not name is [judged](crate::ContextRecord::judge): left alone while
//!   its event may still come, or condemned in the record and only then deleted. An alias that shows something older than what
//!   is live is moved forward. What the record has as live, and is gone, is dropped from the record.
//!
//! - **Expire.** A preview whose retention is over is [asked to go](retention::Expiries), by an event that a worker carries out.
//!
//! A dry run is the same walk with nothing written ([`report`]).
//!
//! What it sees on the way is [counted](audit), as gauges to alert on.
//!
//! Dying half-way leaves nothing undone for good: the next sweep sees the same again.

mod audit;
mod inventory;
mod mend;
mod rebuild;
mod report;
mod retention;

use std::{error::Error, time::Duration};

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

pub(crate) use self::audit::AGES;
pub use self::audit::Audit;
pub use self::report::{Case, Finding, Report, Scope, Swept};
use self::{
    audit::Auditor,
    inventory::Inventoried,
    report::{Manner, Walk},
    retention::Expiries,
};
pub(crate) use self::{inventory::Listed, rebuild::seed};
use crate::{BrokerError, ProviderError, StoreError, observe, record::Owner, worker::Engine};

/// How often it is looked who sweeps, and whether the store remembers.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How long the one who sweeps may be silent until another takes over.
const LEADS_FOR: Duration = Duration::from_mins(1);

/// Sweeps, while it is this worker's turn.
pub(crate) struct Sweeper {
    engine: Engine,
    shutdown: CancellationToken,
    owner: Owner,
}

/// Why a sweep stopped. The next one sees the same again.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// A provider did not answer.
    #[error("the provider {} did not do its part; its credentials and its status page may tell why", .0.provider)]
    Provider(#[from] ProviderError),
    /// The store did not answer.
    #[error("the store did not answer")]
    Store(#[from] StoreError),
    /// The broker did not take what was to be told.
    #[error("the broker did not take an event")]
    Broker(#[from] BrokerError),
    /// The store was wiped once more while it was rebuilt, or another rebuild came between.
    #[error(
        "the store lost its memory again while it was rebuilt; the rebuild begins anew by itself"
    )]
    WipedAgain,
}

impl Sweeper {
    pub(crate) fn new(engine: Engine, shutdown: CancellationToken) -> Self {
        let owner = engine.new_owner();
        Self {
            engine,
            shutdown,
            owner,
        }
    }

    /// Sweeps until shutdown, which cuts a sweep off.
    pub(crate) async fn run(self) {
        let shutdown = self.shutdown.clone();
        tokio::select! {
            biased;
            () = shutdown.cancelled() => {}
            () = self.keep_sweeping() => {}
        }
    }

    async fn keep_sweeping(&self) {
        let every = Duration::from_secs(self.engine.options().sweep.every_seconds);
        let mut next_at = Instant::now() + self.jittered(every);
        let mut lists_from = Instant::now();
        let look_every = LOOK_EVERY.min(every);
        let mut failed = 0_u32;
        let mut expiries = Expiries::default();
        let mut auditor = Auditor::new();
        loop {
            let now = Instant::now();
            let may_list = now >= lists_from;
            match self
                .turn((&mut expiries, &mut auditor), may_list, now >= next_at)
                .await
            {
                Ok(swept) => {
                    if swept {
                        next_at = Instant::now() + self.jittered(every);
                    }
                    if may_list {
                        failed = 0;
                    }
                }
                Err(error) => {
                    if failed == 0 {
                        warn!(
                            error = &error as &dyn Error,
                            "not swept: {error}; it is tried again"
                        );
                    } else {
                        debug!(error = &error as &dyn Error, "not swept: {error}");
                    }
                    // Each try lists everything at every provider: not again and again because one is away. Leading, and telling
                    // what has expired, go on.
                    let wait = look_every.saturating_mul(1 << failed.min(6)).min(every);
                    lists_from = Instant::now() + self.jittered(wait);
                    failed += 1;
                }
            }
            sleep(self.jittered(look_every)).await;
        }
    }

    /// Does what is due, where it is this worker's turn; whether it swept. `may_list` is whether providers may be asked for all
    /// that they have.
    async fn turn(
        &self,
        (expiries, auditor): (&mut Expiries, &mut Auditor),
        may_list: bool,
        is_due: bool,
    ) -> Result<bool, SweepError> {
        let store = self.engine.store();
        match store.lead_sweep(&self.owner, LEADS_FOR).await {
            Ok(true) => auditor.leads(),
            Ok(false) => {
                *expiries = Expiries::default();
                auditor.resigns();
                return Ok(false);
            }
            Err(error) => {
                auditor.does_not_know();
                return Err(error.into());
            }
        }
        auditor.look(&self.engine).await;
        let mut walk = Walk::new(&self.engine, Manner::Sweep, Scope::default());
        let expired = expiries.tell(&mut walk).await;
        if !may_list {
            return expired.map(|()| false);
        }
        if !store.remembers().await? {
            let contexts = rebuild::run(&mut walk).await?;
            if contexts > 0 {
                info!("the store knows again what the providers have: {contexts} contexts");
            }
        }
        if !is_due {
            return expired.map(|()| false);
        }
        sweep(&mut walk).await;
        if let Some((audit, contexts)) = walk.counted {
            auditor.counted(&audit, contexts);
        }
        observe::found(&walk.report.swept);
        if walk.report.troubles.is_empty() {
            observe::completed(self.engine.now());
        }
        let Swept {
            deleted,
            aliases_moved,
            mended,
            seeded,
            ..
        } = walk.report.into_swept()?;
        if deleted + aliases_moved + mended + seeded > 0 {
            info!(
                "swept: {deleted} deployments deleted, {aliases_moved} aliases moved, {mended} records mended, \
                 {seeded} contexts found"
            );
        }
        expired.map(|()| true)
    }

    fn jittered(&self, span: Duration) -> Duration {
        span.mul_f64(0.75 + self.engine.with_rng(fastrand::Rng::f64) / 2.0)
    }
}

/// Compares everything once. What could not be looked at is among the report's troubles.
async fn sweep(walk: &mut Walk<'_>) {
    let mut inventoried = Inventoried::of(walk.engine, &walk.scope).await;
    for (key, listed) in &inventoried.contexts {
        walk.report.swept.seen += listed.len() as u64;
        // One deployment that cannot be deleted is not to keep all others from being looked at.
        if let Err(error) = mend::context(walk, key, listed).await {
            walk.trouble(Some(key), error);
        }
    }
    let gone = mend::what_is_gone(walk, &inventoried).await;
    for error in inventoried.away.drain(..) {
        walk.trouble(None, error.into());
    }
    if let Err(error) = gone {
        walk.trouble(None, error);
    }
    if walk.carries_out() {
        observe::swept(&walk.report.swept);
    }
}

impl Engine {
    /// Compares once what providers have with what the store knows, rebuilding first where the store does not remember, and
    /// asks workers to remove every preview whose retention is over.
    ///
    /// # Errors
    /// Where the store, the broker, or a provider, does not answer. What was done until then stays done.
    pub async fn sweep(&self) -> Result<Swept, SweepError> {
        self.walk(Manner::Sweep, Scope::default())
            .await?
            .into_swept()
    }

    /// The same, and tells what was found and done, also where not everybody answered.
    ///
    /// # Errors
    /// Where nothing could be compared: the store does not answer, or could not be rebuilt.
    pub async fn sweep_and_tell(&self) -> Result<Report, SweepError> {
        self.walk(Manner::SweepAndTell, Scope::default()).await
    }

    /// Tells what a [sweep](Self::sweep) of these contexts would find and do now, and does nothing of it.
    ///
    /// # Errors
    /// Where nothing could be compared: the store does not answer.
    pub async fn foresee_sweep(&self, scope: Scope) -> Result<Report, SweepError> {
        self.walk(Manner::DryRun, scope).await
    }

    async fn walk(&self, manner: Manner, scope: Scope) -> Result<Report, SweepError> {
        let mut walk = Walk::new(self, manner, scope);
        walk.report.is_forgetful = !self.store().remembers().await?;
        if walk.report.is_forgetful && walk.carries_out() {
            rebuild::run(&mut walk).await?;
        }
        let expired = Expiries::default().tell_all(&mut walk).await;
        sweep(&mut walk).await;
        if let Err(error) = expired {
            walk.trouble(None, error);
        }
        Ok(walk.report)
    }
}
