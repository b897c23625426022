//! A context's record and its transitions, as pure functions.
//!
//! This is the protocol. Every adapter of the store applies these transitions to one record atomically: the embedded
//! ones call these functions inside a transaction, others are tested against them. The protocol was model-checked;
//! the rules that came out of it, and what breaks without them:
//!
//! - **An event's order decides, not its arrival** ([`ContextRecord::claim`]): (revision, kind), an end above an update.
//! - **The revision under the lease is never `Stale`**: else a duplicate of it would be told `superseded` while its
//!   build goes on to `ready`.
//! - **Ends are remembered by age**, not until their ack: an ack is never confirmed, so a copy may still come.
//! - **An end raises the floor when it is accepted**, also where a newer update came first: nothing at or below it goes
//!   live, whatever becomes of the end's own run.
//! - **What goes live is recorded before anything shows it** ([`ContextRecord::go_live`]): the alias, the removal of
//!   older deployments and the sweeper all look at this one field.
//! - **A fence is above every earlier one, also above those of a record that was wiped**: `max(previous + 1, clock)`.

use std::{fmt, sync::Arc, time::Duration};

use foreshow_contract::{
    ContextKey, DeploymentId, HostLabel, Ordinal, OrdinalKind, ProviderName, Revision, Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::{Address, Claim, Claimed, outcome::Outcome};

/// The delivery that holds a lease: random, new with every claim.
///
/// A lease belongs to a delivery, not to a worker: with one name per worker, two deliveries of the same context in one
/// worker would both hold it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Owner(Arc<str>);

impl Owner {
    /// Wraps a token that nobody else has.
    pub fn new(token: impl Into<Arc<str>>) -> Self {
        Self(token.into())
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names a lease to the store. Worth nothing once the lease is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseId {
    /// The context.
    pub key: ContextKey,
    /// The event that holds it.
    pub ordinal: Ordinal,
    /// Who holds it.
    pub owner: Owner,
    /// Higher than that of any earlier lease of the context.
    pub fence: u64,
}

/// The right to change one context. Only [`Store::claim`](crate::Store::claim) makes one.
#[derive(Debug)]
#[must_use = "an unsettled lease blocks its context until it expires"]
pub struct Lease(LeaseId);

impl Lease {
    /// For adapters of the store: the lease that a claim was granted.
    pub fn granted(id: LeaseId) -> Self {
        Self(id)
    }

    /// Its name.
    pub fn id(&self) -> &LeaseId {
        &self.0
    }
}

/// A context's record. Holds no files, no env values and no URLs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContextRecord {
    /// The label of the context's alias.
    pub alias: HostLabel,
    /// The newest accepted event.
    pub desired: Ordinal,
    /// The digest of its request.
    pub desired_digest: String,
    /// When it was accepted.
    pub desired_at: Timestamp,
    /// The highest fence given out.
    pub fence: u64,
    /// The newest accepted end: no revision at or below it goes live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor: Option<Revision>,
    /// Who works on the context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<HeldLease>,
    /// The deployment that was worked on last, under this lease or an earlier one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub building: Option<RecordedDeployment>,
    /// What is live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<Live>,
    /// Deployments about to be deleted: nobody may adopt them or let them go live.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub condemned: Vec<DeploymentId>,
    /// When the live preview expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// How long it lives from its last update or touch, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u64>,
}

/// A lease, as the record has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeldLease {
    /// Who holds it.
    pub owner: Owner,
    /// For which event.
    pub ordinal: Ordinal,
    /// The digest of its request.
    pub digest: String,
    /// Since when.
    pub since: Timestamp,
    /// When it runs out, unless renewed.
    pub until: Timestamp,
}

/// A deployment and where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordedDeployment {
    /// Who hosts it.
    pub provider: ProviderName,
    /// Its id there.
    pub deployment: DeploymentId,
}

/// What is live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Live {
    /// The newest revision that these files have.
    pub revision: Revision,
    /// Who hosts it.
    pub provider: ProviderName,
    /// The deployment.
    pub deployment: DeploymentId,
    /// Where it is reached.
    pub address: Address,
    /// The digest of its files.
    pub tree: String,
    /// The keyed digest of its settings.
    pub settings: String,
}

