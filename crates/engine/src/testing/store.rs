use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use foreshow_contract::{
    ContextKey, DeploymentId, HostLabel, Ordinal, Revision, TenantId, Timestamp,
};

use crate::{
    Admission, AdmitRequest, Claim, Claimed, Clock, ContextRecord, ContextSummary, Gate,
    GateAnswer, GateEntry, GateId, GateReport, GiveBack, LeaseId, Live, Outcome, Owner,
    QuotaMember, QuotaSet, RecordedDeployment, Renewal, Seed, Settlement, Settling, Store,
    StoreError, Suspect, Verdict, Watch,
    mutants::mutant,
    notices::{Notice, NoticeBoard},
    ports::HistoryEntry,
    record::{GoLive, Recording, Remembered, SettledOutcome},
};

/// For how long it says that it remembers how an event ended. It never forgets.
const KEPT: Duration = Duration::from_hours(30 * 24);

/// The store, in memory. Every method is one step under one lock.
#[derive(Clone)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
    board: NoticeBoard,
    clock: Arc<dyn Clock>,
}

#[derive(Default)]
struct State {
    contexts: BTreeMap<ContextKey, ContextRecord>,
    outcomes: HashMap<ContextKey, BTreeMap<Ordinal, SettledOutcome>>,
    /// Announced revisions and the deployments that serve them.
    shown: HashMap<ContextKey, BTreeMap<Revision, DeploymentId>>,
    quotas: HashMap<(TenantId, QuotaSet), BTreeMap<String, Timestamp>>,
    history: Vec<HistoryEntry>,
    remembers: bool,
    rebuild: Option<String>,
    sweeper: Option<(Owner, Timestamp)>,
    gates: BTreeMap<GateId, Gate>,
    down: bool,
}

impl State {
    fn is_kept(&self, key: &ContextKey, deployment: &DeploymentId) -> bool {
        let shown = self.shown.get(key);
        shown.is_some_and(|shown| shown.values().any(|serves| serves == deployment))
    }
}

