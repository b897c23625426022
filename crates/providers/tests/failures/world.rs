//! A simulator, the provider that speaks to it, and an engine with a worker; broker and store are in memory.

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use foreshow_contract::{
    Content, ContextEnded, ContextEvent, ContextKey, ContextUpdated, Envelope, Failed, Headers,
    IncomingEvent, InlineFile, InstallationKey, Ready, ResultBody, Revision, STRUCTURED_JSON,
    Timestamp, encode, event_routing_key,
};
use foreshow_engine::{
    Broker as _, Clock, Drained, Engine, EngineOptions, EngineParts, Message, Provider, Store as _,
    Tasks, Worker,
    sweep::Swept,
    testing::{FakeBuild, FakeProvider, MemoryBroker, MemoryStore, NoBundles},
};
use foreshow_simulators::{
    Simulator,
    core::{BuildKnobs, Fault},
};
use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    simulated::{Process, SystemClock},
    vendor::Vendor,
};

/// Longer than anything here takes on the slowest machine.
const AT_MOST: Duration = Duration::from_mins(3);

/// How often an event is tried.
pub(crate) const ATTEMPTS: usize = 3;

/// No limit is believed for longer, in these worlds.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// The wall clock, set forward.
#[derive(Default)]
struct Ahead {
    seconds: AtomicU64,
}

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        let ahead = Duration::from_secs(self.seconds.load(Ordering::SeqCst));
        Timestamp::now().saturating_add(ahead)
    }
}

pub(crate) struct World<V: Vendor> {
    pub(crate) simulator: Simulator<V>,
    /// Takes what the vendor cannot, where the world has it.
    pub(crate) second: FakeProvider,
    pub(crate) broker: MemoryBroker,
    pub(crate) store: MemoryStore,
    pub(crate) engine: Engine,
    /// The provider's alone.
    clock: Arc<Ahead>,
    shutdown: CancellationToken,
    worker: JoinHandle<Drained>,
}

fn key() -> ContextKey {
    ContextKey::try_new("acme", "ctx").unwrap()
}

impl<V: Vendor> World<V> {
    /// The vendor alone.
    pub(crate) async fn alone() -> Self {
        Self::with(false, |_| ()).await
    }

    /// The vendor, and another provider that could take what it leaves.
    pub(crate) async fn with_second() -> Self {
        Self::with(true, |_| ()).await
    }

    /// The vendor alone, and creates that hang are given up soon.
    pub(crate) async fn impatient() -> Self {
        Self::build(false, NonZeroU32::new(3), |_| ()).await
    }

    pub(crate) async fn with(has_second: bool, configure: impl FnOnce(&mut EngineOptions)) -> Self {
        Self::build(has_second, None, configure).await
    }

    async fn build(
        has_second: bool,
        create_timeout_seconds: Option<NonZeroU32>,
        configure: impl FnOnce(&mut EngineOptions),
    ) -> Self {
        let simulator = Simulator::<V>::start_anywhere(V::options()).await.unwrap();
        let installation = InstallationKey::try_from_slice(&[7; 32]).unwrap();
        let clock = Arc::new(Ahead::default());
        let second = FakeProvider::new("second", FakeBuild::Ready(Duration::ZERO));
        let process = Process {
            clock: Arc::<Ahead>::clone(&clock),
            create_timeout_seconds,
            ..Process::new(V::TOKEN, installation.clone())
        };
        let mut providers = vec![V::provider(&simulator, process)];
        if has_second {
            providers.push(Arc::new(second.clone()) as Arc<dyn Provider>);
        }
        let mut options = EngineOptions::default();
        options.retry.attempts = NonZeroU32::new(u32::try_from(ATTEMPTS).unwrap()).unwrap();
        options.retry.min_ms = 10;
        options.retry.max_ms = 100;
        options.routing.health.closed_ms = 100;
        options.routing.health.closed_max_ms = 500;
        options.routing.health.longest_wait_seconds = LONGEST_WAIT.as_secs();
        configure(&mut options);

        let wall: Arc<dyn Clock> = Arc::new(SystemClock);
        let broker = MemoryBroker::new(Arc::clone(&wall));
        let store = MemoryStore::new(Arc::clone(&wall));
        let engine = Engine::new(EngineParts {
            broker: Arc::new(broker.clone()),
            store: Arc::new(store.clone()),
            lease_store: None,
            providers,
            bundles: Arc::new(NoBundles),
            clock: wall,
            installation,
            options,
            seed: 42,
            worker: "w1".to_owned(),
            tasks: Tasks::default(),
        })
        .unwrap();
        // The store is new, and remembers nothing: as long as that is so, events wait for the providers to tell what they have.
        engine.sweep().await.unwrap();
        simulator.clear_ledger();
        let shutdown = CancellationToken::new();
        let worker = tokio::spawn(Worker::new(engine.clone()).run(shutdown.clone()));
        Self {
            simulator,
            second,
            broker,
            store,
            engine,
            clock,
            shutdown,
            worker,
        }
    }

    /// Switches a fault on, in the call that makes deployments.
    pub(crate) fn fault_creates(&self, fault: Fault) {
        self.simulator.fault(fault.on(V::CREATE));
    }

