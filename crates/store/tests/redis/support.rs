//! The adapter under test, on the run's Redis or on a private one.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
pub(crate) use foreshow_conformance::store::{
    Adapter, HandClock, TTL, admission, alias, ask, calm, claim, deployment, end, entry, failed,
    far, fires, gate, grant, hand_over, key, limited, live, make_live, ready, rebuild, revision,
    seed, settlement, soon, suspect, up,
};
use foreshow_engine::Store;
use foreshow_servers::shared::{self, SharedRedis};
use foreshow_store::redis::{RedisOptions, RedisStore, RedisUrl};

/// A store on a clock that is moved by hand, in a namespace of its own.
pub(crate) struct Remote {
    pub(crate) store: RedisStore,
    pub(crate) clock: HandClock,
    pub(crate) url: String,
    pub(crate) namespace: String,
    shared: Option<SharedRedis>,
}

impl Remote {
    /// On the run's Redis.
    pub(crate) async fn shared() -> Self {
        let shared = shared::redis();
        let mut remote = Self::at(&shared.url, &shared.namespace).await;
        remote.shared = Some(shared);
        remote
    }

    /// On another.
    pub(crate) async fn at(url: &str, namespace: &str) -> Self {
        let clock = HandClock::new();
        Self {
            store: on_hand(url, namespace, &clock).await,
            clock,
            url: url.to_owned(),
            namespace: namespace.to_owned(),
            shared: None,
        }
    }

    /// A second handle, as another process has.
    pub(crate) async fn again(&self) -> RedisStore {
        on_hand(&self.url, &self.namespace, &self.clock).await
    }
}

async fn on_hand(url: &str, namespace: &str, clock: &HandClock) -> RedisStore {
    let url = RedisUrl::parse(url).unwrap();
    RedisStore::connect_on(&url, options(namespace), Arc::new(clock.clone()))
        .await
        .unwrap()
}

/// A store on the server's own clock.
pub(crate) async fn connect(url: &str, namespace: &str) -> RedisStore {
    let url = RedisUrl::parse(url).unwrap();
    RedisStore::connect(&url, options(namespace)).await.unwrap()
}

/// The defaults, with limits that a busy machine keeps.
pub(crate) fn options(namespace: &str) -> RedisOptions {
    RedisOptions {
        namespace: namespace.to_owned(),
        connect_timeout: std::time::Duration::from_secs(20),
        response_timeout: std::time::Duration::from_secs(20),
        ..RedisOptions::default()
    }
}

#[async_trait]
impl Adapter for Remote {
    fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.store.clone())
    }

    fn clock(&self) -> &HandClock {
        &self.clock
    }

    async fn another(&self) -> Arc<dyn Store> {
        Arc::new(self.again().await)
    }

    async fn wiped(&self) -> Arc<dyn Store> {
        static STORES: AtomicU64 = AtomicU64::new(0);
        let number = STORES.fetch_add(1, Ordering::Relaxed);
        let elsewhere = format!("{}-wiped-{number}", self.namespace);
        Arc::new(on_hand(&self.url, &elsewhere, &self.clock).await)
    }

    async fn close(&self) {
        self.store.close().await.unwrap();
        if let Some(shared) = &self.shared {
            shared.clone().close().await;
        }
    }
}
