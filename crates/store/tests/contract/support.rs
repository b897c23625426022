//! Adapters under test, and what tests are written with.

use std::{
    future::Future,
    num::NonZeroU32,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use foreshow_contract::{
    ContextKey, FailureCode, FailureReport, HostLabel, InstallationKey, Ordinal, Revision,
    Timestamp, Timings,
};
use foreshow_engine::{
    Address, AdmitRequest, Claim, Claimed, Clock, ContextRecord, Lease, LeaseId, Live, Outcome,
    Owner, ReadyOutcome, RecordedDeployment, Settlement, Store, Watch, testing::MemoryStore,
};
use foreshow_sqlite::{Database, Options};
use foreshow_store::embedded::{EmbeddedStore, KEEP_OUTCOMES};

pub(crate) const TTL: Duration = Duration::from_secs(30);

/// A clock that moves when it is told to.
#[derive(Clone, Debug)]
pub(crate) struct HandClock(Arc<AtomicI64>);

impl HandClock {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicI64::new(1_767_225_600_000_000)))
    }

    pub(crate) fn advance(&self, by: Duration) {
        let micros = i64::try_from(by.as_micros()).unwrap();
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// An adapter that knows no context, on a clock that is moved by hand.
#[async_trait]
pub(crate) trait Adapter: Send + Sync {
    fn store(&self) -> Arc<dyn Store>;

    fn clock(&self) -> &HandClock;

    /// A store on the same clock that has lost everything.
    async fn wiped(&self) -> Arc<dyn Store>;

    fn now(&self) -> Timestamp {
        self.clock().now()
    }

    fn advance(&self, by: Duration) {
        self.clock().advance(by);
    }
}

pub(crate) struct Memory {
    store: MemoryStore,
    clock: HandClock,
}

pub(crate) async fn memory() -> Memory {
    let clock = HandClock::new();
    Memory {
        store: MemoryStore::new(Arc::new(clock.clone())),
        clock,
    }
}

#[async_trait]
impl Adapter for Memory {
    fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.store.clone())
    }

    fn clock(&self) -> &HandClock {
        &self.clock
    }

    async fn wiped(&self) -> Arc<dyn Store> {
        Arc::new(MemoryStore::new(Arc::new(self.clock.clone())))
    }
}

/// A folder with one file. Every handle has its own connections, as another process has.
pub(crate) struct Folder {
    dir: tempfile::TempDir,
    pub(crate) clock: HandClock,
}

impl Folder {
    pub(crate) fn new(clock: HandClock) -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            clock,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) async fn database(&self) -> Database {
        Database::open(&self.path("store.db"), Options::default())
            .await
            .unwrap()
    }

    pub(crate) async fn open(&self) -> EmbeddedStore {
        open(self.database().await, &self.clock).await
    }
}

pub(crate) async fn open(db: Database, clock: &HandClock) -> EmbeddedStore {
    EmbeddedStore::open(db, Arc::new(clock.clone()), KEEP_OUTCOMES)
        .await
        .unwrap()
}

pub(crate) struct Sqlite {
    store: EmbeddedStore,
    folder: Folder,
}

pub(crate) async fn sqlite() -> Sqlite {
    let folder = Folder::new(HandClock::new());
    Sqlite {
        store: folder.open().await,
        folder,
    }
}

#[async_trait]
impl Adapter for Sqlite {
    fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.store.clone())
    }

    fn clock(&self) -> &HandClock {
        &self.folder.clock
    }

    async fn wiped(&self) -> Arc<dyn Store> {
        let db = self.folder.path("another.db");
        let db = Database::open(&db, Options::default()).await.unwrap();
        Arc::new(open(db, &self.folder.clock).await)
    }
}

pub(crate) fn key(context: &str) -> ContextKey {
    ContextKey::try_new("acme", context).unwrap()
}

pub(crate) fn revision(number: u64) -> Revision {
    Revision::try_new(number).unwrap()
}

pub(crate) fn up(number: u64) -> Ordinal {
    Ordinal::update(revision(number))
}

pub(crate) fn end(number: u64) -> Ordinal {
    Ordinal::end(revision(number))
}

