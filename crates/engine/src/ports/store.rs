use std::{collections::BTreeMap, num::NonZeroU32, time::Duration};

use async_trait::async_trait;
use foreshow_contract::{
    ContextKey, DeploymentId, HostLabel, Ordinal, OutcomeKind, ResetId, Revision, TenantId,
    Timestamp,
};

use crate::{
    gate::{Gate, GateAnswer, GateEntry, GateId, GateReport},
    outcome::Outcome,
    record::{
        ContextRecord, GiveBack, GoLive, HeldLease, Lease, LeaseId, Live, Owner,
        RecordedDeployment, Recording, Seed, SettledOutcome, Suspect, Verdict,
    },
};

/// Keeps what workers must agree on: each context's record, and the tenants' quota sets.
///
/// What every adapter promises:
///
/// - Each method is one atomic step on one context's record, or on one tenant's sets, and applies the transitions of
///   [`crate::record`]. There is no transaction across the two.
/// - After an error the step may or may not have happened. Every step is idempotent under its lease.
/// - It holds no files and no env values.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Accepts an event and claims its context: [`ContextRecord::claim`].
    async fn claim(&self, claim: &Claim) -> Result<Claimed, StoreError>;

    /// Prolongs the lease and tells what has been accepted meanwhile.
    async fn renew(&self, lease: &LeaseId, ttl: Duration) -> Result<Renewal, StoreError>;

    /// Writes down the deployment that works on the lease's revision, under the fence.
    async fn record_deployment(
        &self,
        lease: &LeaseId,
        deployment: &RecordedDeployment,
    ) -> Result<Recording, StoreError>;

    /// Writes down, under the fence, what goes live now and when it expires. It also renews the lease.
    async fn go_live(
        &self,
        lease: &LeaseId,
        live: &Live,
        expires_at: Timestamp,
        ttl: Duration,
    ) -> Result<GoLive, StoreError>;

    /// Records how the event ended and releases the lease, in one step under the fence. A [reset](Outcome::Reset) forgets, in
    /// the same step, how every event of the context ended and which revisions were announced.
    async fn settle(
        &self,
        lease: &LeaseId,
        settlement: &Settlement,
    ) -> Result<Settling, StoreError>;

    /// Gives the lease back with nothing decided. A lease that is lost already is left alone.
    async fn release(&self, lease: &LeaseId, back: &GiveBack) -> Result<(), StoreError>;

    /// Merges in what the providers know of a context: [`ContextRecord::seed`].
    async fn seed(&self, key: &ContextKey, seed: &Seed) -> Result<(), StoreError>;

    /// Decides over a deployment that the context's record may not name: [`ContextRecord::judge`], with how the update of
    /// its revision ended, and whether it was announced and kept, as the store remembers them. A context that the store
    /// does not know is created for it by [`seed`](Store::seed) first; without, the answer is [`Verdict::Adopted`].
    async fn judge(&self, key: &ContextKey, suspect: &Suspect) -> Result<Verdict, StoreError>;

    /// Whether the deployment serves an announced revision, as the one that went live with it or as one kept beside a newer one:
    /// what [`judge`](Store::judge) asks for itself, for whoever wants to [foresee](ContextRecord::appraise) it.
    async fn is_kept(
        &self,
        key: &ContextKey,
        deployment: &DeploymentId,
    ) -> Result<bool, StoreError>;

    /// A condemned deployment is gone at its provider: [`ContextRecord::forget_condemned`].
    async fn forget_condemned(
        &self,
        key: &ContextKey,
        deployment: &DeploymentId,
    ) -> Result<(), StoreError>;

    /// Notes that what the record has as live is gone at its provider: [`ContextRecord::mend`].
    async fn mend(&self, key: &ContextKey, gone: &DeploymentId) -> Result<bool, StoreError>;

    /// Whether the store has its whole memory. One that is new, or was wiped, has not, until a rebuild from the
    /// providers' tagged deployments is done.
    async fn remembers(&self) -> Result<bool, StoreError>;

    /// Begins a rebuild: leaves `nonce`, which a wipe takes along with everything else, in place of any other's.
    async fn begin_rebuild(&self, nonce: &str) -> Result<(), StoreError>;

    /// Ends a rebuild: from now on the store [`remembers`](Store::remembers), unless the nonce is gone, by a wipe that
    /// came between or by another rebuild: then `false`.
    async fn complete_rebuild(&self, nonce: &str) -> Result<bool, StoreError>;

    /// Makes `owner` the one who sweeps, for `ttl` from now, where nobody else is.
    async fn lead_sweep(&self, owner: &Owner, ttl: Duration) -> Result<bool, StoreError>;

    /// Prolongs a live context's retention to `ttl` from now (its own last `ttl` where `None`), never shortening it.
    /// `None` where there is nothing to prolong, else the new expiry.
    async fn touch(
        &self,
        key: &ContextKey,
        ttl: Option<Duration>,
    ) -> Result<Option<Timestamp>, StoreError>;

    /// Lets a revision in, against the tenant's limits; idempotent by context and revision.
    async fn admit(&self, request: &AdmitRequest) -> Result<Admission, StoreError>;

    /// Takes a member out of its tenant's set. Idempotent.
    async fn leave(&self, member: &QuotaMember) -> Result<(), StoreError>;

    /// Members of a tenant's set that count now.
    async fn quota_used(&self, tenant: &TenantId, set: QuotaSet) -> Result<u64, StoreError>;

    /// Every gate that was ever closed or entered under a limit, as it stands; entries may be left out. One that is missing is
    /// open.
    async fn gates(&self) -> Result<BTreeMap<GateId, Gate>, StoreError>;

    /// Asks to be let through a gate: [`Gate::enter`].
    async fn enter_gate(&self, gate: &GateId, entry: &GateEntry) -> Result<GateAnswer, StoreError>;

    /// Notes what came of a call: [`Gate::report`].
    async fn report_gate(&self, gate: &GateId, report: &GateReport) -> Result<(), StoreError>;

    /// Wakes whoever watches the context, so that they look at its build again.
    async fn nudge(&self, key: &ContextKey) -> Result<(), StoreError>;

    /// The context's record.
    async fn context(&self, key: &ContextKey) -> Result<Option<ContextRecord>, StoreError>;

    /// Every context, of one tenant or of all, newest change first.
    async fn contexts(
        &self,
        tenant: Option<&TenantId>,
        limit: u32,
    ) -> Result<Vec<ContextSummary>, StoreError>;

    /// How the event of this ordinal ended, if that is still remembered.
    async fn outcome(
        &self,
        key: &ContextKey,
        ordinal: Ordinal,
    ) -> Result<Option<SettledOutcome>, StoreError>;

    /// The context whose alias this label is.
    async fn resolve_alias(&self, alias: &HostLabel) -> Result<Option<ContextKey>, StoreError>;

    /// Contexts with something live whose retention ran out between the two instants, both included: oldest first, as they
    /// were then.
    async fn expired(
        &self,
        since: Timestamp,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<(ContextKey, ContextRecord)>, StoreError>;

    /// For how long it is remembered how an event ended.
    fn keeps_outcomes_for(&self) -> Duration;

    /// What happened last, newest first.
    async fn history(
        &self,
        key: Option<&ContextKey>,
        limit: u32,
    ) -> Result<Vec<HistoryEntry>, StoreError>;

    /// The store's clock, which all deadlines in it go by. Fails within seconds; it does not wait for a store that is
    /// away.
    async fn now(&self) -> Result<Timestamp, StoreError>;

    /// Watches a context for changes that a waiter cares about: a release, a newer acceptance.
    ///
    /// Take the watch *before* asking the store, so that no change falls between the answer and the wait.
    fn watch(&self, key: &ContextKey) -> Box<dyn Watch>;
}

