//! Adapters under test, and what tests are written with.

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use foreshow_broker::embedded::EmbeddedBroker;
pub(crate) use foreshow_conformance::broker::{
    Adapter, count, dead_letters, delay_of, end, expect_nothing, failed_attempt, next, result,
    soon, text, update,
};
use foreshow_contract::Timestamp;
use foreshow_engine::{
    Broker, Clock,
    testing::{MemoryBroker, PausedClock},
};
use foreshow_sqlite::{Database, Options};

pub(crate) struct Memory(MemoryBroker);

pub(crate) fn memory() -> Memory {
    Memory(MemoryBroker::new(Arc::new(PausedClock::start())))
}

#[async_trait]
impl Adapter for Memory {
    fn broker(&self) -> Arc<dyn Broker> {
        Arc::new(self.0.clone())
    }
}

/// A folder with one file of queues. Every handle has its own connections and its own session, as another process has.
pub(crate) struct Folder {
    dir: tempfile::TempDir,
}

impl Folder {
    pub(crate) fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.dir.path().join("queues.db")
    }

    pub(crate) fn sessions(&self) -> PathBuf {
        self.dir.path().join("sessions")
    }

    pub(crate) async fn database(&self) -> Database {
        Database::open(&self.file(), Options::default())
            .await
            .unwrap()
    }

    pub(crate) async fn open(&self) -> EmbeddedBroker {
        open(self.database().await, self.sessions()).await
    }
}

pub(crate) async fn open(db: Database, sessions: PathBuf) -> EmbeddedBroker {
    EmbeddedBroker::open(db, sessions, Arc::new(WallClock))
        .await
        .unwrap()
}

pub(crate) struct Sqlite {
    broker: EmbeddedBroker,
    _folder: Folder,
}

pub(crate) async fn sqlite() -> Sqlite {
    let folder = Folder::new();
    Sqlite {
        broker: folder.open().await,
        _folder: folder,
    }
}

#[async_trait]
impl Adapter for Sqlite {
    fn broker(&self) -> Arc<dyn Broker> {
        Arc::new(self.broker.clone())
    }
}

pub(crate) struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
