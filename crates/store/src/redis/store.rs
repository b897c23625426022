//! The handle, and the port's methods as calls.

use std::{collections::BTreeMap, future::Future, sync::Arc, time::Duration};

use async_trait::async_trait;
use foreshow_contract::{ContextKey, DeploymentId, HostLabel, Ordinal, TenantId, Timestamp};
use foreshow_engine::{
    Admission, AdmitRequest, Claim, Claimed, Clock, ContextRecord, ContextSummary, Gate,
    GateAnswer, GateEntry, GateId, GateReport, GiveBack, GoLive, HistoryEntry, LeaseId, Live,
    Owner, QuotaMember, QuotaSet, RecordedDeployment, Recording, Renewal, Seed, SettledOutcome,
    Settlement, Settling, Store, StoreError, Suspect, Verdict, Watch, notices::NoticeBoard,
};
use redis::cmd;
use tokio::{sync::oneshot, time::Instant};
use tokio_util::task::AbortOnDropHandle;

use super::{
    answers::Decode,
    clock::StoreClock,
    connect::Target,
    error::{RedisStoreError, on},
    expired::Sweep,
    history,
    index::Index,
    keys::Keys,
    link::Link,
    listing, metrics,
    options::RedisOptions,
    reading,
    scripts::Call,
    url::RedisUrl,
    watching::{self, RedisWatch},
};

/// The store in Redis. Cheap to clone; the last clone takes its connections with it.
#[derive(Clone)]
pub struct RedisStore {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) link: Arc<Link>,
    pub(super) keys: Keys,
    pub(super) clock: StoreClock,
    pub(super) keep_outcomes: Duration,
    pub(super) index: Arc<Index>,
    board: NoticeBoard,
    _tasks: [AbortOnDropHandle<()>; 2],
}

impl RedisStore {
    /// Starts, and returns at once: for a service that waits for its store, however long it is away.
    ///
    /// # Errors
    /// Where the options can't be used.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start(url: &RedisUrl, options: RedisOptions) -> Result<Self, RedisStoreError> {
        let (store, _subscribed) = Self::assemble(url, &options, StoreClock::of_the_server())?;
        Ok(store)
    }

    /// Connects.
    ///
    /// # Errors
    /// Where the options can't be used, or Redis is not there: once it has been, the store waits for it to come back, but
    /// what never worked is more likely a mistake than a crash. The source tells.
    pub async fn connect(url: &RedisUrl, options: RedisOptions) -> Result<Self, StoreError> {
        Self::connect_with(url, options, StoreClock::of_the_server()).await
    }

    /// For tests: the same on a clock of the caller's. What Redis itself forgets it still forgets by its own.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_on(
        url: &RedisUrl,
        options: RedisOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        Self::connect_with(url, options, StoreClock::given_by(clock)).await
    }

    async fn connect_with(
        url: &RedisUrl,
        options: RedisOptions,
        clock: StoreClock,
    ) -> Result<Self, StoreError> {
        const CONNECT: &str = "connect to Redis";
        let (store, subscribed) = Self::assemble(url, &options, clock).map_err(on(CONNECT))?;
        store.inner.link.connect().await.map_err(on(CONNECT))?;
        // Without notices those who wait poll; so this is no reason to fail.
        tokio::time::timeout(options.connect_timeout, subscribed)
            .await
            .ok();
        Ok(store)
    }

    fn assemble(
        url: &RedisUrl,
        options: &RedisOptions,
        clock: StoreClock,
    ) -> Result<(Self, oneshot::Receiver<()>), RedisStoreError> {
        let target = Target::new(url, options)?;
        let limits = (options.connect_timeout, options.response_timeout);
        let link = Arc::new(Link::new(target, limits.0, limits.1));
        let keys = Keys::new(&options.namespace);
        let board = NoticeBoard::default();
        let (tried, first_try) = oneshot::channel();
        let notices = watching::listen(
            Arc::clone(&link),
            keys.channel(),
            board.clone(),
            options.connect_timeout,
            tried,
        );
        let notices = AbortOnDropHandle::new(tokio::spawn(notices));
        let index = Index::new(Arc::clone(&link), keys.clone(), clock.clone());
        let index = Arc::new(index);
        let writes = AbortOnDropHandle::new(tokio::spawn(Arc::clone(&index).keep()));
        let store = Self {
            inner: Arc::new(Inner {
                link,
                keys,
                clock,
                keep_outcomes: options.keep_outcomes,
                index,
                board,
                _tasks: [notices, writes],
            }),
        };
        Ok((store, first_try))
    }

    /// Writes what still waits to be written behind. Worth a call before a process ends; without it the sweep makes up for
    /// what is lost, and the history lacks its last entries.
    ///
    /// # Errors
    /// Where Redis is away.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.inner
            .index
            .flush()
            .await
            .map_err(on("write the index"))
    }

    /// Asks, and tells the metrics how it went.
    async fn ask<T>(
        &self,
        operation: &'static str,
        asked: impl Future<Output = Result<T, RedisStoreError>>,
    ) -> Result<T, StoreError> {
        let began_at = Instant::now();
        let answer = asked.await;
        metrics::called(operation, began_at.elapsed(), answer.is_err());
        answer.map_err(on(operation))
    }
}