/// Waits for a context to change.
#[async_trait]
pub trait Watch: Send {
    /// Returns when the context may have changed since the watch was taken or since the last return. May return
    /// without reason; the caller bounds the wait.
    async fn changed(&mut self);
}

/// An event asks for its context.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The context.
    pub key: ContextKey,
    /// The event's place in the context's order.
    pub ordinal: Ordinal,
    /// A digest of the request, to tell a repeat from a conflict.
    pub digest: String,
    /// The context's alias.
    pub alias: HostLabel,
    /// The delivery that asks.
    pub owner: Owner,
    /// How long a granted lease lives.
    pub ttl: Duration,
    /// On whose behalf.
    pub purpose: Purpose,
    /// How often an operator replayed the event from the dead letters. One that failed in an earlier life is taken up anew.
    pub replay: u32,
}

/// On whose behalf a context is claimed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// Upstream's event: accepted if it is the newest.
    #[default]
    Event,
    /// The live preview's retention is over: accepted, as an end of the claim's revision, only while that is so.
    Expiry,
    /// The context is to be forgotten: accepted, as an end of the greatest revision, once for each id.
    Reset(ResetId),
}

/// The store's answer to a claim.
#[derive(Debug)]
pub enum Claimed {
    /// The event ended before: say so again.
    Finished(SettledOutcome),
    /// Something newer was accepted.
    Stale {
        /// The winner.
        by: Ordinal,
    },
    /// The revision was accepted before with other content.
    Conflict,
    /// Somebody works on the context.
    Held {
        /// When that lease runs out, unless it is renewed.
        until: Timestamp,
    },
    /// What an expiry was published for is no longer so: something newer, a touch or a new preview came first.
    Moot,
    /// The context is yours.
    Granted {
        /// The right to change it.
        lease: Lease,
        /// Its record as the claim left it.
        record: Box<ContextRecord>,
        /// The record is [unproven](ContextRecord::unproven), and the store does not [remember](Store::remembers): the
        /// providers may know more of this context.
        is_unknown: bool,
    },
}

