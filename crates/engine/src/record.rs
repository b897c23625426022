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
//! - **A record that was made by a claim is unproven** ([`ContextRecord::unproven`]) until its holder has written under the
//!   fence: where the store may have lost its memory, the holder asks the providers first what they know of the context,
//!   and merges that in ([`ContextRecord::seed`]), so that a late old revision cannot pass for the newest.
//! - **Nothing is deleted that somebody may want** ([`ContextRecord::judge`]): what the sweeper deletes is condemned first,
//!   in the step that checks that nobody can want it; recording an id and going live refuse a condemned one.
//!
//! | room | transitions |
//! | --- | --- |
//! | `claim` | accepting an event, and granting the lease |
//! | `held` | what the lease's holder does |
//! | `memory` | what a look at the providers tells: seeding, mending |
//! | `judgement` | what becomes of deployments that the record does not name |
//! | `retention` | previews that expire, contexts that are reset |

mod claim;
mod held;
mod judgement;
mod memory;
mod retention;

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use foreshow_contract::{
    ContextKey, DeploymentId, HostLabel, Ordinal, OrdinalKind, ProviderName, Revision, Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::{Address, Claim, Claimed, outcome::Outcome};

pub use self::{
    claim::Remembered,
    held::{GiveBack, GoLive, Recording, Waits},
    judgement::{GoesBecause, Judgement, KnownAs, StaysAs},
    memory::{Seed, Suspect, Verdict},
    retention::{Expiring, Reset, Resetting},
};

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

    /// A delivery of a worker's: the worker's name, a slash, and what no other delivery has.
    ///
    /// A name is cut to 42 bytes, so that a store may count on at most 64 in all.
    pub fn of_worker(worker: &str, nonce: u64) -> Self {
        let end = worker.floor_char_boundary(42);
        Self(format!("{}/{nonce:016x}", &worker[..end]).into())
    }

    /// The worker's name; all of it where it has none.
    pub fn worker(&self) -> &str {
        self.0
            .rsplit_once('/')
            .map_or(&self.0, |(worker, _)| worker)
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
    /// Which life of the event it is for: how often that was replayed from the dead letters.
    pub replay: u32,
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
    /// Made by a claim, and nobody has written under its fence yet: where the store may have forgotten things, providers
    /// may know more of this context.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unproven: bool,
    /// Since when something newer than what is live has been accepted, and not been shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale_since: Option<Timestamp>,
    /// Builds that were cancelled one after another for something newer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancels: Option<Cancels>,
    /// How long builds of this context take, in milliseconds: a moving mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_ms: Option<u64>,
    /// What the newest event waits for, where nobody holds the lease.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits: Option<Waits>,
    /// Deployments that the sweeper found and nobody has claimed yet, and until when they may stay.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub adopted: BTreeMap<DeploymentId, Timestamp>,
    /// The expiry that is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiring: Option<Expiring>,
    /// The reset that is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resetting: Option<Resetting>,
    /// The last reset that came to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_reset: Option<Reset>,
}

/// Builds that were cancelled one after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cancels {
    /// How many, since a build was last let go to its end.
    pub in_a_row: u32,
    /// When the last one was.
    pub last_at: Timestamp,
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
    /// In which life: how often the event had been replayed from the dead letters.
    #[serde(default, skip_serializing_if = "is_first_life")]
    pub replay: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_first_life(replay: &u32) -> bool {
    *replay == 0
}

impl SettledOutcome {
    /// Whether the event, replayed so often, is taken up anew in spite of this end. Only a failure is: what went well is said
    /// again. A copy from an earlier life, should one still come, finds the end of the newest.
    pub fn is_reopened_by(&self, replay: u32) -> bool {
        replay > self.replay && matches!(self.outcome, Outcome::Failed { .. })
    }
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
    /// What an expiry was published for is no longer so. Nothing was accepted.
    Moot,
    /// Granted, with this fence.
    Granted(u64),
}

impl ClaimAnswer {
    /// The store's answer: what was granted becomes a lease. `record` is the record as the claim left it.
    /// `remembers` is whether the store has its whole memory.
    pub fn into_claimed(
        self,
        claim: &Claim,
        record: Option<ContextRecord>,
        remembers: bool,
    ) -> Claimed {
        match self {
            Self::Finished(settled) => Claimed::Finished(settled),
            Self::Stale(by) => Claimed::Stale { by },
            Self::Conflict => Claimed::Conflict,
            Self::Held(until) => Claimed::Held { until },
            Self::Moot => Claimed::Moot,
            Self::Granted(fence) => {
                let record = record.expect("a granted claim has a record");
                Claimed::Granted {
                    lease: Lease::granted(LeaseId {
                        key: claim.key.clone(),
                        ordinal: claim.ordinal,
                        owner: claim.owner.clone(),
                        fence,
                        replay: claim.replay,
                    }),
                    is_unknown: record.unproven && !remembers,
                    record: Box::new(record),
                }
            }
        }
    }
}

/// What a context looks like from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContextStatus {
    /// A preview is live.
    Live,
    /// None is, and one is on its way.
    Building,
    /// None is, and the newest event failed.
    Failed,
    /// It was ended, or reset, and nothing has come since.
    Ended,
    /// Its retention is over.
    Expired,
}