impl Inner {
    pub(super) async fn call<T: Decode>(&self, call: Call) -> Result<T, RedisStoreError> {
        self.link.call(&call).await?.decode()
    }

    /// What this process has done is in the index before it is read. Where it can't be written, the read tells why.
    async fn catch_up(&self) -> Result<(), RedisStoreError> {
        self.index.flush().await
    }

    async fn expired(
        &self,
        (since, now): (Timestamp, Timestamp),
        limit: u32,
    ) -> Result<Vec<(ContextKey, ContextRecord)>, RedisStoreError> {
        self.catch_up().await?;
        let sweep = Sweep {
            link: &self.link,
            keys: &self.keys,
            since,
            now,
            limit: limit as usize,
            keep: self.keep_outcomes,
        };
        sweep.run().await
    }

    async fn history(
        &self,
        key: Option<&ContextKey>,
        limit: u32,
    ) -> Result<Vec<HistoryEntry>, RedisStoreError> {
        self.catch_up().await?;
        history::newest(&self.link, &self.keys, key, limit as usize).await
    }

    async fn now(&self) -> Result<Timestamp, RedisStoreError> {
        let (seconds, micros): (i64, i64) = self.link.query("TIME", &cmd("TIME")).await?;
        let now = Timestamp::from_micros(seconds.saturating_mul(1_000_000).saturating_add(micros));
        Ok(self.clock.instead().unwrap_or(now))
    }
}

#[async_trait]
impl Store for RedisStore {
    async fn claim(&self, claim: &Claim) -> Result<Claimed, StoreError> {
        self.ask("claim a context", self.inner.claim(claim)).await
    }

    async fn renew(&self, lease: &LeaseId, ttl: Duration) -> Result<Renewal, StoreError> {
        self.ask("renew a lease", self.inner.renew(lease, ttl))
            .await
    }

    async fn record_deployment(
        &self,
        lease: &LeaseId,
        deployment: &RecordedDeployment,
    ) -> Result<Recording, StoreError> {
        let recording = self.inner.record(lease, deployment);
        self.ask("record a deployment", recording).await
    }

    async fn go_live(
        &self,
        lease: &LeaseId,
        live: &Live,
        expires_at: Timestamp,
        ttl: Duration,
    ) -> Result<GoLive, StoreError> {
        let going = self.inner.go_live(lease, live, expires_at, ttl);
        self.ask("record what goes live", going).await
    }

    async fn settle(
        &self,
        lease: &LeaseId,
        settlement: &Settlement,
    ) -> Result<Settling, StoreError> {
        self.ask("settle an event", self.inner.settle(lease, settlement))
            .await
    }

    async fn release(&self, lease: &LeaseId, back: &GiveBack) -> Result<(), StoreError> {
        self.ask("release a lease", self.inner.release(lease, back))
            .await
    }

    async fn seed(&self, key: &ContextKey, seed: &Seed) -> Result<(), StoreError> {
        self.ask("seed a context", self.inner.seed(key, seed)).await
    }

    async fn judge(&self, key: &ContextKey, suspect: &Suspect) -> Result<Verdict, StoreError> {
        self.ask("judge a deployment", self.inner.judge(key, suspect))
            .await
    }

    async fn is_kept(
        &self,
        key: &ContextKey,
        deployment: &DeploymentId,
    ) -> Result<bool, StoreError> {
        self.ask("tell what is kept", self.inner.is_kept(key, deployment))
            .await
    }

    async fn forget_condemned(
        &self,
        key: &ContextKey,
        deployment: &DeploymentId,
    ) -> Result<(), StoreError> {
        let forgetting = self.inner.forget_condemned(key, deployment);
        self.ask("forget a deployment", forgetting).await
    }