/// How an event ended, as it is remembered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SettledOutcome {
    /// The event.
    pub ordinal: Ordinal,
    /// The digest of its request.
    pub digest: String,
    /// Its end.
    pub outcome: Outcome,
    /// When that was settled.
    pub at: Timestamp,
}

/// The pure answer to a claim; see [`crate::Claimed`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimAnswer {
    /// The event ended before.
    Finished(SettledOutcome),
    /// Something newer was accepted.
    Stale(Ordinal),
    /// Accepted before with other content.
    Conflict,
    /// Somebody works on the context until then.
    Held(Timestamp),
    /// Granted, with this fence.
    Granted(u64),
}

impl ClaimAnswer {
    /// The store's answer: what was granted becomes a lease. `record` is the record as the claim left it.
    pub fn into_claimed(self, claim: &Claim, record: Option<ContextRecord>) -> Claimed {
        match self {
            Self::Finished(settled) => Claimed::Finished(settled),
            Self::Stale(by) => Claimed::Stale { by },
            Self::Conflict => Claimed::Conflict,
            Self::Held(until) => Claimed::Held { until },
            Self::Granted(fence) => Claimed::Granted {
                lease: Lease::granted(LeaseId {
                    key: claim.key.clone(),
                    ordinal: claim.ordinal,
                    owner: claim.owner.clone(),
                    fence,
                }),
                record: Box::new(record.expect("a granted claim has a record")),
            },
        }
    }
}

/// The answer to writing down a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recording {
    /// Written.
    Recorded,
    /// An end at or above this revision was accepted: stop, and settle as superseded by it.
    Ended(Ordinal),
    /// The sweeper is about to delete this deployment: look again.
    Condemned,
    /// The lease is lost.
    Lost,
}

/// The answer to going live.
pub type GoLive = Recording;

/// What a context looks like from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContextStatus {
    /// A preview is live.
    Live,
    /// None is, and one is on its way.
    Building,
    /// None is, and the newest event failed.
    Failed,
    /// It was ended.
    Ended,
}

impl ContextStatus {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Building => "building",
            Self::Failed => "failed",
            Self::Ended => "ended",
        }
    }
}

impl ContextRecord {
    /// Accepts an event and claims the context for it, creating the record where there is none.
    ///
    /// `prior` is how this very event (same ordinal) ended, if that is remembered.
    pub fn claim(
        record: &mut Option<Self>,
        claim: &Claim,
        prior: Option<&SettledOutcome>,
        now: Timestamp,
    ) -> ClaimAnswer {
        if let Some(settled) = prior {
            if settled.digest != claim.digest {
                return ClaimAnswer::Conflict;
            }
            return ClaimAnswer::Finished(settled.clone());
        }
        let record = record.get_or_insert_with(|| Self {
            alias: claim.alias.clone(),
            desired: claim.ordinal,
            desired_digest: claim.digest.clone(),
            desired_at: now,
            fence: 0,
            floor: None,
            lease: None,
            building: None,
            live: None,
            condemned: Vec::new(),
            expires_at: None,
            ttl_seconds: None,
        });
        let held = record.lease.clone().filter(|lease| lease.until > now);

        if claim.ordinal.kind == OrdinalKind::End {
            record.floor = record.floor.max(Some(claim.ordinal.revision));
        }
        if claim.ordinal > record.desired {
            record.desired = claim.ordinal;
            record.desired_digest.clone_from(&claim.digest);
            record.desired_at = now;
        }
        if claim.ordinal < record.desired {
            return match held {
                Some(lease) if lease.ordinal == claim.ordinal && lease.digest != claim.digest => {
                    ClaimAnswer::Conflict
                }
                Some(lease) if lease.ordinal == claim.ordinal => ClaimAnswer::Held(lease.until),
                _ => ClaimAnswer::Stale(record.desired),
            };
        }
        if record.desired_digest != claim.digest {
            return ClaimAnswer::Conflict;
        }
        let until = now.saturating_add(claim.ttl);
        if let Some(lease) = held {
            if lease.owner != claim.owner {
                return ClaimAnswer::Held(lease.until);
            }
            // Granted before, and the answer was lost on its way: the holder counts from this question.
            record.lease = Some(HeldLease {
                until: lease.until.max(until),
                ..lease
            });
            return ClaimAnswer::Granted(record.fence);
        }
        record.fence = record.next_fence(now);
        record.lease = Some(HeldLease {
            owner: claim.owner.clone(),
            ordinal: claim.ordinal,
            digest: claim.digest.clone(),
            since: now,
            until,
        });
        ClaimAnswer::Granted(record.fence)
    }

