//! The store: the engine's own in-memory one behind a link that loses, stalls and forgets; what it answers is noted.

use std::{collections::BTreeMap, sync::Arc, sync::Mutex, time::Duration};

use async_trait::async_trait;
use foreshow_contract::{ContextKey, DeploymentId, HostLabel, Ordinal, TenantId, Timestamp};
use foreshow_engine::{
    Admission, AdmitRequest, Claim, Claimed, Clock as _, ContextRecord, ContextSummary, Gate,
    GateAnswer, GateEntry, GateId, GateReport, GiveBack, GoLive, HistoryEntry, LeaseId, Live,
    Owner, Purpose, QuotaMember, QuotaSet, RecordedDeployment, Recording, Renewal, Seed,
    SettledOutcome, Settlement, Settling, Store, StoreError, Suspect, Verdict, Watch,
    testing::MemoryStore,
};
use futures_util::FutureExt as _;
use tokio::{sync::Notify, time::Instant};

use crate::{
    link::Link,
    process::current_task,
    stats::Count,
    weather::Port,
    world::{WallClock, World, lock},
};

/// The store that all workers share.
#[derive(Clone)]
pub(crate) struct SharedStore {
    world: World,
    pub(crate) memory: MemoryStore,
    pub(crate) clock: WallClock,
    board: Arc<Board>,
}

/// Notices in an order that repeats itself: tokio's own channels wake their readers in a random one.
#[derive(Default)]
struct Board(Mutex<BTreeMap<ContextKey, Arc<Notify>>>);

impl SharedStore {
    pub(crate) fn new(world: &World, clock: WallClock) -> Self {
        Self {
            world: world.clone(),
            memory: MemoryStore::new(Arc::new(clock.clone())),
            clock,
            board: Arc::default(),
        }
    }

    /// Forgets everything.
    pub(crate) fn wipe(&self) {
        self.world.tell("store", || "loses its memory".to_owned());
        self.world.stats().count(Count::Wipes);
        self.world.tower().wiped();
        self.memory.wipe();
    }

    /// The board of one context, fed from the store's own notices by a task that lives as long as the world.
    fn board(&self, key: &ContextKey) -> Arc<Notify> {
        let mut boards = lock(&self.board.0);
        if let Some(board) = boards.get(key) {
            return Arc::clone(board);
        }
        let board = Arc::new(Notify::new());
        boards.insert(key.clone(), Arc::clone(&board));
        let mut notices = self.memory.watch(key);
        let posts = Arc::clone(&board);
        let world = self.world.clone();
        tokio::spawn(async move {
            loop {
                notices.changed().await;
                let lose = world.weather().lose_notice;
                if !world.happens(lose) {
                    posts.notify_waiters();
                }
            }
        });
        board
    }
}

/// A worker's link to the store.
pub(crate) struct StoreLink {
    link: Link,
    store: SharedStore,
}

/// A step of the in-memory store, which never waits.
macro_rules! step {
    ($future:expr) => {
        $future
            .now_or_never()
            .expect("a step in memory does not wait")
    };
}

/// A call that is passed on as it is: what it was asked with by reference, then by value. All of it is taken along, for the call
/// may land when whoever made it is gone.
macro_rules! pass {
    ($link:expr, $operation:literal, $method:ident($(&$held:ident),* $(; $($plain:ident),+)?)) => {{
        $(let $held = $held.to_owned();)*
        $link
            .ask($operation, move |store| {
                step!(store.memory.$method($(&$held,)* $($($plain),+)?))
            })
            .await
    }};
}

impl StoreLink {
    pub(crate) fn new(link: Link, store: SharedStore) -> Self {
        Self { link, store }
    }

    async fn ask<T: Send + 'static>(
        &self,
        operation: &'static str,
        landing: impl FnOnce(&SharedStore) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.store.clone();
        let asked = self
            .link
            .call(Port::Store, false, || (), move || landing(&store));
        asked.await.unwrap_or_else(|lost| {
            Err(StoreError {
                operation,
                source: lost.into(),
            })
        })
    }

    fn tell(&self, line: impl FnOnce() -> String) {
        self.link.world.tell(self.link.process.name(), line);
    }
}

/// How a lease is called in a story.
fn short(lease: &LeaseId) -> String {
    format!("{}/{}", lease.key.context.as_str(), lease.ordinal)
}