/// The answer to a renewal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// Still yours.
    Renewed {
        /// The newest accepted event.
        desired: Ordinal,
        /// No revision at or below this may go live.
        floor: Option<Revision>,
    },
    /// No longer yours.
    Lost,
}

/// How an event ended, to be recorded.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// The end.
    pub outcome: Outcome,
    /// When the preview expires, where it lives on.
    pub expires_at: Option<Timestamp>,
    /// Of a preview that is ready: its deployment, and the older ones that were kept beside it. Announced revisions
    /// that no kept deployment serves are told as replaced, once.
    pub kept: Vec<DeploymentId>,
    /// Of a preview that is ready: how long its build took, in milliseconds, where something was built.
    pub built_ms: Option<u64>,
    /// Of a superseded update: that its build was cancelled, or never begun, for something newer; in words for people.
    pub cancelled: Option<String>,
}

impl Settlement {
    /// An end with nothing live to tell of.
    pub fn of(outcome: Outcome) -> Self {
        Self {
            outcome,
            expires_at: None,
            kept: Vec::new(),
            built_ms: None,
            cancelled: None,
        }
    }
}

/// The answer to a settlement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settling {
    /// Recorded, and the lease released.
    Settled {
        /// The outcome as recorded, with the announced revisions whose deployment was replaced.
        outcome: Outcome,
    },
    /// The lease was lost: nothing was recorded. Ask again.
    Lost,
}

/// Sets of members with deadlines, per tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum QuotaSet {
    /// Contexts with something live, or about to have.
    LivePreviews,
    /// Contexts being built.
    ConcurrentBuilds,
}

impl QuotaSet {
    /// Its word in messages and tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::LivePreviews => "live_previews",
            Self::ConcurrentBuilds => "concurrent_builds",
        }
    }
}

/// A place in a tenant's set. Each place has a deadline, so a crash cannot leak it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum QuotaMember {
    /// The context, among the live previews.
    LivePreview(ContextKey),
    /// The context's revision, among the concurrent builds.
    Build(ContextKey, Revision),
}

impl QuotaMember {
    /// The set it is a place in.
    pub fn set(&self) -> QuotaSet {
        match self {
            Self::LivePreview(_) => QuotaSet::LivePreviews,
            Self::Build(..) => QuotaSet::ConcurrentBuilds,
        }
    }

    /// The tenant whose set it is.
    pub fn tenant(&self) -> &TenantId {
        match self {
            Self::LivePreview(key) | Self::Build(key, _) => &key.tenant,
        }
    }

    /// Its name within the set.
    pub fn name(&self) -> String {
        match self {
            Self::LivePreview(key) => key.context.escaped(),
            Self::Build(key, revision) => format!("{}/{revision}", key.context.escaped()),
        }
    }
}

/// A revision asks to be let in: as a member of [`QuotaSet::ConcurrentBuilds`], and of [`QuotaSet::LivePreviews`].
#[derive(Clone, Debug)]
pub struct AdmitRequest {
    /// The context; its tenant's sets count.
    pub key: ContextKey,
    /// The revision.
    pub revision: Revision,
    /// Contexts that may be live at once; `None` is no limit.
    pub live_previews: Option<NonZeroU32>,
    /// Contexts that may build at once; `None` is no limit.
    pub concurrent_builds: Option<NonZeroU32>,
    /// Whether the context has something live already: then the cap on live previews does not stop it.
    pub is_live: bool,
    /// When the place among the live is given up without being asked.
    pub live_until: Timestamp,
    /// When the place among the builds is given up without being asked.
    pub build_until: Timestamp,
}