impl MemoryStore {
    /// An empty store that reads this clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            state: Arc::default(),
            board: NoticeBoard::default(),
            clock,
        }
    }

    /// From now on it fails every call, or answers again.
    pub fn set_down(&self, down: bool) {
        self.lock().down = down;
    }

    /// Forgets everything, as a server does that restarts without its file.
    pub fn wipe(&self) {
        *self.lock() = State::default();
        self.board.post_all();
    }

    /// Every record.
    pub fn records(&self) -> BTreeMap<ContextKey, ContextRecord> {
        self.lock().contexts.clone()
    }

    /// Members of every quota set that still count, by tenant, set and name.
    pub fn quota_members(&self) -> Vec<(TenantId, QuotaSet, String)> {
        let now = self.clock.now();
        let state = self.lock();
        let mut members: Vec<_> = state
            .quotas
            .iter()
            .flat_map(|((tenant, set), members)| {
                let live = members.iter().filter(move |(_, until)| **until > now);
                live.map(move |(name, _)| (tenant.clone(), *set, name.clone()))
            })
            .collect();
        members.sort();
        members
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, operation: &'static str) -> Result<MutexGuard<'_, State>, StoreError> {
        let state = self.lock();
        if state.down {
            return Err(StoreError {
                operation,
                source: "the store is switched off".into(),
            });
        }
        Ok(state)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn claim(&self, claim: &Claim) -> Result<Claimed, StoreError> {
        let now = self.clock.now();
        let mut state = self.ask("claim a context")?;
        let prior = state
            .outcomes
            .get(&claim.key)
            .and_then(|outcomes| outcomes.get(&claim.ordinal))
            .cloned();
        let mut record = state.contexts.get(&claim.key).cloned();
        let desired = record.as_ref().map(|record| record.desired);
        let update = Ordinal::update(claim.ordinal.revision);
        let outcomes = state.outcomes.get(&claim.key);
        let remembered = Remembered {
            prior: prior.as_ref(),
            is_update_over: outcomes.is_some_and(|outcomes| outcomes.contains_key(&update)),
            kept: KEPT,
        };
        let answer = ContextRecord::claim(&mut record, claim, remembered, now);
        // Only what is newer concerns those who wait: if every question woke them, they would wake each other for ever.
        let newer = record.as_ref().map(|record| record.desired) != desired;
        if let Some(record) = &record {
            state.contexts.insert(claim.key.clone(), record.clone());
        }
        let remembers = state.remembers || mutant!(RebuildSkipped);
        drop(state);
        if newer {
            self.board.post(&claim.key);
        }
        Ok(answer.into_claimed(claim, record, remembers))
    }

    async fn renew(&self, lease: &LeaseId, ttl: Duration) -> Result<Renewal, StoreError> {
        let now = self.clock.now();
        let mut state = self.ask("renew a lease")?;
        let Some(record) = state.contexts.get_mut(&lease.key) else {
            return Ok(Renewal::Lost);
        };
        if record.renew(lease, ttl, now) {
            Ok(Renewal::Renewed {
                desired: record.desired,
                floor: record.floor,
            })
        } else {
            Ok(Renewal::Lost)
        }
    }

    async fn record_deployment(
        &self,
        lease: &LeaseId,
        deployment: &RecordedDeployment,
    ) -> Result<Recording, StoreError> {
        let now = self.clock.now();
        let mut state = self.ask("record a deployment")?;
        let record = state.contexts.get_mut(&lease.key);
        Ok(record.map_or(Recording::Lost, |record| {
            record.record_deployment(lease, deployment, now)
        }))
    }

    async fn go_live(
        &self,
        lease: &LeaseId,
        live: &Live,
        expires_at: Timestamp,
        ttl: Duration,
    ) -> Result<GoLive, StoreError> {
        let now = self.clock.now();
        let mut state = self.ask("record what goes live")?;
        let record = state.contexts.get_mut(&lease.key);
        Ok(record.map_or(Recording::Lost, |record| {
            record.go_live(lease, live, expires_at, ttl, now)
        }))
    }

    async fn settle(
        &self,
        lease: &LeaseId,
        settlement: &Settlement,
    ) -> Result<Settling, StoreError> {
        let now = self.clock.now();
        let mut guard = self.ask("settle an event")?;
        let state = &mut *guard;
        let Some(record) = state.contexts.get_mut(&lease.key) else {
            return Ok(Settling::Lost);
        };
        let held = record.lease.clone();
        let expiring = record.expires_with(lease);
        if !record.settle(lease, settlement, now) {
            return Ok(Settling::Lost);
        }
        let mut outcome = settlement.outcome.clone();
        let shown = state.shown.entry(lease.key.clone()).or_default();
        match &mut outcome {
            Outcome::Ready(ready) => {
                let is_gone = |deployment: &DeploymentId| !settlement.kept.contains(deployment);
                let gone = shown.iter().filter(|(_, deployment)| is_gone(deployment));
                ready.replaced = gone.map(|(revision, _)| *revision).collect();
                shown.retain(|_, deployment| !is_gone(deployment));
                shown.insert(lease.ordinal.revision, ready.deployment.clone());
            }
            Outcome::Removed { expired } => {
                let is_gone = |revision: &Revision| *revision <= lease.ordinal.revision;
                let gone = shown.keys().copied().filter(is_gone);
                let told = expiring.map(|live| gone.chain([live]).collect::<BTreeSet<_>>());
                shown.retain(|revision, _| !is_gone(revision));
                *expired = told.into_iter().flatten().collect();
            }
            Outcome::Reset { gone } => {
                *gone = record.reset_took(shown.keys().copied());
                shown.clear();
                state.outcomes.remove(&lease.key);
            }
            Outcome::Failed { .. } | Outcome::Superseded { .. } => {}
        }
        let outcomes = state.outcomes.entry(lease.key.clone()).or_default();
        if !matches!(outcome, Outcome::Superseded { .. } | Outcome::Reset { .. }) {
            let settled = SettledOutcome {
                ordinal: lease.ordinal,
                digest: held
                    .as_ref()
                    .map(|held| held.digest.clone())
                    .unwrap_or_default(),
                outcome: outcome.clone(),
                at: now,
                replay: lease.replay,
            };
            outcomes.insert(lease.ordinal, settled);
        }
        let cancelled = settlement.cancelled.as_deref();
        let entry = HistoryEntry::ended(lease, &outcome, cancelled, held.as_ref(), now);
        state.history.push(entry);
        drop(guard);
        self.board.post(&lease.key);
        Ok(Settling::Settled { outcome })
    }

    async fn release(&self, lease: &LeaseId, back: &GiveBack) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut state = self.ask("release a lease")?;
        if let Some(record) = state.contexts.get_mut(&lease.key) {
            let held = record.lease.clone();
            if record.release(lease, back, now) {
                let entry = HistoryEntry::given_back(lease, back, held.as_ref(), now);
                state.history.push(entry);
            }
        }
        drop(state);
        self.board.post(&lease.key);
        Ok(())
    }

    async fn seed(&self, key: &ContextKey, seed: &Seed) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut state = self.ask("seed a context")?;
        let mut record = state.contexts.get(key).cloned();
        let desired = record.as_ref().map(|record| record.desired);
        ContextRecord::seed(&mut record, seed, now);
        let newer = record.as_ref().map(|record| record.desired) != desired;
        if let Some(record) = record {
            state.contexts.insert(key.clone(), record);
        }
        drop(state);
        if newer {
            self.board.post(key);
        }
        Ok(())
    }

    async fn judge(&self, key: &ContextKey, suspect: &Suspect) -> Result<Verdict, StoreError> {
        let now = self.clock.now();
        let mut state = self.ask("judge a deployment")?;
        let update = Ordinal::update(suspect.deployment.revision);
        let prior = state
            .outcomes
            .get(key)
            .and_then(|outcomes| outcomes.get(&update))
            .cloned();
        let is_kept = state.is_kept(key, &suspect.deployment.id);
        let record = state.contexts.get_mut(key);
        Ok(record.map_or(Verdict::Adopted, |record| {
            record.judge(suspect, prior.as_ref(), is_kept, now)
        }))
    }

    async fn is_kept(
        &self,
        key: &ContextKey,
        deployment: &DeploymentId,
    ) -> Result<bool, StoreError> {
        let state = self.ask("tell what is kept")?;
        Ok(state.is_kept(key, deployment))
    }

    async fn forget_condemned(
        &self,
        key: &ContextKey,
        deployment: &DeploymentId,
    ) -> Result<(), StoreError> {
        if let Some(record) = self.ask("forget a deployment")?.contexts.get_mut(key) {
            record.forget_condemned(deployment);
        }
        Ok(())
    }

    async fn mend(&self, key: &ContextKey, gone: &DeploymentId) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let mut state = self.ask("mend a record")?;
        let record = state.contexts.get_mut(key);
        Ok(record.is_some_and(|record| record.mend(gone, now)))
    }

    async fn remembers(&self) -> Result<bool, StoreError> {
        self.ask("tell whether it remembers")
            .map(|state| state.remembers)
    }

    async fn begin_rebuild(&self, nonce: &str) -> Result<(), StoreError> {
        self.ask("begin a rebuild")?.rebuild = Some(nonce.to_owned());
        Ok(())
    }

    async fn complete_rebuild(&self, nonce: &str) -> Result<bool, StoreError> {
        let mut state = self.ask("complete a rebuild")?;
        let is_whole = state.rebuild.as_deref() == Some(nonce);
        state.remembers |= is_whole;
        Ok(is_whole)
    }

    async fn lead_sweep(&self, owner: &Owner, ttl: Duration) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let mut state = self.ask("lead the sweep")?;
        let is_taken = state
            .sweeper
            .as_ref()
            .is_some_and(|(leader, until)| leader != owner && *until > now);
        if !is_taken {
            state.sweeper = Some((owner.clone(), now.saturating_add(ttl)));
        }
        Ok(!is_taken)
    }

    async fn touch(
        &self,
        key: &ContextKey,
        ttl: Option<Duration>,
    ) -> Result<Option<Timestamp>, StoreError> {
        let now = self.clock.now();
        let mut state = self.ask("touch a context")?;
        let Some(expires_at) = state
            .contexts
            .get_mut(key)
            .and_then(|record| record.touch(ttl, now))
        else {
            return Ok(None);
        };
        let set = (key.tenant.clone(), QuotaSet::LivePreviews);
        if let Some(until) = state
            .quotas
            .get_mut(&set)
            .and_then(|set| set.get_mut(&QuotaMember::LivePreview(key.clone()).name()))
        {
            *until = expires_at.max(*until);
        }
        Ok(Some(expires_at))
    }

    async fn admit(&self, request: &AdmitRequest) -> Result<Admission, StoreError> {
        let now = self.clock.now();
        let mut state = self.ask("admit a revision")?;
        let places = request.places();
        for place in &places {
            let set = state
                .quotas
                .entry((request.key.tenant.clone(), place.member.set()))
                .or_default();
            set.retain(|_, until| *until > now);
            let used = set.len() as u64;
            if let Some(limit) = place.limit
                && !set.contains_key(&place.member.name())
                && used >= u64::from(limit.get())
            {
                let next_at = set.values().min().copied().unwrap_or(now);
                return Ok(Admission::Full {
                    set: place.member.set(),
                    limit: limit.get(),
                    used,
                    next_at,
                });
            }
        }
        for place in places {
            let set = state
                .quotas
                .entry((request.key.tenant.clone(), place.member.set()))
                .or_default();
            let until = set.entry(place.member.name()).or_insert(place.until);
            *until = place.until.max(*until);
        }
        Ok(Admission::Admitted)
    }

    async fn leave(&self, member: &QuotaMember) -> Result<(), StoreError> {
        let set = (member.tenant().clone(), member.set());
        if let Some(set) = self.ask("leave a quota")?.quotas.get_mut(&set) {
            set.remove(&member.name());
        }
        Ok(())
    }

    async fn quota_used(&self, tenant: &TenantId, set: QuotaSet) -> Result<u64, StoreError> {
        let now = self.clock.now();
        let state = self.ask("read a quota")?;
        let set = state.quotas.get(&(tenant.clone(), set));
        Ok(set.map_or(0, |set| {
            set.values().filter(|until| **until > now).count() as u64
        }))
    }

    async fn gates(&self) -> Result<BTreeMap<GateId, Gate>, StoreError> {
        Ok(self.ask("read the gates")?.gates.clone())
    }

    async fn enter_gate(&self, gate: &GateId, entry: &GateEntry) -> Result<GateAnswer, StoreError> {
        let now = self.clock.now();
        let mut state = self.ask("enter a gate")?;
        Ok(state
            .gates
            .entry(gate.clone())
            .or_default()
            .enter(entry, now))
    }

    async fn report_gate(&self, gate: &GateId, report: &GateReport) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut state = self.ask("report to a gate")?;
        state
            .gates
            .entry(gate.clone())
            .or_default()
            .report(report, now);
        Ok(())
    }

    async fn nudge(&self, key: &ContextKey) -> Result<(), StoreError> {
        drop(self.ask("wake who watches")?);
        self.board.post(key);
        Ok(())
    }

    async fn context(&self, key: &ContextKey) -> Result<Option<ContextRecord>, StoreError> {
        Ok(self.ask("read a context")?.contexts.get(key).cloned())
    }

    async fn contexts(
        &self,
        tenant: Option<&TenantId>,
        limit: u32,
    ) -> Result<Vec<ContextSummary>, StoreError> {
        let state = self.ask("list contexts")?;
        let mut listed: Vec<_> = state
            .contexts
            .iter()
            .filter(|(key, _)| tenant.is_none_or(|tenant| key.tenant == *tenant))
            .map(|(key, record)| ContextSummary {
                key: key.clone(),
                record: record.clone(),
                last: state
                    .outcomes
                    .get(key)
                    .and_then(|outcomes| outcomes.get(&record.desired))
                    .cloned(),
            })
            .collect();
        listed.sort_by_key(|context| std::cmp::Reverse(context.record.desired_at));
        listed.truncate(limit as usize);
        Ok(listed)
    }

    async fn outcome(
        &self,
        key: &ContextKey,
        ordinal: Ordinal,
    ) -> Result<Option<SettledOutcome>, StoreError> {
        let state = self.ask("read an outcome")?;
        Ok(state
            .outcomes
            .get(key)
            .and_then(|outcomes| outcomes.get(&ordinal))
            .cloned())
    }

    async fn resolve_alias(&self, alias: &HostLabel) -> Result<Option<ContextKey>, StoreError> {
        let state = self.ask("resolve an alias")?;
        Ok(state
            .contexts
            .iter()
            .find(|(_, record)| record.alias == *alias)
            .map(|(key, _)| key.clone()))
    }

    async fn expired(
        &self,
        since: Timestamp,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<(ContextKey, ContextRecord)>, StoreError> {
        let state = self.ask("list expired previews")?;
        let is_over = |at: &Timestamp| (since..=now).contains(at);
        let over = state.contexts.iter().filter(|(_, record)| {
            record.live.is_some() && record.expires_at.as_ref().is_some_and(is_over)
        });
        let mut expired: Vec<_> = over
            .map(|(key, record)| (key.clone(), record.clone()))
            .collect();
        expired.sort_by_key(|(key, record)| (record.expires_at, key.clone()));
        expired.truncate(limit as usize);
        Ok(expired)
    }

    fn keeps_outcomes_for(&self) -> Duration {
        KEPT
    }

    async fn history(
        &self,
        key: Option<&ContextKey>,
        limit: u32,
    ) -> Result<Vec<HistoryEntry>, StoreError> {
        let state = self.ask("read the history")?;
        let of_key = state
            .history
            .iter()
            .rev()
            .filter(|entry| key.is_none_or(|key| entry.key == *key));
        Ok(of_key.take(limit as usize).cloned().collect())
    }

    async fn now(&self) -> Result<Timestamp, StoreError> {
        self.ask("tell the time").map(|_| self.clock.now())
    }

    fn watch(&self, key: &ContextKey) -> Box<dyn Watch> {
        Box::new(self.board.watch(key))
    }
}

#[async_trait]
impl Watch for Notice {
    async fn changed(&mut self) {
        Notice::changed(self).await;
    }
}