impl ContextStatus {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Building => "building",
            Self::Failed => "failed",
            Self::Ended => "ended",
            Self::Expired => "expired",
        }
    }
}

impl ContextRecord {
    /// A context of which nothing is known but what it should show.
    fn new(alias: HostLabel, desired: Ordinal, now: Timestamp) -> Self {
        Self {
            alias,
            desired,
            desired_digest: String::new(),
            desired_at: now,
            fence: 0,
            floor: None,
            lease: None,
            building: None,
            live: None,
            condemned: Vec::new(),
            expires_at: None,
            ttl_seconds: None,
            unproven: false,
            stale_since: None,
            cancels: None,
            build_ms: None,
            waits: None,
            adopted: BTreeMap::new(),
            expiring: None,
            resetting: None,
            last_reset: None,
        }
    }

    /// Whether the floor has reached this revision.
    pub fn is_ended(&self, revision: Revision) -> bool {
        self.floor.is_some_and(|floor| revision <= floor)
    }

    /// Whether somebody works on the context: holds a lease that has not run out.
    pub fn is_held(&self, now: Timestamp) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.until > now)
    }

    /// Whether the newest accepted event has not ended yet. `last` is how it did, where that is remembered: also of an
    /// earlier life, where it failed and was replayed since.
    pub fn is_unended(&self, last: Option<&SettledOutcome>) -> bool {
        match self.desired.kind {
            OrdinalKind::Update => {
                let may_have_more =
                    last.is_none_or(|settled| matches!(settled.outcome, Outcome::Failed { .. }));
                may_have_more && self.stale_since.is_some()
            }
            // Its outcome is remembered for as long as the record is, where nothing is live.
            OrdinalKind::End => last.is_none(),
        }
    }

    /// Prolongs a live preview's retention; the new expiry, or `None` where nothing is live.
    pub fn touch(&mut self, ttl: Option<Duration>, now: Timestamp) -> Option<Timestamp> {
        let expires_at = self.expires_at?;
        if self
            .live
            .as_ref()
            .is_some_and(|live| self.is_ended(live.revision))
        {
            // Its end, or its expiry, was accepted: there is no way back.
            return None;
        }
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
            Some(Outcome::Removed { expired }) if !expired.is_empty() => ContextStatus::Expired,
            Some(Outcome::Removed { .. } | Outcome::Reset { .. }) => ContextStatus::Ended,
            Some(Outcome::Ready(_) | Outcome::Superseded { .. }) | None => {
                match self.desired.kind {
                    OrdinalKind::Update if self.is_blank() => ContextStatus::Ended,
                    OrdinalKind::Update => ContextStatus::Building,
                    OrdinalKind::End if self.is_expiring() => ContextStatus::Expired,
                    OrdinalKind::End => ContextStatus::Ended,
                }
            }
        }
    }
}

#[cfg(test)]
mod retention_tests;
#[cfg(test)]
mod tests;
