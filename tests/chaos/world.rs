//! The world: a RabbitMQ and a Redis of its own, a simulator of Vercel with its books, workers as processes, and between each
//! worker and each of the three a proxy that can lose what a network loses.
//!
//! Who judges (this process, its log, `foreshow sweep`) speaks to the servers directly. Redis keeps nothing over its end, so that
//! it can be killed without persistence.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use foreshow_contract::TenantId;
use foreshow_engine::{Broker, QuotaSet, Store};
use foreshow_servers::{RedisOptions, Vhost};
use foreshow_simulators::{Simulator, Vercel, VercelOptions};
use foreshow_tests::{
    Foreshow, Ground, PrivateServers, Proxy, Publisher, Up, VERCEL_TOKEN, Weather, eventually,
};
use serde_json::Value;
use tokio::{task::JoinHandle, time::sleep};

use crate::{
    check::Sample,
    load::{TENANTS, tenant},
    log::{Log, depths},
};

/// Workers.
pub(crate) const WORKERS: usize = 3;
/// How long a lease lives.
pub(crate) const TTL: Duration = Duration::from_secs(3);
/// How often it is renewed.
const RENEW_EVERY: Duration = Duration::from_secs(1);
/// How long before its end a holder stops.
pub(crate) const MARGIN: Duration = Duration::from_millis(700);
/// Contexts of a tenant that build at once.
pub(crate) const LIMIT: u64 = 6;
/// How long builds take.
pub(crate) const BUILD: Duration = Duration::from_millis(250);
/// A context that has been stale for so long shows what is being built.
pub(crate) const STALE: Duration = Duration::from_secs(3);

/// Everything that a run consists of.
pub(crate) struct World {
    pub(crate) foreshow: Foreshow,
    pub(crate) cloud: Simulator<Vercel>,
    /// No later than where the simulator's clock begins.
    pub(crate) cloud_began: Instant,
    pub(crate) slots: Vec<Slot>,
    pub(crate) log: Arc<Log>,
    pub(crate) publisher: Publisher,
    pub(crate) store: Arc<dyn Store>,
    /// Kept for its connection.
    _broker: Arc<dyn Broker>,
}

/// A worker's place: its proxies outlive it.
pub(crate) struct Slot {
    pub(crate) rabbitmq: Proxy,
    pub(crate) redis: Proxy,
    pub(crate) provider: Proxy,
    /// The name of the worker that runs here, new with each.
    pub(crate) name: String,
    pub(crate) worker: Option<Up>,
    place: usize,
    started: usize,
}

impl Slot {
    async fn new(foreshow: &mut Foreshow, cloud: SocketAddr, place: usize) -> Self {
        let servers = foreshow.servers();
        let amqp = servers.vhost().amqp_url();
        let amqp = amqp.rsplit_once('@').map_or("", |(_, rest)| rest);
        let amqp = amqp.split('/').next().unwrap_or_default();
        let redis = SocketAddr::from(([127, 0, 0, 1], servers.redis.port()));
        Self {
            rabbitmq: Proxy::start(amqp.parse().expect("an address")).await,
            redis: Proxy::start(redis).await,
            provider: Proxy::start(cloud).await,
            name: String::new(),
            worker: None,
            place,
            started: 0,
        }
    }