#[async_trait]
impl Store for StoreLink {
    async fn claim(&self, claim: &Claim) -> Result<Claimed, StoreError> {
        let task = current_task();
        let asked_at = Instant::now();
        let (asked, ours) = (claim.clone(), claim.clone());
        let who = self.link.process.name().to_owned();
        self.link.world.tower().claims(task);
        let claimed = self
            .ask("claim a context", move |store| {
                let before = store.memory.records().remove(&asked.key);
                let claimed = step!(store.memory.claim(&asked))?;
                let now = store.clock.now();
                if asked.purpose == Purpose::Expiry {
                    let after = store.memory.records().remove(&asked.key);
                    let accepted = before.zip(after);
                    let mut tower = store.world.tower();
                    tower.expiry_landed(&asked.key, accepted.as_ref(), now);
                }
                store
                    .world
                    .tower()
                    .claim_landed(&asked, &claimed, now, &store.world);
                store.world.tell(&who, || {
                    format!(
                        "claims {}/{}: {}",
                        asked.key.context.as_str(),
                        asked.ordinal,
                        answer(&claimed)
                    )
                });
                Ok(claimed)
            })
            .await?;
        if let Claimed::Granted { lease, .. } = &claimed {
            self.link
                .world
                .tower()
                .granted(task, lease.id(), asked_at, ours.ttl);
        }
        Ok(claimed)
    }

    async fn renew(&self, lease: &LeaseId, ttl: Duration) -> Result<Renewal, StoreError> {
        let asked_at = Instant::now();
        let ours = lease.clone();
        let renewal = self
            .ask("renew a lease", move |store| {
                let renewal = step!(store.memory.renew(&ours, ttl))?;
                if matches!(renewal, Renewal::Renewed { .. }) {
                    let until = store.clock.now().saturating_add(ttl);
                    store.world.tower().prolonged(&ours, until);
                }
                Ok(renewal)
            })
            .await?;
        match renewal {
            Renewal::Renewed { .. } => self.link.world.tower().renewed(lease, asked_at),
            Renewal::Lost => {
                self.link.world.stats().count(Count::LeasesLost);
                self.tell(|| format!("has lost the lease of {}", short(lease)));
            }
        }
        Ok(renewal)
    }

    async fn record_deployment(
        &self,
        lease: &LeaseId,
        deployment: &RecordedDeployment,
    ) -> Result<Recording, StoreError> {
        let (lease, deployment) = (lease.clone(), deployment.clone());
        let who = self.link.process.name().to_owned();
        self.ask("record a deployment", move |store| {
            let recording = step!(store.memory.record_deployment(&lease, &deployment))?;
            if recording == Recording::Recorded {
                store
                    .world
                    .tower()
                    .accepted_into_record(&deployment.deployment);
            }
            store.world.tell(&who, || {
                format!(
                    "records {} for {}: {recording:?}",
                    deployment.deployment,
                    short(&lease)
                )
            });
            Ok(recording)
        })
        .await
    }

    async fn go_live(
        &self,
        lease: &LeaseId,
        live: &Live,
        expires_at: Timestamp,
        ttl: Duration,
    ) -> Result<GoLive, StoreError> {
        let (lease, live) = (lease.clone(), live.clone());
        let who = self.link.process.name().to_owned();
        self.ask("record what goes live", move |store| {
            let recording = step!(store.memory.go_live(&lease, &live, expires_at, ttl))?;
            if recording == Recording::Recorded {
                let until = store.clock.now().saturating_add(ttl);
                let mut tower = store.world.tower();
                tower.prolonged(&lease, until);
                tower.accepted_into_record(&live.deployment);
                tower.went_live(&lease.key, live.revision, &live.deployment);
            }
            store.world.tell(&who, || {
                format!(
                    "goes live with {} as {}: {recording:?}",
                    live.deployment,
                    short(&lease)
                )
            });
            Ok(recording)
        })
        .await
    }

    async fn settle(
        &self,
        lease: &LeaseId,
        settlement: &Settlement,
    ) -> Result<Settling, StoreError> {
        self.link.world.tower().lets_go(current_task());
        let (lease, settlement) = (lease.clone(), settlement.clone());
        let who = self.link.process.name().to_owned();
        self.ask("settle an event", move |store| {
            let settling = step!(store.memory.settle(&lease, &settlement))?;
            if let Settling::Settled { outcome } = &settling {
                store.world.tower().settled(
                    &lease,
                    outcome,
                    settlement.cancelled.is_some(),
                    &store.world,
                );
            }
            store.world.tell(&who, || {
                let cancelled = settlement.cancelled.as_deref().unwrap_or_default();
                let lost = if settling == Settling::Lost {
                    ": lost"
                } else {
                    ""
                };
                format!(
                    "settles {} as {} {}{cancelled}{lost}",
                    short(&lease),
                    settlement.outcome.kind(),
                    settlement.outcome.detail()
                )
            });
            Ok(settling)
        })
        .await
    }

