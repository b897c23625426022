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
//! Dying half-way leaves nothing undone for good: the next sweep sees the same again.

mod inventory;
mod mend;
mod rebuild;
mod retention;

use std::{error::Error, time::Duration};

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use self::{inventory::Inventoried, retention::Expiries};
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

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Deployments that were seen.
    pub seen: u64,
    /// Contexts that the store did not know, and knows now.
    pub seeded: u64,
    /// Deployments that nobody can want any more, deleted.
    pub deleted: u64,
    /// Aliases that were moved forward.
    pub aliases_moved: u64,
    /// Records whose live deployment is gone.
    pub mended: u64,
    /// Previews whose retention is over, and that workers were asked to remove.
    pub expired: u64,
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
        loop {
            let now = Instant::now();
            let may_list = now >= lists_from;
            match self.turn(&mut expiries, may_list, now >= next_at).await {
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
        expiries: &mut Expiries,
        may_list: bool,
        is_due: bool,
    ) -> Result<bool, SweepError> {
        let store = self.engine.store();
        if !store.lead_sweep(&self.owner, LEADS_FOR).await? {
            *expiries = Expiries::default();
            return Ok(false);
        }
        let expired = expiries.tell(&self.engine).await;
        if !may_list {
            return expired.map(|_| false);
        }
        if !store.remembers().await? {
            let contexts = rebuild::run(&self.engine).await?;
            if contexts > 0 {
                info!("the store knows again what the providers have: {contexts} contexts");
            }
        }
        if !is_due {
            return expired.map(|_| false);
        }
        let swept = sweep(&self.engine).await?;
        let Swept {
            deleted,
            aliases_moved,
            mended,
            seeded,
            ..
        } = swept;
        if deleted + aliases_moved + mended + seeded > 0 {
            info!(
                "swept: {deleted} deployments deleted, {aliases_moved} aliases moved, {mended} records mended, \
                 {seeded} contexts found"
            );
        }
        expired.map(|_| true)
    }

    fn jittered(&self, span: Duration) -> Duration {
        span.mul_f64(0.75 + self.engine.with_rng(fastrand::Rng::f64) / 2.0)
    }
}

/// Compares everything once.
///
/// # Errors
/// Where the store, or a provider, does not answer. What could be looked at without it was.
pub(crate) async fn sweep(engine: &Engine) -> Result<Swept, SweepError> {
    let mut swept = Swept::default();
    let mut inventoried = Inventoried::of(engine).await;
    let mut first = None;
    for (key, listed) in &inventoried.contexts {
        swept.seen += listed.len() as u64;
        // One deployment that cannot be deleted is not to keep all others from being looked at.
        if let Err(error) = mend::context(engine, key, listed, &mut swept).await {
            debug!(context.id = %key, error = &error as &dyn Error, "not swept");
            first = first.or(Some(error));
        }
    }
    let gone = mend::what_is_gone(engine, &inventoried, &mut swept).await;
    observe::swept(&swept);
    if first.is_none() {
        first = inventoried.away.pop().map(SweepError::from);
    }
    match first {
        Some(error) => Err(error),
        None => gone.map(|()| swept),
    }
}

impl Engine {
    /// Compares once what providers have with what the store knows, rebuilding first where the store does not remember, and
    /// asks workers to remove every preview whose retention is over.
    ///
    /// # Errors
    /// Where the store, the broker, or a provider, does not answer. What was done until then stays done.
    pub async fn sweep(&self) -> Result<Swept, SweepError> {
        if !self.store().remembers().await? {
            rebuild::run(self).await?;
        }
        let expired = Expiries::default().tell_all(self).await;
        let swept = sweep(self).await?;
        Ok(Swept {
            expired: expired?,
            ..swept
        })
    }
}