    /// Starts a worker here, with more settings, e.g. a failure point; the one before must be gone.
    pub(crate) async fn start(&mut self, foreshow: &Foreshow, more: &[(&str, String)]) {
        self.started += 1;
        self.name = format!("w{}n{}", self.place, self.started);
        let mut command = foreshow.command(["worker", "--admin", "127.0.0.1:0"]);
        let through = |url: String, proxy: &Proxy| {
            let (before, _) = url.rsplit_once(':').expect("a port");
            let path = url.rsplit_once('/').map_or("", |(_, path)| path);
            let slash = if url.starts_with("amqp") { "/" } else { "" };
            let path = if slash.is_empty() { "" } else { path };
            format!("{before}:{}{slash}{path}", proxy.address().port())
        };
        let setting = |name: &str| {
            let found = command.as_std().get_envs().find(|(key, _)| *key == name);
            let value = found.and_then(|(_, value)| value).expect("it is set");
            value.to_str().expect("readable").to_owned()
        };
        let settings = [
            (
                "FORESHOW_BROKER",
                through(setting("FORESHOW_BROKER"), &self.rabbitmq),
            ),
            (
                "FORESHOW_STORE",
                through(setting("FORESHOW_STORE"), &self.redis),
            ),
            (
                "FORESHOW_VERCEL__API_URL",
                format!("http://{}", self.provider.address()),
            ),
            ("FORESHOW_WORKER__NAME", self.name.clone()),
        ];
        command.envs(settings).envs(more.iter().cloned());
        let up = Up::start(command).told_where("A worker runs").await;
        self.worker = Some(up);
    }

    /// Its three proxies.
    pub(crate) fn proxies(&self) -> [&Proxy; 3] {
        [&self.rabbitmq, &self.redis, &self.provider]
    }

    /// Whether its worker runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.worker.as_mut().is_some_and(Up::is_running)
    }
}

/// The queues that are empty, and of which nobody holds anything, once everything has ended.
const WORKED_OFF: [&str; 3] = [
    "foreshow.deploy",
    "foreshow.deploy.backlog",
    "foreshow.cleanup",
];

impl World {
    /// Starts everything.
    pub(crate) async fn start() -> Self {
        let servers = PrivateServers::start_with(RedisOptions::default()).await;
        let cloud_began = Instant::now();
        let cloud = Simulator::<Vercel>::start_anywhere(VercelOptions {
            tokens: vec![VERCEL_TOKEN.to_owned()],
            ..VercelOptions::default()
        });
        let cloud = cloud.await.expect("a simulator starts");
        cloud.turn(|knobs| knobs.builds.build_ms = BUILD.as_millis().try_into().expect("short"));
        let suffix = format!("localhost:{}", cloud.address().port());
        let mut foreshow = Foreshow::on(Ground::Private(Box::new(servers)))
            .set("FORESHOW_VERCEL__API_URL", cloud.api_url())
            .set("FORESHOW_VERCEL__TOKEN", VERCEL_TOKEN)
            .set("FORESHOW_VERCEL__ALIAS_SUFFIX", suffix)
            .set("FORESHOW_VERCEL__CREATE_TIMEOUT_SECONDS", 3)
            .set("FORESHOW_RABBITMQ__RESULTS", "structured")
            .set("FORESHOW_RABBITMQ__HEARTBEAT_SECONDS", 5)
            .set("FORESHOW_RABBITMQ__PUBLISH_TIMEOUT_MS", 5_000)
            .set("FORESHOW_REDIS__RESPONSE_TIMEOUT_MS", 700)
            .set("FORESHOW_LEASE__TTL_MS", TTL.as_millis())
            .set("FORESHOW_LEASE__RENEW_EVERY_MS", RENEW_EVERY.as_millis())
            .set("FORESHOW_LEASE__MARGIN_MS", MARGIN.as_millis())
            .set("FORESHOW_CANCEL__STALE_MS", STALE.as_millis())
            .set("FORESHOW_WAIT__BOUND_SECONDS", 5)
            .set("FORESHOW_WAIT__PARK_MS", 500)
            .set("FORESHOW_RETRY__ATTEMPTS", 100)
            .set("FORESHOW_RETRY__MIN_MS", 100)
            .set("FORESHOW_RETRY__MAX_MS", 1_000)
            .set("FORESHOW_ROUTING__HEALTH__CLOSED_MS", 300)
            .set("FORESHOW_ROUTING__HEALTH__CLOSED_MAX_MS", 1_000)
            .set("FORESHOW_ROUTING__HEALTH__LONGEST_WAIT_SECONDS", 2)
            .set("FORESHOW_LIMITS__CONCURRENT_BUILDS", LIMIT);
        let mut slots = Vec::new();
        for place in 0..WORKERS {
            slots.push(Slot::new(&mut foreshow, cloud.address(), place).await);
        }
        for slot in &mut slots {
            slot.start(&foreshow, &[]).await;
        }
        let vhost = foreshow.servers().vhost();
        let broker = foreshow.broker().await;
        let store = foreshow.store().await;
        eventually("the store knows what the provider has", async || {
            store.remembers().await.unwrap_or_default()
        })
        .await;
        Self {
            log: Arc::new(Log::bind(&vhost).await),
            publisher: Publisher::new(Arc::clone(&broker)),
            store,
            _broker: broker,
            foreshow,
            cloud,
            cloud_began,
            slots,
        }
    }