    async fn release(&self, lease: &LeaseId, back: &GiveBack) -> Result<(), StoreError> {
        self.link.world.tower().lets_go(current_task());
        let (lease, back) = (lease.clone(), back.clone());
        let who = self.link.process.name().to_owned();
        self.ask("release a lease", move |store| {
            step!(store.memory.release(&lease, &back))?;
            store.world.tower().released(&lease);
            store.world.tell(&who, || match &back {
                GiveBack::HandedOver => format!("hands {} over", short(&lease)),
                GiveBack::Deferred { why, .. } => format!("defers {}: {why}", short(&lease)),
            });
            Ok(())
        })
        .await
    }

    async fn seed(&self, key: &ContextKey, seed: &Seed) -> Result<(), StoreError> {
        let (key, seed) = (key.clone(), seed.clone());
        let who = self.link.process.name().to_owned();
        self.ask("seed a context", move |store| {
            step!(store.memory.seed(&key, &seed))?;
            if let Some(live) = &seed.live {
                store.world.tower().seeded(&key, &live.deployment);
            }
            store.world.tell(&who, || {
                format!(
                    "seeds {} with newest {:?}",
                    key.context.as_str(),
                    seed.newest
                )
            });
            Ok(())
        })
        .await
    }

    async fn judge(&self, key: &ContextKey, suspect: &Suspect) -> Result<Verdict, StoreError> {
        let (key, suspect) = (key.clone(), suspect.clone());
        let who = self.link.process.name().to_owned();
        self.ask("judge a deployment", move |store| {
            let verdict = step!(store.memory.judge(&key, &suspect))?;
            if verdict == Verdict::Condemned {
                store.world.stats().count(Count::Condemned);
                let record = step!(store.memory.context(&key))?;
                let is_written =
                    record.is_some_and(|record| record.condemned.contains(&suspect.deployment.id));
                store
                    .world
                    .tower()
                    .condemned(&key, &suspect.deployment.id, is_written);
            }
            store.world.tell(&who, || {
                format!(
                    "judges {} of {}: {verdict:?}",
                    suspect.deployment.id,
                    key.context.as_str()
                )
            });
            Ok(verdict)
        })
        .await
    }

    async fn is_kept(
        &self,
        key: &ContextKey,
        deployment: &DeploymentId,
    ) -> Result<bool, StoreError> {
        pass!(self, "tell what is kept", is_kept(&key, &deployment))
    }

    async fn forget_condemned(
        &self,
        key: &ContextKey,
        deployment: &DeploymentId,
    ) -> Result<(), StoreError> {
        let (key, deployment) = (key.clone(), deployment.clone());
        self.ask("forget a deployment", move |store| {
            step!(store.memory.forget_condemned(&key, &deployment))?;
            store.world.tower().condemned_is_forgotten(&deployment);
            Ok(())
        })
        .await
    }

    async fn mend(&self, key: &ContextKey, gone: &DeploymentId) -> Result<bool, StoreError> {
        let (key, gone) = (key.clone(), gone.clone());
        let who = self.link.process.name().to_owned();
        self.ask("mend a record", move |store| {
            let mended = step!(store.memory.mend(&key, &gone))?;
            store.world.tell(&who, || {
                format!("mends {}: {gone} is gone ({mended})", key.context.as_str())
            });
            Ok(mended)
        })
        .await
    }

    async fn remembers(&self) -> Result<bool, StoreError> {
        pass!(self, "tell whether it remembers", remembers())
    }

    async fn begin_rebuild(&self, nonce: &str) -> Result<(), StoreError> {
        pass!(self, "begin a rebuild", begin_rebuild(&nonce))
    }

    async fn complete_rebuild(&self, nonce: &str) -> Result<bool, StoreError> {
        let nonce = nonce.to_owned();
        let who = self.link.process.name().to_owned();
        self.ask("complete a rebuild", move |store| {
            let completed = step!(store.memory.complete_rebuild(&nonce))?;
            store
                .world
                .tell(&who, || format!("completes a rebuild: {completed}"));
            Ok(completed)
        })
        .await
    }

    async fn lead_sweep(&self, owner: &Owner, ttl: Duration) -> Result<bool, StoreError> {
        self.link.world.tower().sweeps(current_task());
        pass!(self, "lead the sweep", lead_sweep(&owner; ttl))
    }

