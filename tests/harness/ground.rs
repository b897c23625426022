//! What a story stands on: one file, or RabbitMQ and Redis. The same stories are told on both.

use std::{path::Path, sync::Arc};

use foreshow_broker::{
    embedded::EmbeddedBroker,
    rabbitmq::{AmqpUrl, RabbitMqBroker, RabbitMqOptions},
};
use foreshow_contract::Timestamp;
use foreshow_engine::{Broker, Clock, Store};
use foreshow_servers::{
    RabbitMq, Redis, RedisOptions, Vhost,
    shared::{self, SharedRedis, SharedVhost},
};
use foreshow_sqlite::{Database, Options};
use foreshow_store::{
    embedded::{EmbeddedStore, KEEP_OUTCOMES},
    redis::{RedisOptions as StoreOptions, RedisStore, RedisUrl},
};

/// Tells stories on every ground, as one test each: `embedded::NAME` and `fleet::NAME`.
///
/// A story is an `async fn(Foreshow)`.
#[macro_export]
macro_rules! on_every_ground {
    ($($story:ident)*) => {
        mod embedded {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $story() {
                    super::$story($crate::Foreshow::embedded()).await;
                }
            )*
        }

        mod fleet {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $story() {
                    super::$story($crate::Foreshow::fleet().await).await;
                }
            )*
        }
    };
}

/// Where broker and store are.
pub enum Ground {
    /// In the data folder.
    Embedded,
    /// A vhost and a namespace of the run's own servers.
    Shared(Box<SharedVhost>, SharedRedis),
    /// Servers that the story may kill.
    Private(Box<PrivateServers>),
}

/// A RabbitMQ and a Redis of a story's own.
pub struct PrivateServers {
    /// The broker.
    pub rabbitmq: RabbitMq,
    /// The store.
    pub redis: Redis,
    _folder: tempfile::TempDir,
}

impl PrivateServers {
    /// Starts both.
    ///
    /// # Panics
    /// Where they don't start.
    pub async fn start() -> Self {
        let options = RedisOptions {
            appendonly: true,
            ..RedisOptions::default()
        };
        Self::start_with(options).await
    }

    /// Starts both, with such a Redis.
    ///
    /// # Panics
    /// Where they don't start.
    pub async fn start_with(options: RedisOptions) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be had");
        let [one, two] = ["rabbitmq", "redis"].map(|name| folder.path().join(name));
        let (rabbitmq, redis) = tokio::join!(RabbitMq::start(&one), Redis::start(&two, options));
        Self {
            rabbitmq: rabbitmq.expect("a private RabbitMQ starts"),
            redis: redis.expect("a private Redis starts"),
            _folder: folder,
        }
    }
}

impl PrivateServers {
    /// The broker's usual vhost.
    pub fn vhost(&self) -> Vhost {
        self.rabbitmq.management().vhost("/")
    }
}

impl Ground {
    /// What the binary has to be told.
    pub(crate) fn settings(&self) -> Vec<(String, String)> {
        let named = |settings: &[(&str, String)]| {
            let named = settings.iter();
            named
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect()
        };
        match self {
            Self::Embedded => Vec::new(),
            Self::Shared(vhost, redis) => named(&[
                ("FORESHOW_BROKER", vhost.amqp_url()),
                ("FORESHOW_STORE", redis.url.clone()),
                ("FORESHOW_REDIS__NAMESPACE", redis.namespace.clone()),
            ]),
            Self::Private(servers) => named(&[
                ("FORESHOW_BROKER", servers.rabbitmq.amqp_url("/")),
                ("FORESHOW_STORE", servers.redis.url()),
            ]),
        }
    }

    /// The servers of its own.
    ///
    /// # Panics
    /// Where it has none.
    pub fn private(&self) -> &PrivateServers {
        match self {
            Self::Private(servers) => servers,
            Self::Embedded | Self::Shared(..) => panic!("it has no servers of its own"),
        }
    }

    /// The vhost, where there is one.
    pub fn vhost(&self) -> Option<&Vhost> {
        match self {
            Self::Shared(vhost, _) => Some(vhost),
            Self::Embedded | Self::Private(_) => None,
        }
    }

    /// A broker's handle of the story's own, beside the binary's.
    pub(crate) async fn broker(&self, data_dir: &Path) -> Arc<dyn Broker> {
        let url = match self {
            Self::Embedded => {
                let db = Database::open(&data_dir.join("foreshow.db"), Options::default()).await;
                let db = db.expect("the file opens");
                let sessions = data_dir.join("sessions");
                let broker = EmbeddedBroker::open(db, sessions, Arc::new(WallClock)).await;
                return Arc::new(broker.expect("the broker opens"));
            }
            Self::Shared(vhost, _) => vhost.amqp_url(),
            Self::Private(servers) => servers.rabbitmq.amqp_url("/"),
        };
        let urls = AmqpUrl::parse_list(&url).expect("an AMQP URL");
        let broker = RabbitMqBroker::start(RabbitMqOptions::new(urls)).expect("sound options");
        Arc::new(broker)
    }

    /// The same of the store.
    pub(crate) async fn store(&self, data_dir: &Path) -> Arc<dyn Store> {
        let (url, namespace) = match self {
            Self::Embedded => {
                let db = Database::open(&data_dir.join("foreshow.db"), Options::default()).await;
                let db = db.expect("the file opens");
                let store = EmbeddedStore::open(db, Arc::new(WallClock), KEEP_OUTCOMES).await;
                return Arc::new(store.expect("the store opens"));
            }
            Self::Shared(_, redis) => (redis.url.clone(), Some(redis.namespace.clone())),
            Self::Private(servers) => (servers.redis.url(), None),
        };
        let url = RedisUrl::parse(&url).expect("a Redis URL");
        let mut options = StoreOptions::default();
        if let Some(namespace) = namespace {
            options.namespace = namespace;
        }
        Arc::new(RedisStore::start(&url, options).expect("sound options"))
    }
}

/// A vhost and a namespace of the run's own servers.
pub(crate) async fn shared_ground() -> Ground {
    Ground::Shared(Box::new(shared::rabbitmq().await), shared::redis())
}

pub(crate) struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