    /// The broker's vhost.
    pub(crate) fn vhost(&mut self) -> Vhost {
        self.foreshow.servers().vhost()
    }

    /// Switches the weather of every proxy.
    pub(crate) fn set_weather(&self, weather: Weather) {
        for proxy in self.slots.iter().flat_map(Slot::proxies) {
            proxy.set(weather);
        }
    }

    /// Workers that are gone though nobody struck them, with what they said last.
    pub(crate) fn gone(&mut self) -> Vec<String> {
        let mut gone = Vec::new();
        for slot in &mut self.slots {
            if let Some(worker) = &mut slot.worker
                && !worker.is_running()
            {
                let said = worker.said();
                let last: Vec<_> = said.lines().rev().take(5).collect();
                gone.push(format!("{} is gone by itself: {last:?}", slot.name));
            }
        }
        gone
    }

    /// Clears the weather and the provider's faults, and has a plain worker in every slot.
    pub(crate) async fn heal(&mut self, are_armed: bool) {
        self.set_weather(Weather::default());
        self.cloud.clear_faults();
        self.cloud
            .turn(|knobs| knobs.builds.build_ms = BUILD.as_millis().try_into().expect("short"));
        for slot in &mut self.slots {
            if are_armed || !slot.is_running() {
                if let Some(worker) = slot.worker.take() {
                    worker.kill().await;
                }
                slot.start(&self.foreshow, &[]).await;
            }
        }
    }

