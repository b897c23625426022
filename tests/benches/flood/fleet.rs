//! Workers of one fleet in this process, and who publishes and hears.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use foreshow_broker::rabbitmq::{AmqpUrl, RabbitMqBroker, RabbitMqOptions};
use foreshow_contract::{ContextKey, IncomingEvent, InstallationKey, OutcomeKind, Timestamp};
use foreshow_engine::{
    Broker, Clock, Drained, Engine, EngineOptions, EngineParts, ResultFilter, Results, Tasks,
    Worker, testing::NoBundles,
};
use foreshow_store::redis::{RedisOptions, RedisStore, RedisUrl};
use foreshow_tests::{PrivateServers, Publisher};
use tokio::{task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{BUILD, WORKERS, provider::Costless};

/// See the module.
pub(crate) struct Fleet {
    publisher: Publisher,
    results: Box<dyn Results>,
    published_at: HashMap<ContextKey, Instant>,
    workers: Vec<JoinHandle<Drained>>,
    stop: CancellationToken,
}

/// A preview that became ready.
pub(crate) struct Heard {
    pub(crate) tenant: String,
    /// Since it was published.
    pub(crate) waited: Duration,
}

impl Fleet {
    pub(crate) async fn start(servers: &PrivateServers, waiting_percent: u8) -> Self {
        let ours = broker(servers);
        ours.apply_topology().await.expect("the broker declares it");
        let results = ours.subscribe(ResultFilter::default()).await;
        let mut fleet = Self {
            publisher: Publisher::new(Arc::new(ours)),
            results: results.expect("results can be heard"),
            published_at: HashMap::new(),
            workers: Vec::new(),
            stop: CancellationToken::new(),
        };
        let provider = Arc::new(Costless::taking(BUILD));
        for number in 0..WORKERS {
            let url = RedisUrl::parse(&servers.redis.url()).expect("a Redis URL");
            let store = RedisStore::start(&url, RedisOptions::default()).expect("sound options");
            let mut options = EngineOptions::default();
            options.worker.waiting_percent = waiting_percent;
            let engine = Engine::new(EngineParts {
                broker: Arc::new(broker(servers)),
                store: Arc::new(store),
                lease_store: None,
                providers: vec![Arc::clone(&provider) as _],
                bundles: Arc::new(NoBundles),
                clock: Arc::new(WallClock),
                installation: InstallationKey::try_from_slice(&[7; 32])
                    .expect("32 bytes are a key"),
                options,
                seed: number as u64,
                worker: format!("bench-{number}"),
                tasks: Tasks::default(),
            });
            let worker = Worker::new(engine.expect("sound options"));
            let running = tokio::spawn(worker.run(fleet.stop.clone()));
            fleet.workers.push(running);
        }
        fleet
    }

    /// Publishes each as soon as it can be; returns once all are confirmed.
    pub(crate) async fn publish(&mut self, events: &[IncomingEvent]) {
        for some in events.chunks(512) {
            let now = Instant::now();
            let keys = some.iter().map(|event| event.event.key().clone());
            self.published_at.extend(keys.map(|key| (key, now)));
            self.publisher.publish_all(some).await;
        }
    }

    pub(crate) async fn next_ready(&mut self) -> Heard {
        loop {
            let next = timeout(Duration::from_mins(5), self.results.next()).await;
            let result = next
                .expect("a result comes within five minutes")
                .expect("results can be read");
            if !result.is_end() {
                continue;
            }
            assert_eq!(result.outcome(), OutcomeKind::Ready, "{}", result.id);
            let key = result.key().expect("a ready preview has a name");
            // A repeat was heard before.
            if let Some(published_at) = self.published_at.remove(&key) {
                return Heard {
                    tenant: key.tenant.to_string(),
                    waited: published_at.elapsed(),
                };
            }
        }
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        for worker in self.workers {
            worker.await.expect("nobody panics");
        }
    }
}

fn broker(servers: &PrivateServers) -> RabbitMqBroker {
    let urls = AmqpUrl::parse_list(&servers.rabbitmq.amqp_url("/")).expect("an AMQP URL");
    RabbitMqBroker::start(RabbitMqOptions::new(urls)).expect("sound options")
}

struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
