//! What the holder of a lease does to the record. Each step looks first whether the lease is still held.

use std::time::Duration;

use foreshow_contract::{DeploymentId, Ordinal, Revision, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Cancels, ContextRecord, LeaseId, Live, RecordedDeployment};
use crate::{Settlement, mutants::mutant, outcome::Outcome};

/// The answer to writing down a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recording {
    /// Written.
    Recorded,
    /// An end at or above this revision was accepted, or something newer is live: stop, and settle as superseded by it.
    Ended(Ordinal),
    /// The sweeper is about to delete this deployment: look again.
    Condemned,
    /// The lease is lost.
    Lost,
}

/// The answer to going live.
pub type GoLive = Recording;

/// Why a lease is given back with nothing decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GiveBack {
    /// Somebody else goes on; what runs at the provider runs on.
    HandedOver,
    /// Its event comes back then.
    Deferred {
        /// Not before.
        until: Timestamp,
        /// What it waits for, for people.
        why: String,
    },
}

/// What an event waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Waits {
    /// Which event.
    pub ordinal: Ordinal,
    /// Since when.
    pub since: Timestamp,
    /// Until when, or a little later.
    pub until: Timestamp,
    /// What for, for people.
    pub why: String,
}

impl ContextRecord {
    /// Whether this is the lease that holds the context now. One that ran out is lost, also where nobody took over:
    /// the sweeper may have acted on its absence.
    pub fn is_held_by(&self, lease: &LeaseId, now: Timestamp) -> bool {
        if mutant!(FenceUnchecked) {
            return true;
        }
        self.fence == lease.fence
            && self
                .lease
                .as_ref()
                .is_some_and(|held| held.owner == lease.owner && held.until > now)
    }

    /// Prolongs the lease; `false` where it is lost.
    #[must_use]
    pub fn renew(&mut self, lease: &LeaseId, ttl: Duration, now: Timestamp) -> bool {
        if !self.is_held_by(lease, now) {
            return false;
        }
        let until = now.saturating_add(ttl);
        if let Some(held) = &mut self.lease {
            held.until = held.until.max(until);
        }
        true
    }

    fn check(&self, lease: &LeaseId, deployment: &DeploymentId, now: Timestamp) -> Recording {
        let revision = lease.ordinal.revision;
        if !self.is_held_by(lease, now) {
            Recording::Lost
        } else if self.is_ended(revision) || self.is_shown_newer(revision) {
            Recording::Ended(self.desired)
        } else if self.condemned.contains(deployment) {
            Recording::Condemned
        } else {
            Recording::Recorded
        }
    }

    /// Whether something newer is live: learnt from a provider's tags, after this revision was let in.
    fn is_shown_newer(&self, revision: Revision) -> bool {
        self.live
            .as_ref()
            .is_some_and(|live| live.revision > revision && self.desired.revision > revision)
    }

    /// Writes down the deployment that works on the lease's revision.
    pub fn record_deployment(
        &mut self,
        lease: &LeaseId,
        deployment: &RecordedDeployment,
        now: Timestamp,
    ) -> Recording {
        let answer = self.check(lease, &deployment.deployment, now);
        if answer == Recording::Recorded {
            self.building = Some(deployment.clone());
            self.unproven = false;
        }
        answer
    }

    /// Writes down what goes live, and renews the lease.
    ///
    /// From here on the live deployment is this one for everybody, the sweeper included, though no alias shows it yet. So
    /// it gets its expiry here too: however the event ends, what is live can expire.
    pub fn go_live(
        &mut self,
        lease: &LeaseId,
        live: &Live,
        expires_at: Timestamp,
        ttl: Duration,
        now: Timestamp,
    ) -> GoLive {
        let answer = self.check(lease, &live.deployment, now);
        if answer == Recording::Recorded {
            if !mutant!(LiveUnrecorded) {
                self.live = Some(live.clone());
            }
            self.building = None;
            self.unproven = false;
            self.adopted.remove(&live.deployment);
            self.expire(expires_at, now);
            let renewed = self.renew(lease, ttl, now);
            debug_assert!(renewed, "the lease was checked above");
        }
        answer
    }

    /// Ends the lease's event; `false` where the lease is lost, or there is no reset to end. The caller records the outcome in the same step.
    #[must_use]
    pub fn settle(&mut self, lease: &LeaseId, settlement: &Settlement, now: Timestamp) -> bool {
        if !self.is_held_by(lease, now) {
            return false;
        }
        if let Outcome::Reset { .. } = settlement.outcome {
            return self.forget(lease, now);
        }
        self.lease = None;
        self.building = None;
        match &settlement.outcome {
            Outcome::Ready(_) => {
                // A touch since it went live has prolonged it.
                if let Some(at) = settlement
                    .expires_at
                    .filter(|at| self.expires_at < Some(*at))
                {
                    self.expire(at, now);
                }
                if let Some(built_ms) = settlement.built_ms {
                    // A quarter of what is new: one odd build moves it, and a lasting change takes it along.
                    self.build_ms = Some(self.build_ms.map_or(built_ms, |mean| {
                        mean.saturating_mul(3).saturating_add(built_ms) / 4
                    }));
                }
                self.catch_up(lease, now);
            }
            Outcome::Removed { .. } => {
                self.live = None;
                self.expires_at = None;
                self.ttl_seconds = None;
                self.condemned.clear();
                self.adopted.clear();
                let ended = lease.ordinal.revision;
                self.expiring = self.expiring.filter(|expiring| expiring.end > ended);
                self.catch_up(lease, now);
                if mutant!(TombstoneDropped) {
                    self.forget_end();
                }
            }
            Outcome::Failed { .. } | Outcome::Reset { .. } => self.catch_up(lease, now),
            Outcome::Superseded { .. } => {
                if settlement.cancelled.is_some() {
                    let in_a_row = self.cancels.map_or(0, |cancels| cancels.in_a_row);
                    self.cancels = Some(Cancels {
                        in_a_row: in_a_row.saturating_add(1),
                        last_at: now,
                    });
                }
            }
        }
        true
    }

    /// A build came to its end: what was cancelled before it counts no more, and the context is as fresh as can be.
    fn catch_up(&mut self, lease: &LeaseId, now: Timestamp) {
        self.cancels = None;
        self.stale_since = (self.desired > lease.ordinal).then_some(now);
    }

    fn forget_end(&mut self) {
        self.floor = None;
        self.desired = Ordinal::update(Revision::try_new(0).expect("0 is a revision"));
        self.desired_digest.clear();
    }

    pub(super) fn expire(&mut self, at: Timestamp, now: Timestamp) {
        self.expires_at = Some(at);
        // Up to the whole second: a moment has passed since it was reckoned.
        let ttl = at
            .saturating_since(now)
            .saturating_add(Duration::from_millis(999));
        self.ttl_seconds = Some(ttl.as_secs().max(1));
    }

    /// Gives the lease back, nothing decided; `false` where it is lost already, and left alone.
    pub fn release(&mut self, lease: &LeaseId, back: &GiveBack, now: Timestamp) -> bool {
        let is_mine = self.fence == lease.fence
            && self
                .lease
                .as_ref()
                .is_some_and(|held| held.owner == lease.owner);
        if !is_mine && !mutant!(ReleaseWithoutOwner) {
            return false;
        }
        self.lease = None;
        if let GiveBack::Deferred { until, why } = back {
            self.waits = Some(Waits {
                ordinal: lease.ordinal,
                since: now,
                until: *until,
                why: why.clone(),
            });
        }
        true
    }
}