    /// Waits until every worker consumes both queues: how long that took, or how many did when the time was up.
    pub(crate) async fn consumed_again(&mut self, within: Duration) -> Result<Duration, u32> {
        let url = self.vhost().amqp_url();
        let queues = ["foreshow.deploy", "foreshow.cleanup"].map(str::to_owned);
        let began = Instant::now();
        loop {
            let asked = depths(&url, &queues).await.unwrap_or_default();
            let consumers = asked.iter().map(|one| one.consumers).min().unwrap_or(0);
            if consumers as usize >= self.slots.len() {
                return Ok(began.elapsed());
            }
            if began.elapsed() > within {
                return Err(consumers);
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// How many dead letters there are.
    pub(crate) async fn dead_letters(&mut self) -> u32 {
        let url = self.vhost().amqp_url();
        let queue = ["foreshow.dead-letters".to_owned()];
        let asked = depths(&url, &queue).await.unwrap_or_default();
        asked.first().map_or(0, |one| one.messages)
    }

    /// Waits until no message waits and no lease is held, or the time is up: what is left then.
    pub(crate) async fn comes_to_rest(&mut self, within: Duration) -> Result<(), String> {
        let vhost = self.vhost();
        let began = Instant::now();
        loop {
            let mut left = self.left(&vhost).await;
            if left.is_none() {
                left = self.unacknowledged().await;
            }
            let Some(left) = left else { return Ok(()) };
            if began.elapsed() > within {
                return Err(left);
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// What consumers hold, which only the broker's own tool tells exactly.
    async fn unacknowledged(&mut self) -> Option<String> {
        let rabbitmq = &self.foreshow.servers().rabbitmq;
        let listed = rabbitmq
            .ctl(&["-q", "list_queues", "name", "messages", "consumers"])
            .await;
        let listed = match listed {
            Ok(listed) => listed,
            Err(error) => return Some(format!("{error:#}")),
        };
        let mut held = listed.lines().filter(|line| {
            let mut words = line.split_whitespace();
            let is_ours = words.next().is_some_and(|name| WORKED_OFF.contains(&name));
            is_ours && words.next() != Some("0")
        });
        held.next().map(|line| {
            format!("queue, messages with those that consumers hold, consumers: {line}")
        })
    }

    /// Writes down what every worker said: the folder.
    pub(crate) fn keep_logs(&self, name: &str) -> std::io::Result<std::path::PathBuf> {
        let folder = std::env::temp_dir().join(format!("foreshow-chaos-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        for slot in &self.slots {
            if let Some(worker) = &slot.worker {
                let file = folder.join(format!("{name}-{}.log", slot.name));
                std::fs::write(file, worker.said())?;
            }
        }
        Ok(folder)
    }

    async fn left(&self, vhost: &Vhost) -> Option<String> {
        let listed = match vhost.queues().await {
            Ok(listed) => listed,
            Err(error) => return Some(format!("{error:#}")),
        };
        let names = listed.as_array().into_iter().flatten();
        let names: Vec<String> = names
            .filter_map(|queue| queue["name"].as_str())
            .filter(|name| WORKED_OFF.contains(name) || name.starts_with("foreshow.delay."))
            .map(str::to_owned)
            .collect();
        let depths = match depths(&vhost.amqp_url(), &names).await {
            Ok(depths) => depths,
            Err(error) => return Some(error.to_string()),
        };
        let waiting = names.iter().zip(depths);
        let mut waiting = waiting.filter(|(_, depth)| depth.messages > 0);
        if let Some((name, depth)) = waiting.next() {
            return Some(format!("{} messages in {name}", depth.messages));
        }
        let contexts = match self.store.contexts(None, 100_000).await {
            Ok(contexts) => contexts,
            Err(error) => return Some(error.to_string()),
        };
        let held = contexts.iter().find(|one| one.record.lease.is_some());
        held.map(|one| format!("a lease on {}", one.key))
    }

    /// Compares provider and records now, as an operator would: how many deployments it deleted.
    pub(crate) async fn sweep(&self) -> Result<u64, String> {
        let output = self.foreshow.run(["sweep", "--json"]).await;
        let told: Option<Value> = serde_json::from_slice(&output.stdout).ok();
        let deleted = told.and_then(|told| told["deploymentsDeleted"].as_u64());
        deleted
            .filter(|_| output.status.success())
            .ok_or_else(|| format!("foreshow sweep failed: {output:?}"))
    }

    /// Looks at the tenants' builds again and again, until it is dropped.
    pub(crate) fn sample(&self, began: Instant) -> Sampling {
        let store = Arc::clone(&self.store);
        let samples = Arc::<std::sync::Mutex<Vec<Sample>>>::default();
        let kept = Arc::clone(&samples);
        let task = tokio::spawn(async move {
            loop {
                for number in 0..TENANTS {
                    let tenant = tenant(number);
                    let id = TenantId::try_new(tenant.as_str()).expect("a legal name");
                    let used = store.quota_used(&id, QuotaSet::ConcurrentBuilds).await;
                    if let Ok(used @ 1..) = used {
                        let at = began.elapsed();
                        let sample = Sample { tenant, used, at };
                        kept.lock()
                            .unwrap_or_else(std::sync::PoisonError::into_inner)
                            .push(sample);
                    }
                }
                sleep(Duration::from_millis(100)).await;
            }
        });
        Sampling { samples, task }
    }
}

/// Looks that are being taken.
pub(crate) struct Sampling {
    samples: Arc<std::sync::Mutex<Vec<Sample>>>,
    task: JoinHandle<()>,
}

impl Sampling {
    /// What was seen.
    pub(crate) fn end(self) -> Vec<Sample> {
        self.task.abort();
        let mut samples = self
            .samples
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        std::mem::take(&mut *samples)
    }
}
