//! The engine with its real adapters, and a provider in memory: what is left is ours, RabbitMQ's and Redis's.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    sync::Arc,
    time::{Duration, Instant},
};

use foreshow_broker::rabbitmq::{AmqpUrl, RabbitMqBroker, RabbitMqOptions};
use foreshow_contract::{IncomingEvent, InstallationKey};
use foreshow_engine::{
    Broker, Clock, Engine, EngineOptions, EngineParts, ResultFilter, Tasks, Worker,
    testing::NoBundles,
};
use foreshow_servers::redis::Reply;
use foreshow_store::redis::{RedisOptions, RedisStore, RedisUrl};
use foreshow_tests::{PrivateServers, Publisher, key, update};
use tokio_util::sync::CancellationToken;

use crate::{AT_ONCE, MESSAGES, provider::Costless, rate};

/// What a race of the engine showed.
pub(crate) struct Figures {
    /// Events ended a second.
    pub(crate) rate: f64,
    /// Commands that Redis counted, for each.
    pub(crate) commands: f64,
}

/// Every event a context of its own.
pub(crate) async fn deploys(servers: &PrivateServers) -> Figures {
    let events = (0..MESSAGES).map(|n| {
        let key = key(&format!("tenant-{}", n % 20), &format!("ctx-{n}"));
        update(&key, 1, "<h1>hello</h1>")
    });
    race(servers, events.collect()).await
}

/// Every event older than the one that is live.
pub(crate) async fn superseded(servers: &PrivateServers) -> Figures {
    let storm = key("acme", "storm");
    let newest = MESSAGES as u64 + 1;
    race(servers, vec![update(&storm, newest, "newest")]).await;
    let events = (1..newest).map(|revision| update(&storm, revision, "old"));
    race(servers, events.collect()).await
}

async fn race(servers: &PrivateServers, events: Vec<IncomingEvent>) -> Figures {
    let count = events.len();
    let urls = AmqpUrl::parse_list(&servers.rabbitmq.amqp_url("/")).expect("an AMQP URL");
    let broker = RabbitMqBroker::start(RabbitMqOptions::new(urls)).expect("sound options");
    broker
        .apply_topology()
        .await
        .expect("the broker declares it");
    let url = RedisUrl::parse(&servers.redis.url()).expect("a Redis URL");
    let store = RedisStore::start(&url, RedisOptions::default()).expect("sound options");
    let broker: Arc<dyn Broker> = Arc::new(broker);

    let publisher = Publisher::new(Arc::clone(&broker));
    for some in events.chunks(512) {
        publisher.publish_all(some).await;
    }
    let mut results = broker
        .subscribe(ResultFilter::default())
        .await
        .expect("results can be heard");
    let mut options = EngineOptions::default();
    options.worker.concurrency = NonZeroUsize::new(AT_ONCE.into()).expect("it is not 0");
    options.worker.prefetch = NonZeroU32::new(AT_ONCE.into()).expect("it is not 0");
    let engine = Engine::new(EngineParts {
        broker: Arc::clone(&broker),
        store: Arc::new(store),
        lease_store: None,
        providers: vec![Arc::new(Costless::taking(Duration::ZERO))],
        bundles: Arc::new(NoBundles),
        clock: Arc::new(WallClock),
        installation: InstallationKey::try_from_slice(&[7; 32]).expect("32 bytes are a key"),
        options,
        seed: 7,
        worker: "bench".to_owned(),
        tasks: Tasks::default(),
    });
    let worker = Worker::new(engine.expect("sound options"));
    let stop = CancellationToken::new();
    let commands = commands(servers).await;
    let began_at = Instant::now();
    let work = tokio::spawn(worker.run(stop.clone()));
    let mut ended = 0;
    while ended < count {
        let result = results.next().await.expect("results can be read");
        ended += usize::from(result.is_end());
    }
    let rate = rate(count, began_at);
    stop.cancel();
    work.await.expect("nobody panics");
    let commands = self::commands(servers).await - commands;
    Figures {
        rate,
        commands: commands / rate_of(count),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn rate_of(count: usize) -> f64 {
    count as f64
}

/// Scripts that were called so far. Every step of the store is one; the commands inside them are not sent by anybody.
async fn commands(servers: &PrivateServers) -> f64 {
    let Ok(Reply::Text(stats)) = servers.redis.call(&["INFO", "commandstats"]).await else {
        panic!("INFO tells")
    };
    let calls = stats.lines().filter_map(|line| {
        let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        let calls = rest.split(',').next()?.parse::<f64>().ok()?;
        matches!(name, "evalsha" | "eval").then_some(calls)
    });
    calls.sum()
}

struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> foreshow_contract::Timestamp {
        foreshow_contract::Timestamp::now()
    }
}
