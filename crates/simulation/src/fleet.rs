//! The workers: started, killed, frozen, asked to stop, and started again.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use foreshow_contract::InstallationKey;
use foreshow_engine::{
    Drained, Engine, EngineOptions, EngineParts, Provider, Worker, testing::NoBundles,
};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    link::Link,
    ports::{
        broker::{BrokerLink, SharedBroker},
        provider::{ProviderLink, SharedProvider},
        store::{SharedStore, StoreLink},
    },
    process::Process,
    stats::Count,
    world::{WallClock, World, lock},
};

/// What every worker is connected to.
#[derive(Clone)]
pub(crate) struct Outside {
    pub(crate) world: World,
    pub(crate) broker: SharedBroker,
    pub(crate) store: SharedStore,
    pub(crate) providers: Vec<SharedProvider>,
    pub(crate) options: EngineOptions,
    pub(crate) installation: InstallationKey,
}

/// A place where a worker runs, and runs again after it ended.
#[derive(Clone)]
pub(crate) struct Slot {
    outside: Outside,
    number: u64,
    pub(crate) clock: WallClock,
    running: Arc<Mutex<Option<Running>>>,
}

#[derive(Clone)]
struct Running {
    process: Process,
    engine: Engine,
    shutdown: CancellationToken,
}

impl Slot {
    pub(crate) fn new(outside: &Outside, number: usize) -> Self {
        let ahead = outside.world.dice().i64(-2_000_000..2_000_000);
        Self {
            outside: outside.clone(),
            number: number as u64,
            clock: WallClock::ahead_by(&outside.world, ahead),
            running: Arc::default(),
        }
    }

    /// Keeps a worker running here for as long as the world lasts.
    pub(crate) async fn keep_running(self) {
        for life in 0_u64.. {
            let process = Process::new(life * 10 + self.number, format!("w{}", self.number + 1));
            let engine = self.engine(&process);
            let shutdown = CancellationToken::new();
            *lock(&self.running) = Some(Running {
                process: process.clone(),
                engine: engine.clone(),
                shutdown: shutdown.clone(),
            });
            if life > 0 {
                self.outside
                    .world
                    .tell(process.name(), || "starts again".to_owned());
            }
            let world = self.outside.world.clone();
            let run = Worker::new(engine).run(shutdown.clone());
            let name = process.name().to_owned();
            let ended = tokio::spawn(process.contain(Box::pin(async move {
                match run.await {
                    Drained::Cleanly => world.tell(&name, || "has stopped".to_owned()),
                    Drained::CutOff(jobs) => {
                        world.tell(&name, || format!("has stopped, {jobs} jobs cut off"));
                    }
                }
            })));
            drop(ended.await);
            if process.is_dead() {
                self.outside.world.stats().count(Count::Crashes);
            } else {
                // Whatever it left behind ends with it.
                process.kill();
            }
            let pause = self.outside.world.dice().u64(0..4_000);
            sleep(Duration::from_millis(pause)).await;
        }
    }

    fn engine(&self, process: &Process) -> Engine {
        let outside = &self.outside;
        let link = Link {
            world: outside.world.clone(),
            process: process.clone(),
        };
        let providers = outside.providers.iter();
        let providers = providers.map(|shared| {
            Arc::new(ProviderLink::new(
                link.clone(),
                shared.clone(),
                self.clock.clone(),
            )) as Arc<dyn Provider>
        });
        let seed = outside.world.dice().u64(..);
        Engine::new(EngineParts {
            broker: Arc::new(BrokerLink::new(link.clone(), outside.broker.clone())),
            store: Arc::new(StoreLink::new(link.clone(), outside.store.clone())),
            lease_store: None,
            providers: providers.collect(),
            bundles: Arc::new(NoBundles),
            clock: Arc::new(self.clock.clone()),
            installation: outside.installation.clone(),
            options: outside.options.clone(),
            seed,
            worker: process.name().to_owned(),
            tasks: process.tasks(),
        })
        .expect("the options are sound")
    }

    fn running(&self) -> Option<Running> {
        lock(&self.running).clone()
    }

    /// The engine of whoever runs here now.
    pub(crate) fn live_engine(&self) -> Option<Engine> {
        let running = self.running()?;
        running.process.is_running().then_some(running.engine)
    }

    pub(crate) fn kill(&self) {
        if let Some(running) = self.running().filter(|running| !running.process.is_dead()) {
            self.outside
                .world
                .tell(running.process.name(), || "is killed".to_owned());
            running.process.kill();
        }
    }

    /// Freezes whoever runs here for a while; the broker may give up on them meanwhile.
    pub(crate) fn freeze(&self, pause: Duration, breaks: Option<Duration>) {
        let Some(Running { process, .. }) = self
            .running()
            .filter(|running| running.process.is_running())
        else {
            return;
        };
        let world = self.outside.world.clone();
        world.stats().count(Count::Pauses);
        world.tell(process.name(), || {
            format!("is frozen for {} ms", pause.as_millis())
        });
        process.freeze();
        let broker = self.outside.broker.clone();
        tokio::spawn(async move {
            let thaws_at = Instant::now() + pause;
            if let Some(breaks) = breaks {
                sleep(breaks).await;
                world.tell(process.name(), || "is given up by the broker".to_owned());
                broker.disconnect(process.number());
            }
            tokio::time::sleep_until(thaws_at).await;
            if !process.is_dead() {
                world.tell(process.name(), || "goes on".to_owned());
                process.thaw();
            }
        });
    }

    pub(crate) fn thaw(&self) {
        if let Some(running) = self.running() {
            running.process.thaw();
        }
    }

    /// Asks whoever runs here to stop, as a rolling restart does; they end within their drain time and a little.
    pub(crate) fn terminate(&self) {
        let Some(Running {
            process, shutdown, ..
        }) = self
            .running()
            .filter(|running| running.process.is_running())
        else {
            return;
        };
        let world = self.outside.world.clone();
        world.stats().count(Count::Restarts);
        world.tell(process.name(), || "is asked to stop".to_owned());
        shutdown.cancel();
    }

    pub(crate) fn disconnect(&self) {
        if let Some(running) = self.running() {
            self.outside.world.tell(running.process.name(), || {
                "loses its connections to the broker".to_owned()
            });
            self.outside.broker.disconnect(running.process.number());
        }
    }
}

/// Whether something comes true within a bound.
pub(crate) async fn within(bound: Duration, mut is_so: impl FnMut() -> bool) -> bool {
    let waiting = async {
        while !is_so() {
            sleep(Duration::from_millis(500)).await;
        }
    };
    timeout(bound, waiting).await.is_ok()
}
