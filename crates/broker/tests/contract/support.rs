//! Adapters under test, and what tests are written with.

use std::{future::Future, num::NonZeroU32, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use foreshow_broker::embedded::EmbeddedBroker;
use foreshow_contract::{
    AttemptReport, ContextKey, EventKind, FailureCode, HeaderValue, Headers, RemovalReason,
    Removed, ResultBody, ResultEvent, Revision, Timestamp,
};
use foreshow_engine::{
    Broker, Clock, DeadLetterReason, Deliveries, Delivery, Message,
    testing::{MemoryBroker, PausedClock},
};
use foreshow_sqlite::{Database, Options};

/// An adapter with nothing in its queues.
#[async_trait]
pub(crate) trait Adapter: Send + Sync {
    /// The handle under test.
    fn broker(&self) -> Arc<dyn Broker>;

    /// What the port has no method for.
    async fn dead_letters(&self) -> Vec<(Message, DeadLetterReason)>;
}

pub(crate) struct Memory(MemoryBroker);

pub(crate) async fn memory() -> Memory {
    Memory(MemoryBroker::new(Arc::new(PausedClock::start())))
}

#[async_trait]
impl Adapter for Memory {
    fn broker(&self) -> Arc<dyn Broker> {
        Arc::new(self.0.clone())
    }

    async fn dead_letters(&self) -> Vec<(Message, DeadLetterReason)> {
        self.0.dead_letters()
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

    async fn dead_letters(&self) -> Vec<(Message, DeadLetterReason)> {
        let letters = self.broker.dead_letters(100).await.unwrap();
        letters
            .into_iter()
            .rev()
            .map(|letter| (letter.message, letter.reason))
            .collect()
    }
}

pub(crate) struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

pub(crate) fn update(text: &str) -> Message {
    message("context.updated.acme", text)
}

pub(crate) fn end(text: &str) -> Message {
    message("context.ended.acme", text)
}

fn message(routing_key: &str, text: &str) -> Message {
    Message {
        routing_key: routing_key.to_owned(),
        content_type: Some("application/cloudevents+json".to_owned()),
        message_type: Some("update".to_owned()),
        headers: Headers::from([
            ("traceparent".to_owned(), format!("00-{text}").into()),
            ("count".to_owned(), HeaderValue::Integer(-7)),
            ("fine".to_owned(), HeaderValue::Boolean(true)),
            (
                "at".to_owned(),
                HeaderValue::Timestamp {
                    timestamp: 1_790_000_000,
                },
            ),
        ]),
        body: Bytes::copy_from_slice(text.as_bytes()),
    }
}

pub(crate) fn result(tenant: &str, context: &str, revision: u64) -> ResultEvent {
    let body = ResultBody::Removed(Removed {
        key: ContextKey::try_new(tenant, context).unwrap(),
        revision: Revision::try_new(revision).unwrap(),
        reason: RemovalReason::Ended,
    });
    ResultEvent::of(EventKind::End, 0, body, Timestamp::from_micros(1)).unwrap()
}

pub(crate) fn failed_attempt(number: u32) -> AttemptReport {
    AttemptReport {
        number,
        at: Timestamp::from_micros(7),
        provider: Some("local".into()),
        code: FailureCode::from("provider_unavailable"),
        message: "no answer".to_owned(),
    }
}

pub(crate) fn count(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

pub(crate) fn text(delivery: &Delivery) -> &str {
    std::str::from_utf8(&delivery.message.body).unwrap()
}

/// For what must happen: a test that waits longer than this has failed.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), future)
        .await
        .expect("it took too long")
}

pub(crate) async fn next(deliveries: &mut Box<dyn Deliveries>) -> Delivery {
    soon(deliveries.next()).await.unwrap()
}

/// For what must not happen, as far as a short wait can tell.
pub(crate) async fn expect_nothing(deliveries: &mut Box<dyn Deliveries>) {
    let waited = tokio::time::timeout(Duration::from_millis(150), deliveries.next()).await;
    assert!(
        waited.is_err(),
        "nothing was expected, but {:?} came",
        text(&waited.unwrap().unwrap())
    );
}
