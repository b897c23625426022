//! The embedded adapter under test.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
pub(crate) use foreshow_conformance::store::{
    Adapter, HandClock, TTL, ask, calm, deployment, entry, failed, fires, gate, grant, hand_over,
    key, make_live, revision, settlement, soon, up,
};
use foreshow_engine::Store;
use foreshow_sqlite::{Database, Options};
use foreshow_store::embedded::{EmbeddedStore, KEEP_OUTCOMES};

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

impl Sqlite {
    pub(crate) async fn new() -> Self {
        let folder = Folder::new(HandClock::new());
        Self {
            store: folder.open().await,
            folder,
        }
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

    async fn another(&self) -> Arc<dyn Store> {
        Arc::new(self.folder.open().await)
    }

    async fn wiped(&self) -> Arc<dyn Store> {
        static FILES: AtomicU64 = AtomicU64::new(0);
        let number = FILES.fetch_add(1, Ordering::Relaxed);
        let db = self.folder.path(&format!("another-{number}.db"));
        let db = Database::open(&db, Options::default()).await.unwrap();
        Arc::new(open(db, &self.folder.clock).await)
    }
}