/// Whether a revision is let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is, and counts.
    Admitted,
    /// A limit is reached; nothing counts.
    Full {
        /// Which.
        set: QuotaSet,
        /// The limit.
        limit: u32,
        /// What counts against it.
        used: u64,
        /// The next deadline of a member: a place is free then at the latest.
        next_at: Timestamp,
    },
}

/// A context in a listing.
#[derive(Clone, Debug)]
pub struct ContextSummary {
    /// Its name.
    pub key: ContextKey,
    /// Its record.
    pub record: ContextRecord,
    /// How its newest accepted event ended, where it has.
    pub last: Option<SettledOutcome>,
}

/// Something that happened to a context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// When.
    pub at: Timestamp,
    /// To which context.
    pub key: ContextKey,
    /// To which of its events.
    pub ordinal: Ordinal,
    /// What.
    pub what: Happening,
    /// A few words more, for people.
    pub detail: String,
    /// The worker that held the lease, and since when, where the store saw that.
    pub by: Option<(String, Timestamp)>,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// The event ended.
    Ended(OutcomeKind),
    /// Its holder let go of it, for another to go on.
    HandedOver,
    /// It waits for a limit, or for its next attempt.
    Deferred,
}

impl Happening {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ended(outcome) => outcome.word(),
            Self::HandedOver => "handed_over",
            Self::Deferred => "deferred",
        }
    }

    /// What has this word.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "handed_over" => Some(Self::HandedOver),
            "deferred" => Some(Self::Deferred),
            other => OutcomeKind::ALL
                .into_iter()
                .find(|kind| kind.word() == other)
                .map(Self::Ended),
        }
    }
}

impl HistoryEntry {
    /// That the lease's event ended so. `held` is the lease as the record had it.
    pub fn ended(
        lease: &LeaseId,
        outcome: &Outcome,
        cancelled: Option<&str>,
        held: Option<&HeldLease>,
        at: Timestamp,
    ) -> Self {
        let mut detail = outcome.detail();
        if let Some(why) = cancelled {
            detail = format!("{detail}; cancelled: {why}");
        }
        if lease.replay > 0 {
            detail = format!("{detail} (replay {})", lease.replay);
        }
        Self {
            at,
            key: lease.key.clone(),
            ordinal: lease.ordinal,
            what: Happening::Ended(outcome.kind()),
            detail,
            by: held.map(holder),
        }
    }

    /// That the lease was given back.
    pub fn given_back(
        lease: &LeaseId,
        back: &GiveBack,
        held: Option<&HeldLease>,
        at: Timestamp,
    ) -> Self {
        let (what, detail) = match back {
            GiveBack::HandedOver => (Happening::HandedOver, String::new()),
            GiveBack::Deferred { until, why } => {
                (Happening::Deferred, format!("until {until}: {why}"))
            }
        };
        Self {
            at,
            key: lease.key.clone(),
            ordinal: lease.ordinal,
            what,
            detail,
            by: held.map(holder),
        }
    }
}

fn holder(held: &HeldLease) -> (String, Timestamp) {
    (held.owner.worker().to_owned(), held.since)
}

/// The store could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[error("the store could not {operation}")]
pub struct StoreError {
    /// What was asked, e.g. `claim a context`.
    pub operation: &'static str,
    /// What lies beneath.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// One place that an admission takes: who, under which limit, until when at the latest.
#[derive(Clone, Debug)]
pub struct Place {
    /// The member.
    pub member: QuotaMember,
    /// Members at once; `None` where nothing stops it.
    pub limit: Option<NonZeroU32>,
    /// The member's deadline.
    pub until: Timestamp,
}

impl AdmitRequest {
    /// The places to take, all or none. A context that is live already is not stopped by the cap on live previews.
    pub fn places(&self) -> [Place; 2] {
        [
            Place {
                member: QuotaMember::LivePreview(self.key.clone()),
                limit: self.live_previews.filter(|_| !self.is_live),
                until: self.live_until,
            },
            Place {
                member: QuotaMember::Build(self.key.clone(), self.revision),
                limit: self.concurrent_builds,
                until: self.build_until,
            },
        ]
    }
}