pub(crate) fn count(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

pub(crate) fn alias(key: &ContextKey) -> HostLabel {
    let installation = InstallationKey::try_from_slice(&[7; 32]).unwrap();
    installation.alias_label(key)
}

/// A claim by a delivery of its own.
pub(crate) fn claim(key: &ContextKey, ordinal: Ordinal, digest: &str) -> Claim {
    static OWNERS: AtomicU64 = AtomicU64::new(1);
    Claim {
        key: key.clone(),
        ordinal,
        digest: digest.to_owned(),
        alias: alias(key),
        owner: Owner::new(format!("owner-{}", OWNERS.fetch_add(1, Ordering::Relaxed))),
        ttl: TTL,
    }
}

pub(crate) async fn ask(store: &dyn Store, key: &ContextKey, ordinal: Ordinal) -> Claimed {
    store
        .claim(&claim(key, ordinal, &ordinal.to_string()))
        .await
        .unwrap()
}

/// Claims, where the claim is expected to be granted.
pub(crate) async fn grant(
    store: &dyn Store,
    key: &ContextKey,
    ordinal: Ordinal,
) -> (Lease, ContextRecord) {
    match ask(store, key, ordinal).await {
        Claimed::Granted { lease, record } => (lease, *record),
        other => panic!("{ordinal} of {key} was not granted but {other:?}"),
    }
}

pub(crate) fn live(number: u64, deployment: &str) -> Live {
    Live {
        revision: revision(number),
        provider: "local".into(),
        deployment: deployment.into(),
        address: Address::new(format!("at-{deployment}")),
        tree: "tree".to_owned(),
        settings: "settings".to_owned(),
    }
}

pub(crate) fn deployment(id: &str) -> RecordedDeployment {
    RecordedDeployment {
        provider: "local".into(),
        deployment: id.into(),
    }
}

pub(crate) fn ready(deployment: &str, expires_at: Timestamp) -> Outcome {
    Outcome::Ready(Box::new(ReadyOutcome {
        provider: "local".into(),
        deployment: deployment.into(),
        address: Address::new(format!("at-{deployment}")),
        alias_address: Address::new("alias"),
        unchanged: false,
        expires_at,
        timings: Timings::default(),
        bytes_uploaded: 5,
        bytes_reused: 6,
        attempts: 1,
        replaced: Vec::new(),
    }))
}

pub(crate) fn failed() -> Outcome {
    Outcome::Failed {
        report: Box::new(FailureReport {
            code: FailureCode::from("build_failed"),
            message: "the build ended with an error".to_owned(),
            provider: Some("local".into()),
            attempts: Vec::new(),
            log_tail: vec!["line".to_owned()],
        }),
    }
}

/// An expiry that no test reaches.
pub(crate) fn far() -> Timestamp {
    Timestamp::MAX
}

pub(crate) fn settlement(outcome: Outcome) -> Settlement {
    let expires_at = match &outcome {
        Outcome::Ready(ready) => Some(ready.expires_at),
        Outcome::Failed { .. } | Outcome::Removed | Outcome::Superseded { .. } => None,
    };
    Settlement {
        outcome,
        expires_at,
        kept: (1..=9).map(|n| format!("dep-{n}").into()).collect(),
    }
}

/// Brings a revision live and settles it.
pub(crate) async fn make_live(
    store: &dyn Store,
    key: &ContextKey,
    number: u64,
    expires_at: Timestamp,
) {
    let (lease, _) = grant(store, key, up(number)).await;
    let name = format!("dep-{number}");
    store
        .go_live(lease.id(), &live(number, &name), expires_at, TTL)
        .await
        .unwrap();
    store
        .settle(lease.id(), &settlement(ready(&name, expires_at)))
        .await
        .unwrap();
}

pub(crate) fn admission(key: &ContextKey, number: u64, now: Timestamp) -> AdmitRequest {
    AdmitRequest {
        key: key.clone(),
        revision: revision(number),
        live_previews: None,
        concurrent_builds: None,
        is_live: false,
        live_until: now.saturating_add(Duration::from_secs(100)),
        build_until: now.saturating_add(Duration::from_secs(50)),
    }
}

/// A lease that nobody was ever given.
pub(crate) fn forged(id: &LeaseId) -> LeaseId {
    LeaseId {
        owner: Owner::new("nobody"),
        ..id.clone()
    }
}

/// For what must happen: a test that waits longer than this has failed.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), future)
        .await
        .expect("it took too long")
}

/// Whether the watch fires within a short time.
pub(crate) async fn fires(watch: &mut Box<dyn Watch>) -> bool {
    tokio::time::timeout(Duration::from_millis(100), watch.changed())
        .await
        .is_ok()
}