    async fn touch(
        &self,
        key: &ContextKey,
        ttl: Option<Duration>,
    ) -> Result<Option<Timestamp>, StoreError> {
        pass!(self, "touch a context", touch(&key; ttl))
    }

    async fn admit(&self, request: &AdmitRequest) -> Result<Admission, StoreError> {
        pass!(self, "admit a revision", admit(&request))
    }

    async fn leave(&self, member: &QuotaMember) -> Result<(), StoreError> {
        pass!(self, "leave a quota", leave(&member))
    }

    async fn quota_used(&self, tenant: &TenantId, set: QuotaSet) -> Result<u64, StoreError> {
        pass!(self, "read a quota", quota_used(&tenant; set))
    }

    async fn gates(&self) -> Result<BTreeMap<GateId, Gate>, StoreError> {
        pass!(self, "read the gates", gates())
    }

    async fn enter_gate(&self, gate: &GateId, entry: &GateEntry) -> Result<GateAnswer, StoreError> {
        pass!(self, "enter a gate", enter_gate(&gate, &entry))
    }

    async fn report_gate(&self, gate: &GateId, report: &GateReport) -> Result<(), StoreError> {
        pass!(self, "report to a gate", report_gate(&gate, &report))
    }

    async fn nudge(&self, key: &ContextKey) -> Result<(), StoreError> {
        pass!(self, "wake who watches", nudge(&key))
    }

    async fn context(&self, key: &ContextKey) -> Result<Option<ContextRecord>, StoreError> {
        pass!(self, "read a context", context(&key))
    }

    async fn contexts(
        &self,
        tenant: Option<&TenantId>,
        limit: u32,
    ) -> Result<Vec<ContextSummary>, StoreError> {
        let tenant = tenant.cloned();
        self.ask("list contexts", move |store| {
            step!(store.memory.contexts(tenant.as_ref(), limit))
        })
        .await
    }

    async fn outcome(
        &self,
        key: &ContextKey,
        ordinal: Ordinal,
    ) -> Result<Option<SettledOutcome>, StoreError> {
        pass!(self, "read an outcome", outcome(&key; ordinal))
    }

    async fn resolve_alias(&self, alias: &HostLabel) -> Result<Option<ContextKey>, StoreError> {
        pass!(self, "resolve an alias", resolve_alias(&alias))
    }

    async fn expired(
        &self,
        since: Timestamp,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<(ContextKey, ContextRecord)>, StoreError> {
        pass!(self, "list expired previews", expired(; since, now, limit))
    }

    fn keeps_outcomes_for(&self) -> Duration {
        self.store.memory.keeps_outcomes_for()
    }

    async fn history(
        &self,
        key: Option<&ContextKey>,
        limit: u32,
    ) -> Result<Vec<HistoryEntry>, StoreError> {
        let key = key.cloned();
        self.ask("read the history", move |store| {
            step!(store.memory.history(key.as_ref(), limit))
        })
        .await
    }

    async fn now(&self) -> Result<Timestamp, StoreError> {
        pass!(self, "tell the time", now())
    }

    fn watch(&self, key: &ContextKey) -> Box<dyn Watch> {
        let board = self.store.board(key);
        // Listening from now on, not from the first wait.
        let next = Box::pin(Arc::clone(&board).notified_owned());
        let mut watch = Notices { board, next };
        watch.listen();
        Box::new(watch)
    }
}

/// Notices about one context.
struct Notices {
    board: Arc<Notify>,
    next: std::pin::Pin<Box<tokio::sync::futures::OwnedNotified>>,
}

impl Notices {
    fn listen(&mut self) {
        self.next = Box::pin(Arc::clone(&self.board).notified_owned());
        self.next.as_mut().enable();
    }
}

#[async_trait]
impl Watch for Notices {
    async fn changed(&mut self) {
        self.next.as_mut().await;
        self.listen();
    }
}

fn answer(claimed: &Claimed) -> String {
    match claimed {
        Claimed::Finished(settled) => format!("it ended before as {}", settled.outcome.kind()),
        Claimed::Stale { by } => format!("stale, by {by}"),
        Claimed::Conflict => "conflict".to_owned(),
        Claimed::Moot => "moot".to_owned(),
        Claimed::Held { .. } => "held".to_owned(),
        Claimed::Granted { is_unknown, .. } => if *is_unknown {
            "granted, unknown"
        } else {
            "granted"
        }
        .to_owned(),
    }
}
