//! The store, with points after a claim, a recorded deployment and a settlement, and before going live and renewing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use foreshow_contract::{ContextKey, DeploymentId, HostLabel, Ordinal, TenantId, Timestamp};
use foreshow_engine::{
    Admission, AdmitRequest, Claim, Claimed, ContextRecord, ContextSummary, Gate, GateAnswer,
    GateEntry, GateId, GateReport, GiveBack, GoLive, HistoryEntry, LeaseId, Live, Owner,
    QuotaMember, QuotaSet, RecordedDeployment, Recording, Renewal, Seed, SettledOutcome,
    Settlement, Settling, Store, StoreError, Suspect, Verdict, Watch,
};

use super::{Point, Points, Then};

pub(super) struct FailingStore {
    inner: Arc<dyn Store>,
    points: Points,
}

impl FailingStore {
    pub(super) fn new(inner: Arc<dyn Store>, points: &Points) -> Self {
        let points = points.clone();
        Self { inner, points }
    }
}

#[async_trait]
impl Store for FailingStore {
    async fn claim(&self, claim: &Claim) -> Result<Claimed, StoreError> {
        let claimed = self.inner.claim(claim).await?;
        if matches!(claimed, Claimed::Granted { .. }) {
            self.points.pass(Point::Claimed, Some(&claim.key));
        }
        Ok(claimed)
    }

    async fn renew(&self, lease: &LeaseId, ttl: Duration) -> Result<Renewal, StoreError> {
        match self.points.pass(Point::Renewing, Some(&lease.key)) {
            Then::GoOn => self.inner.renew(lease, ttl).await,
            Then::Fail => Err(StoreError {
                operation: "renew a lease",
                source: "a failure point is set there".into(),
            }),
        }
    }

    async fn record_deployment(
        &self,
        lease: &LeaseId,
        deployment: &RecordedDeployment,
    ) -> Result<Recording, StoreError> {
        let recording = self.inner.record_deployment(lease, deployment).await?;
        if recording == Recording::Recorded {
            self.points.pass(Point::IdRecorded, Some(&lease.key));
        }
        Ok(recording)
    }

    async fn go_live(
        &self,
        lease: &LeaseId,
        live: &Live,
        expires_at: Timestamp,
        ttl: Duration,
    ) -> Result<GoLive, StoreError> {
        self.points.pass(Point::ReadySeen, Some(&lease.key));
        self.inner.go_live(lease, live, expires_at, ttl).await
    }

    async fn settle(
        &self,
        lease: &LeaseId,
        settlement: &Settlement,
    ) -> Result<Settling, StoreError> {
        let settling = self.inner.settle(lease, settlement).await?;
        if matches!(settling, Settling::Settled { .. }) {
            self.points.pass(Point::Settled, Some(&lease.key));
        }
        Ok(settling)
    }

    async fn release(&self, lease: &LeaseId, back: &GiveBack) -> Result<(), StoreError> {
        self.inner.release(lease, back).await
    }

    async fn seed(&self, key: &ContextKey, seed: &Seed) -> Result<(), StoreError> {
        self.inner.seed(key, seed).await
    }

    async fn is_kept(
        &self,
        key: &ContextKey,
        deployment: &DeploymentId,
    ) -> Result<bool, StoreError> {
        self.inner.is_kept(key, deployment).await
    }

    async fn judge(&self, key: &ContextKey, suspect: &Suspect) -> Result<Verdict, StoreError> {
        self.inner.judge(key, suspect).await
    }

    async fn forget_condemned(
        &self,
        key: &ContextKey,
        deployment: &DeploymentId,
    ) -> Result<(), StoreError> {
        self.inner.forget_condemned(key, deployment).await
    }

    async fn mend(&self, key: &ContextKey, gone: &DeploymentId) -> Result<bool, StoreError> {
        self.inner.mend(key, gone).await
    }

    async fn remembers(&self) -> Result<bool, StoreError> {
        self.inner.remembers().await
    }

    async fn begin_rebuild(&self, nonce: &str) -> Result<(), StoreError> {
        self.inner.begin_rebuild(nonce).await
    }

    async fn complete_rebuild(&self, nonce: &str) -> Result<bool, StoreError> {
        self.inner.complete_rebuild(nonce).await
    }

    async fn lead_sweep(&self, owner: &Owner, ttl: Duration) -> Result<bool, StoreError> {
        self.inner.lead_sweep(owner, ttl).await
    }

    async fn touch(
        &self,
        key: &ContextKey,
        ttl: Option<Duration>,
    ) -> Result<Option<Timestamp>, StoreError> {
        self.inner.touch(key, ttl).await
    }

    async fn admit(&self, request: &AdmitRequest) -> Result<Admission, StoreError> {
        self.inner.admit(request).await
    }

    async fn leave(&self, member: &QuotaMember) -> Result<(), StoreError> {
        self.inner.leave(member).await
    }

    async fn quota_used(&self, tenant: &TenantId, set: QuotaSet) -> Result<u64, StoreError> {
        self.inner.quota_used(tenant, set).await
    }

    async fn gates(&self) -> Result<BTreeMap<GateId, Gate>, StoreError> {
        self.inner.gates().await
    }

    async fn enter_gate(&self, gate: &GateId, entry: &GateEntry) -> Result<GateAnswer, StoreError> {
        self.inner.enter_gate(gate, entry).await
    }

    async fn report_gate(&self, gate: &GateId, report: &GateReport) -> Result<(), StoreError> {
        self.inner.report_gate(gate, report).await
    }

    async fn nudge(&self, key: &ContextKey) -> Result<(), StoreError> {
        self.inner.nudge(key).await
    }

    async fn context(&self, key: &ContextKey) -> Result<Option<ContextRecord>, StoreError> {
        self.inner.context(key).await
    }

    async fn contexts(
        &self,
        tenant: Option<&TenantId>,
        limit: u32,
    ) -> Result<Vec<ContextSummary>, StoreError> {
        self.inner.contexts(tenant, limit).await
    }

    async fn outcome(
        &self,
        key: &ContextKey,
        ordinal: Ordinal,
    ) -> Result<Option<SettledOutcome>, StoreError> {
        self.inner.outcome(key, ordinal).await
    }

    async fn resolve_alias(&self, alias: &HostLabel) -> Result<Option<ContextKey>, StoreError> {
        self.inner.resolve_alias(alias).await
    }

    async fn expired(
        &self,
        since: Timestamp,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<(ContextKey, ContextRecord)>, StoreError> {
        self.inner.expired(since, now, limit).await
    }

    fn keeps_outcomes_for(&self) -> Duration {
        self.inner.keeps_outcomes_for()
    }

    async fn history(
        &self,
        key: Option<&ContextKey>,
        limit: u32,
    ) -> Result<Vec<HistoryEntry>, StoreError> {
        self.inner.history(key, limit).await
    }

    async fn now(&self) -> Result<Timestamp, StoreError> {
        self.inner.now().await
    }

    fn watch(&self, key: &ContextKey) -> Box<dyn Watch> {
        self.inner.watch(key)
    }
}