    /// Turns how builds go.
    pub(crate) fn turn(&self, change: impl FnOnce(&mut BuildKnobs)) {
        self.simulator.turn(|knobs| change(V::builds(knobs)));
    }

    /// How often a deployment was asked for.
    pub(crate) fn creates(&self) -> usize {
        self.simulator.calls_of(V::CREATE).len()
    }

    /// The simulator's own ids of what there is.
    pub(crate) fn deployments(&self) -> Vec<String> {
        V::deployments(&self.simulator.state())
    }

    /// Publishes an update that shows this page.
    pub(crate) async fn update(&self, number: u64, page: &str) {
        let files = vec![InlineFile::text("index.html", page)];
        let revision = Revision::try_new(number).unwrap();
        let update = ContextUpdated::new(key(), revision, Content::Files(files));
        self.publish(ContextEvent::Updated(update)).await;
    }

    async fn publish(&self, event: ContextEvent) {
        let kind = event.kind();
        let incoming = IncomingEvent {
            envelope: Envelope::new("evt", "/tests"),
            event,
        };
        let message = Message {
            routing_key: event_routing_key(kind, &incoming.event.key().tenant),
            content_type: Some(STRUCTURED_JSON.to_owned()),
            message_type: None,
            headers: Headers::new(),
            body: encode(&incoming).into(),
        };
        self.broker.publish_event(message).await.unwrap();
    }

    /// Waits until every message has come to its end.
    pub(crate) async fn settle(&self) {
        self.until("everything has come to its end", || {
            self.broker.pending() == 0
        })
        .await;
    }

    /// Waits until something is so.
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        let waiting = async {
            while !is_so() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        let waited = timeout(AT_MOST, waiting).await;
        assert!(
            waited.is_ok(),
            "it was waited in vain until {what}: {:#?}",
            self.broker.published()
        );
    }

    /// The deployment that the context's record says is being built, once it does.
    pub(crate) async fn building(&self) -> foreshow_contract::DeploymentId {
        let asking = async {
            loop {
                let record = self.store.context(&key()).await.unwrap();
                if let Some(building) = record.and_then(|record| record.building) {
                    return building.deployment;
                }
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(AT_MOST, asking).await.expect("a build is recorded")
    }

    /// The deployment that the context's record says is live.
    pub(crate) async fn live(&self) -> Option<foreshow_contract::DeploymentId> {
        let record = self.store.context(&key()).await.unwrap();
        record
            .and_then(|record| record.live)
            .map(|live| live.deployment)
    }

    /// How the update of this revision ended: once, and not in between.
    async fn end_of(&self, number: u64) -> ResultBody {
        self.settle().await;
        let published = self.broker.published();
        let mut ends: Vec<_> = published
            .iter()
            .filter(|result| {
                result.is_end() && result.revision().map(Revision::get) == Some(number)
            })
            .collect();
        assert_eq!(ends.len(), 1, "{published:#?}");
        assert!(self.broker.dead_letters().len() <= 1);
        ends.remove(0).body.clone()
    }

    pub(crate) async fn ready(&self, number: u64) -> Ready {
        match self.end_of(number).await {
            ResultBody::Ready(ready) => ready,
            other => panic!("it was to be ready: {other:#?}"),
        }
    }

    pub(crate) async fn failed(&self, number: u64) -> Failed {
        match self.end_of(number).await {
            ResultBody::Failed(failed) => failed,
            other => panic!("it was to fail: {other:#?}"),
        }
    }

    pub(crate) async fn sweep(&self) -> Swept {
        self.engine.sweep().await.unwrap()
    }

    /// Proves that nothing is left that should not be, now that the fault is over: of `live` revisions one each, and after the
    /// context's end none.
    pub(crate) async fn finish(self, live: usize) {
        self.settle().await;
        self.simulator.clear_faults();
        self.turn(|builds| *builds = BuildKnobs::default());
        self.sweep().await;
        let deployments = self.deployments();
        assert_eq!(deployments.len(), live, "{:#}", self.simulator.state());

        let revision = Revision::try_new(1_000).unwrap();
        let end = ContextEnded {
            key: key(),
            revision,
            reason: None,
        };
        self.publish(ContextEvent::Ended(end)).await;
        let end = self.end_of(1_000).await;
        assert!(matches!(end, ResultBody::Removed(_)), "{end:#?}");
        assert_eq!(self.deployments(), [""; 0]);
        // What has no deployment left is nobody's, and goes once nobody can be about to use it.
        self.clock.seconds.store(3_600, Ordering::SeqCst);
        self.sweep().await;
        let state = self.simulator.state();
        assert_eq!(V::belongings(&state), [""; 0], "{state:#}");
        assert_eq!(self.second.deployments(), []);

        self.shutdown.cancel();
        assert_eq!(self.worker.await.unwrap(), Drained::Cleanly);
        for context in self.store.contexts(None, u32::MAX).await.unwrap() {
            assert!(
                context.record.lease.is_none(),
                "a lease was left: {:?}",
                context.record
            );
        }
    }
}
