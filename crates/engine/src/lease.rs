//! Keeping a lease while a job works under it.
//!
//! A task of its own renews the lease, on a runtime of its own where there is one ([`Tasks`]), so neither a slow step of the
//! job nor a busy CPU can delay that. It also renews when the store's notices tell of a change, for the answer says
//! whether something newer was accepted: an obsolete build is known as such within moments, not at the next renewal. The holder trusts only its own
//! monotonic clock: it counts from just *before* the claim or renewal was sent, and stops a margin before the lease
//! could end at the store. So when somebody else is granted the context, this job's last call has long left, unless the
//! process was frozen in the middle of it; what a frozen process still writes to the store is refused by the fence.

use std::{future::Future, sync::Arc, time::Duration};

use foreshow_contract::{Ordinal, Revision};
use tokio::{
    sync::watch,
    task::AbortHandle,
    time::{Instant, sleep_until, timeout_at},
};
use tracing::{debug, warn};

use crate::{Lease, LeaseId, LeaseOptions, Renewal, Store, Tasks, Watch, mutants::mutant};

/// Renewals for the sake of news come no closer than this: a storm of updates must not become a storm of renewals.
const NEWS_APART: Duration = Duration::from_millis(200);

/// The lease was lost: by its own clock, or because the store says so. Not a failure; the delivery claims again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the lease was lost")]
pub struct LeaseLost;

#[derive(Clone, Copy, Debug)]
struct View {
    /// The holder stops then.
    stop_at: Instant,
    desired: Ordinal,
    floor: Option<Revision>,
    /// Looks at the build that were called for.
    nudges: u64,
    lost: bool,
}

/// Holds a lease and renews it. Dropping it stops the renewals and leaves the lease to run out.
#[derive(Debug)]
pub struct Keeper {
    lease: Lease,
    view: watch::Receiver<View>,
    renewals: AbortHandle,
}

impl Keeper {
    /// Keeps a lease that was asked for at `asked_at`.
    pub fn start(
        store: Arc<dyn Store>,
        tasks: &Tasks,
        lease: Lease,
        asked_at: Instant,
        desired: Ordinal,
        floor: Option<Revision>,
        options: &LeaseOptions,
    ) -> Self {
        // Taken before anything is asked, so that no change falls between this and the first renewal.
        let notices = store.watch(&lease.id().key);
        let stop_at = asked_at + options.ttl() - options.margin();
        let (sender, view) = watch::channel(View {
            stop_at,
            desired,
            floor,
            nudges: 0,
            lost: false,
        });
        let renewing = renew(store, notices, lease.id().clone(), sender, options.clone());
        let renewals = tasks.spawn_renewals(renewing);
        Self {
            lease,
            view,
            renewals,
        }
    }

    /// The lease's name.
    pub fn id(&self) -> &LeaseId {
        self.lease.id()
    }

    /// The newest event accepted, as far as the last renewal told.
    pub fn desired(&self) -> Ordinal {
        self.view.borrow().desired
    }

    /// The newest end accepted, as far as the last renewal told.
    pub fn floor(&self) -> Option<Revision> {
        self.view.borrow().floor
    }

    /// Does `work` for as long as the lease lasts.
    ///
    /// # Errors
    /// [`LeaseLost`] as soon as the lease is lost; `work` is dropped at its next await.
    pub async fn hold<T>(&self, work: impl Future<Output = T>) -> Result<T, LeaseLost> {
        let mut view = self.view.clone();
        let lost = async {
            loop {
                let View { stop_at, lost, .. } = *view.borrow_and_update();
                if mutant!(OwnClockIgnored) {
                    std::future::pending::<()>().await;
                }
                if lost || Instant::now() >= stop_at {
                    return;
                }
                tokio::select! {
                    biased;
                    () = sleep_until(stop_at) => {}
                    changed = view.changed() => if changed.is_err() {
                        // The renewing task is gone: the lease lasts as long as it was last granted.
                        return sleep_until(stop_at).await;
                    }
                }
            }
        };
        tokio::select! {
            // A lost lease wins over work that is ready too: better stop once too often.
            biased;
            () = lost => Err(LeaseLost),
            done = work => Ok(done),
        }
    }

    /// Returns when a renewal has told something new. Cancel-safe.
    pub async fn news(&self) {
        let mut view = self.view.clone();
        let (desired, floor) = (self.desired(), self.floor());
        if view
            .wait_for(|view| view.desired != desired || view.floor != floor)
            .await
            .is_err()
        {
            std::future::pending::<()>().await;
        }
    }

    /// How often something has called for a look at the build, other than news.
    pub fn nudges(&self) -> u64 {
        self.view.borrow().nudges
    }

    /// Returns when it has been called for since there were so many. Cancel-safe.
    pub async fn nudged_since(&self, nudges: u64) {
        let mut view = self.view.clone();
        if view.wait_for(|view| view.nudges != nudges).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Stops renewing and hands the lease's name out for the last steps: settling or releasing.
    pub fn finish(self) -> LeaseId {
        self.lease.id().clone()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.renewals.abort();
    }
}

async fn renew(
    store: Arc<dyn Store>,
    mut notices: Box<dyn Watch>,
    lease: LeaseId,
    view: watch::Sender<View>,
    options: LeaseOptions,
) {
    let mut next_at =
        view.borrow().stop_at + options.margin() - options.ttl() + options.renew_every();
    let mut news_at = Instant::now();
    loop {
        let is_noticed = tokio::select! {
            biased;
            () = sleep_until(next_at) => false,
            () = async {
                sleep_until(news_at).await;
                notices.changed().await;
            } => true,
        };
        news_at = Instant::now() + NEWS_APART;
        let stop_at = view.borrow().stop_at;
        let asked_at = Instant::now();
        if asked_at >= stop_at {
            view.send_modify(|view| view.lost = true);
            return;
        }
        match timeout_at(stop_at, store.renew(&lease, options.ttl())).await {
            Ok(Ok(Renewal::Renewed { desired, floor })) => {
                view.send_modify(|view| {
                    view.stop_at = asked_at + options.ttl() - options.margin();
                    // A notice without news: somebody wants the build to be looked at.
                    if is_noticed && (view.desired, view.floor) == (desired, floor) {
                        view.nudges += 1;
                    }
                    view.desired = desired;
                    view.floor = floor;
                });
                next_at = asked_at + options.renew_every();
            }
            Ok(Ok(Renewal::Lost)) => {
                debug!(context.id = %lease.key, "the lease was given to somebody else");
                view.send_modify(|view| view.lost = true);
                return;
            }
            Ok(Err(error)) => {
                warn!(context.id = %lease.key, error = &error as &dyn std::error::Error, "a lease could not be renewed; trying again");
                next_at = Instant::now() + options.renew_every() / 5;
            }
            Err(_elapsed) => next_at = stop_at,
        }
    }
}