    /// Above every earlier fence, also above those of a record that was lost: the store's clock had passed them.
    fn next_fence(&self, now: Timestamp) -> u64 {
        (self.fence + 1).max(u64::try_from(now.as_micros()).unwrap_or(0))
    }

    /// Whether this is the lease that holds the context now. One that ran out is lost, also where nobody took over:
    /// the sweeper may have acted on its absence.
    pub fn is_held_by(&self, lease: &LeaseId, now: Timestamp) -> bool {
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

    /// Whether the floor has reached this revision.
    pub fn is_ended(&self, revision: Revision) -> bool {
        self.floor.is_some_and(|floor| revision <= floor)
    }

    fn check(&self, lease: &LeaseId, deployment: &DeploymentId, now: Timestamp) -> Recording {
        if !self.is_held_by(lease, now) {
            Recording::Lost
        } else if self.is_ended(lease.ordinal.revision) {
            Recording::Ended(self.desired)
        } else if self.condemned.contains(deployment) {
            Recording::Condemned
        } else {
            Recording::Recorded
        }
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
            self.live = Some(live.clone());
            self.building = None;
            self.expire(expires_at, now);
            let renewed = self.renew(lease, ttl, now);
            debug_assert!(renewed, "the lease was checked above");
        }
        answer
    }

    /// Ends the lease's event; `false` where the lease is lost. The caller records the outcome in the same step.
    #[must_use]
    pub fn settle(
        &mut self,
        lease: &LeaseId,
        outcome: &Outcome,
        expires_at: Option<Timestamp>,
        now: Timestamp,
    ) -> bool {
        if !self.is_held_by(lease, now) {
            return false;
        }
        self.lease = None;
        self.building = None;
        match outcome {
            Outcome::Ready(_) => {
                if let Some(at) = expires_at.filter(|at| self.expires_at != Some(*at)) {
                    self.expire(at, now);
                }
            }
            Outcome::Removed => {
                self.live = None;
                self.expires_at = None;
                self.ttl_seconds = None;
                self.condemned.clear();
            }
            Outcome::Failed { .. } | Outcome::Superseded { .. } => {}
        }
        true
    }

    fn expire(&mut self, at: Timestamp, now: Timestamp) {
        self.expires_at = Some(at);
        // Up to the whole second: a moment has passed since it was reckoned.
        let ttl = at
            .saturating_since(now)
            .saturating_add(Duration::from_millis(999));
        self.ttl_seconds = Some(ttl.as_secs().max(1));
    }

    /// Gives the lease back, nothing decided. One that is lost is left alone.
    pub fn release(&mut self, lease: &LeaseId) {
        if self.fence == lease.fence
            && self
                .lease
                .as_ref()
                .is_some_and(|held| held.owner == lease.owner)
        {
            self.lease = None;
        }
    }

    /// Prolongs a live preview's retention; the new expiry, or `None` where nothing is live.
    pub fn touch(&mut self, ttl: Option<Duration>, now: Timestamp) -> Option<Timestamp> {
        let expires_at = self.expires_at?;
        let ttl = ttl.or_else(|| self.ttl_seconds.map(Duration::from_secs))?;
        let prolonged = expires_at.max(now.saturating_add(ttl));
        self.ttl_seconds = Some(ttl.as_secs().max(1));
        self.expires_at = Some(prolonged);
        Some(prolonged)
    }

    /// What the context looks like from outside. `last` is how its newest accepted event ended, where it has.
    pub fn status(&self, last: Option<&SettledOutcome>) -> ContextStatus {
        if self
            .live
            .as_ref()
            .is_some_and(|live| !self.is_ended(live.revision))
        {
            return ContextStatus::Live;
        }
        match last.map(|settled| &settled.outcome) {
            Some(Outcome::Failed { .. }) => ContextStatus::Failed,
            Some(Outcome::Removed) => ContextStatus::Ended,
            Some(Outcome::Ready(_) | Outcome::Superseded { .. }) | None => {
                match self.desired.kind {
                    OrdinalKind::Update => ContextStatus::Building,
                    OrdinalKind::End => ContextStatus::Ended,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