    async fn mend(&self, key: &ContextKey, gone: &DeploymentId) -> Result<bool, StoreError> {
        self.ask("mend a record", self.inner.mend(key, gone)).await
    }

    async fn remembers(&self) -> Result<bool, StoreError> {
        self.ask("tell whether it remembers", self.inner.remembers())
            .await
    }

    async fn begin_rebuild(&self, nonce: &str) -> Result<(), StoreError> {
        self.ask("begin a rebuild", self.inner.begin_rebuild(nonce))
            .await
    }

    async fn complete_rebuild(&self, nonce: &str) -> Result<bool, StoreError> {
        self.ask("complete a rebuild", self.inner.complete_rebuild(nonce))
            .await
    }

    async fn lead_sweep(&self, owner: &Owner, ttl: Duration) -> Result<bool, StoreError> {
        self.ask("lead the sweep", self.inner.lead_sweep(owner, ttl))
            .await
    }

    async fn touch(
        &self,
        key: &ContextKey,
        ttl: Option<Duration>,
    ) -> Result<Option<Timestamp>, StoreError> {
        self.ask("touch a context", self.inner.touch(key, ttl))
            .await
    }

    async fn admit(&self, request: &AdmitRequest) -> Result<Admission, StoreError> {
        self.ask("admit a revision", self.inner.admit(request))
            .await
    }

    async fn leave(&self, member: &QuotaMember) -> Result<(), StoreError> {
        self.ask("leave a quota", self.inner.leave(member)).await
    }

    async fn quota_used(&self, tenant: &TenantId, set: QuotaSet) -> Result<u64, StoreError> {
        self.ask("read a quota", self.inner.quota_used(tenant, set))
            .await
    }

    async fn gates(&self) -> Result<BTreeMap<GateId, Gate>, StoreError> {
        self.ask("read the gates", self.inner.gates()).await
    }

    async fn enter_gate(&self, gate: &GateId, entry: &GateEntry) -> Result<GateAnswer, StoreError> {
        self.ask("enter a gate", self.inner.enter_gate(gate, entry))
            .await
    }

    async fn report_gate(&self, gate: &GateId, report: &GateReport) -> Result<(), StoreError> {
        self.ask("report to a gate", self.inner.report_gate(gate, report))
            .await
    }

    async fn nudge(&self, key: &ContextKey) -> Result<(), StoreError> {
        self.ask("wake who watches", self.inner.nudge(key)).await
    }

    async fn context(&self, key: &ContextKey) -> Result<Option<ContextRecord>, StoreError> {
        let Inner { link, keys, .. } = &*self.inner;
        self.ask("read a context", reading::record(link, keys, key))
            .await
    }

    async fn contexts(
        &self,
        tenant: Option<&TenantId>,
        limit: u32,
    ) -> Result<Vec<ContextSummary>, StoreError> {
        let Inner { link, keys, .. } = &*self.inner;
        let listed = listing::contexts(link, keys, tenant, limit as usize);
        self.ask("list contexts", listed).await
    }

    async fn outcome(
        &self,
        key: &ContextKey,
        ordinal: Ordinal,
    ) -> Result<Option<SettledOutcome>, StoreError> {
        let Inner { link, keys, .. } = &*self.inner;
        self.ask(
            "read an outcome",
            reading::outcome(link, keys, key, ordinal),
        )
        .await
    }

    async fn resolve_alias(&self, alias: &HostLabel) -> Result<Option<ContextKey>, StoreError> {
        let Inner { link, keys, .. } = &*self.inner;
        self.ask("resolve an alias", reading::by_alias(link, keys, alias))
            .await
    }

    async fn expired(
        &self,
        since: Timestamp,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<(ContextKey, ContextRecord)>, StoreError> {
        let expired = self.inner.expired((since, now), limit);
        self.ask("list expired previews", expired).await
    }

    fn keeps_outcomes_for(&self) -> Duration {
        self.inner.keep_outcomes
    }

    async fn history(
        &self,
        key: Option<&ContextKey>,
        limit: u32,
    ) -> Result<Vec<HistoryEntry>, StoreError> {
        self.ask("read the history", self.inner.history(key, limit))
            .await
    }

    async fn now(&self) -> Result<Timestamp, StoreError> {
        self.ask("tell the time", self.inner.now()).await
    }

    fn watch(&self, key: &ContextKey) -> Box<dyn Watch> {
        Box::new(RedisWatch::new(&self.inner.board, key))
    }
}
