//! Many jobs at once, and how they stop.
//!
//! A worker is stateless: it holds deliveries, and leases that run out by themselves. Stopping is an ordered list
//! ([`Worker::run`]): consume no more; give back what has not begun; hand over builds that run at a provider; let calls
//! that are under way finish, for a bounded time; leave. Whatever is cut off then is found by the next holder, as after
//! a crash.

mod backlog;

use std::{
    future::Future,
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use foreshow_contract::{InstallationKey, ProviderName, Timestamp};
use futures_util::FutureExt;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, error, info, info_span, warn};

use crate::{
    Broker, BrokerError, Bundles, Clock, Deliveries, Delivery, EngineOptions, OptionsError,
    Provider, Queue, Store, Tasks,
    gates::{Gates, Guarded},
    job::pace::Pace,
    job::{Job, Kept},
    locals::Locals,
    observe,
    record::Owner,
    sweep::Sweeper,
    turns::{Bound, Turns},
    vitals::Vitals,
};

/// The worker stops: what it holds goes back to the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the worker is shutting down")]
pub struct ShuttingDown;

/// What an engine is made of.
pub struct EngineParts {
    /// Carries events and results.
    pub broker: Arc<dyn Broker>,
    /// What workers agree on.
    pub store: Arc<dyn Store>,
    /// The same store for renewals of leases, where they run on a runtime of their own; `None` takes `store`.
    pub lease_store: Option<Arc<dyn Store>>,
    /// Where previews are hosted, in the order in which they are tried.
    pub providers: Vec<Arc<dyn Provider>>,
    /// Where bundles come from.
    pub bundles: Arc<dyn Bundles>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Keys labels and digests.
    pub installation: InstallationKey,
    /// Everything else.
    pub options: EngineOptions,
    /// Seeds jitter and lease owners: random in a real process, fixed in a simulation.
    pub seed: u64,
    /// The worker's name, by which `why` and the history call it. No other process should have it, but nothing depends
    /// on that.
    pub worker: String,
    /// Where its tasks run.
    pub tasks: Tasks,
}

/// The domain with its ports. Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    parts: EngineParts,
    rng: Mutex<fastrand::Rng>,
    /// Whether the last call that had to succeed did; so that a state is logged when it changes, not at every try.
    troubled: AtomicBool,
    vitals: Vitals,
    locals: Locals,
    pace: Pace,
    gates: Arc<Gates>,
}

impl Engine {
    /// # Errors
    /// Where the options cannot be worked with.
    pub fn new(mut parts: EngineParts) -> Result<Self, OptionsError> {
        parts.options.check()?;
        let rng = Mutex::new(fastrand::Rng::with_seed(parts.seed));
        let gates = Arc::new(Gates::new(
            Arc::clone(&parts.store),
            Arc::clone(&parts.clock),
            parts.options.routing.health.clone(),
            parts.seed,
        ));
        for provider in &mut parts.providers {
            *provider = Guarded::guard(Arc::clone(provider), &gates);
        }
        Ok(Self(Arc::new(Inner {
            parts,
            rng,
            troubled: AtomicBool::new(false),
            vitals: Vitals::new(),
            locals: Locals::default(),
            pace: Pace::default(),
            gates,
        })))
    }

    /// Whether its workers get on.
    pub fn vitals(&self) -> &Vitals {
        &self.0.vitals
    }

    pub(crate) fn broker(&self) -> &dyn Broker {
        &*self.0.parts.broker
    }

    pub(crate) fn store(&self) -> &dyn Store {
        &*self.0.parts.store
    }

    /// The store, as renewals of leases ask it.
    pub(crate) fn lease_store(&self) -> Arc<dyn Store> {
        let parts = &self.0.parts;
        Arc::clone(parts.lease_store.as_ref().unwrap_or(&parts.store))
    }

    pub(crate) fn tasks(&self) -> &Tasks {
        &self.0.parts.tasks
    }

    /// What this process does with each context.
    pub(crate) fn locals(&self) -> &Locals {
        &self.0.locals
    }

    /// How long builds take.
    pub(crate) fn pace(&self) -> &Pace {
        &self.0.pace
    }

    /// Which providers are left alone.
    pub(crate) fn gates(&self) -> &Gates {
        &self.0.gates
    }

    /// Reads the gates, where any provider has one.
    pub(crate) async fn look_at_gates(&self) {
        if self.providers().iter().any(|one| one.account().is_some()) {
            self.gates().refresh().await;
        }
    }

    pub(crate) fn bundles(&self) -> &dyn Bundles {
        &*self.0.parts.bundles
    }

    pub(crate) fn providers(&self) -> &[Arc<dyn Provider>] {
        &self.0.parts.providers
    }

    pub(crate) fn provider(&self, name: &ProviderName) -> Option<Arc<dyn Provider>> {
        self.providers()
            .iter()
            .find(|provider| provider.name() == name)
            .cloned()
    }

    pub(crate) fn installation(&self) -> &InstallationKey {
        &self.0.parts.installation
    }

    pub(crate) fn options(&self) -> &EngineOptions {
        &self.0.parts.options
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.parts.clock.now()
    }

    pub(crate) fn with_rng<T>(&self, draw: impl FnOnce(&mut fastrand::Rng) -> T) -> T {
        draw(&mut self.0.rng.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn new_owner(&self) -> Owner {
        Owner::of_worker(&self.0.parts.worker, self.with_rng(|rng| rng.u64(..)))
    }

    /// Asks until there is an answer: what the job needs to go on, but cannot fail for.
    ///
    /// # Errors
    /// [`ShuttingDown`] where there is no answer and the worker stops.
    pub(crate) async fn insist<T, E, F>(
        &self,
        shutdown: &CancellationToken,
        mut ask: impl FnMut() -> F,
    ) -> Result<T, ShuttingDown>
    where
        E: std::error::Error + 'static,
        F: Future<Output = Result<T, E>>,
    {
        let mut wait = Duration::from_millis(20);
        loop {
            match ask().await {
                Ok(answer) => {
                    if self.0.troubled.load(Ordering::Relaxed)
                        && self.0.troubled.swap(false, Ordering::Relaxed)
                    {
                        info!("broker and store answer again");
                    }
                    return Ok(answer);
                }
                Err(error) => {
                    observe::waits_for_backend();
                    if !self.0.troubled.swap(true, Ordering::Relaxed) {
                        warn!(
                            error = &error as &dyn std::error::Error,
                            "waiting for it: {error}"
                        );
                    }
                    if shutdown.is_cancelled() {
                        return Err(ShuttingDown);
                    }
                }
            }
            let jittered = self.with_rng(|rng| wait.mul_f64(0.5 + rng.f64() / 2.0));
            tokio::select! {
                biased;
                () = shutdown.cancelled() => {}
                () = sleep(jittered) => {}
            }
            wait = (wait * 2).min(Duration::from_secs(2));
        }
    }
}

/// Consumes the queues and runs their jobs.
pub struct Worker {
    engine: Engine,
}

/// How a worker stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Everything it held was finished, given back or handed over.
    Cleanly,
    /// This many jobs were cut off when the time was up; they go on elsewhere as after a crash.
    CutOff(usize),
}

impl Worker {
    /// A worker on this engine.
    pub fn new(engine: Engine) -> Self {
        Self { engine }
    }

    /// Works until `shutdown`, then stops in order. Dropping the future cuts everything off at once, as a crash does.
    pub async fn run(self, shutdown: CancellationToken) -> Drained {
        let options = &self.engine.options().worker;
        let (concurrency, prefetch) = (options.concurrency.get(), options.prefetch.get() as usize);
        let percent = options.waiting_percent.into();
        let bound = Bound::of_window(prefetch, concurrency, percent);
        let deploys = Turns::new(concurrency, bound);
        // Of their own: an end that waited for a build's slot could not stop that build. Nothing of it is moved: an end is quick.
        let ends = Turns::new(concurrency, Bound(None));
        let mut consumers = JoinSet::new();
        let cut_off = Arc::new(AtomicUsize::new(0));
        for queue in Queue::ALL {
            let consumer = Consumer {
                engine: self.engine.clone(),
                queue,
                turns: match queue {
                    Queue::Deploy | Queue::Backlog => deploys.clone(),
                    Queue::Cleanup => ends.clone(),
                },
                jobs: JoinSet::new(),
                shutdown: shutdown.clone(),
            };
            // In the consumer's own task: where that is stuck, the beat stops too.
            let beat = self.engine.vitals().clone();
            let cut_off = Arc::clone(&cut_off);
            consumers.spawn(self.engine.tasks().contain(async move {
                let left = tokio::select! {
                    biased;
                    left = consumer.run() => left,
                    never = beat.keep_beating(queue) => match never {},
                };
                cut_off.fetch_add(left, Ordering::Relaxed);
            }));
        }
        let sweeper = Sweeper::new(self.engine.clone(), shutdown.clone());
        consumers.spawn(self.engine.tasks().contain(sweeper.run()));
        while let Some(stopped) = consumers.join_next().await {
            if let Err(error) = stopped
                && error.is_panic()
            {
                std::panic::resume_unwind(error.into_panic());
            }
        }
        match cut_off.load(Ordering::Relaxed) {
            0 => Drained::Cleanly,
            left => Drained::CutOff(left),
        }
    }
}

struct Consumer {
    engine: Engine,
    queue: Queue,
    turns: Turns,
    jobs: JoinSet<()>,
    shutdown: CancellationToken,
}

impl Consumer {
    /// Consumes until shutdown and drains; the number of jobs that had to be cut off.
    async fn run(self) -> usize {
        match self.queue {
            Queue::Deploy | Queue::Cleanup => self.run_ahead().await,
            Queue::Backlog => self.run_on_demand().await,
        }
    }

    /// With deliveries that are read ahead, and wait here for their turn.
    async fn run_ahead(mut self) -> usize {
        let engine = self.engine.clone();
        let prefetch = engine.options().worker.prefetch;
        let started = tokio::select! {
            biased;
            started = engine.insist(&self.shutdown, || engine.broker().consume(self.queue, prefetch)) => started,
            () = self.shutdown.cancelled() => return 0,
        };
        // Kept until the last job is done: their receipts belong to this consumer.
        let Ok(mut deliveries) = started else {
            return 0;
        };
        self.consume(&mut *deliveries).await;
        deliveries.stop().await;
        self.drain().await
    }

    /// Waits for the jobs that run; the number of those that had to be cut off.
    async fn drain(&mut self) -> usize {
        let drain = Duration::from_secs(self.engine.options().worker.drain_seconds);
        let all_done = async { while self.jobs.join_next().await.is_some() {} };
        if tokio::time::timeout(drain, all_done).await.is_err() {
            warn!(
                "{} jobs from {} are cut off; they go on elsewhere",
                self.jobs.len(),
                self.queue.name()
            );
        }
        self.jobs.len()
    }

    async fn consume(&mut self, deliveries: &mut dyn Deliveries) {
        let mut failed = 0_u32;
        loop {
            let next = tokio::select! {
                biased;
                () = self.shutdown.cancelled() => return,
                Some(_done) = self.jobs.join_next() => continue,
                next = deliveries.next() => next,
            };
            match next {
                Ok(delivery) => {
                    self.reads_again(&mut failed);
                    self.start(delivery, None);
                }
                Err(error) => self.cannot_read(&error, &mut failed).await,
            }
        }
    }

    fn reads_again(&self, failed: &mut u32) {
        if *failed > 0 {
            info!("{} is read again", self.queue.name());
            *failed = 0;
        }
    }

    /// Waits a little, or until shutdown.
    async fn cannot_read(&self, error: &BrokerError, failed: &mut u32) {
        if *failed == 0 {
            warn!(
                error = error as &dyn std::error::Error,
                "{} cannot be read; trying on",
                self.queue.name()
            );
        }
        *failed = failed.saturating_add(1);
        tokio::select! {
            biased;
            () = self.shutdown.cancelled() => {}
            () = sleep(Duration::from_millis(50 << (*failed).min(6))) => {}
        }
    }

    fn start(&mut self, delivery: Delivery, kept: Option<Kept>) {
        let span = info_span!("job", queue = self.queue.name(), attempt = delivery.attempt);
        let job = Job {
            engine: self.engine.clone(),
            delivery,
            turns: self.turns.clone(),
            kept: Mutex::new(kept),
            is_from_backlog: self.queue == Queue::Backlog,
            shutdown: self.shutdown.clone(),
            hold_until: Instant::now()
                + Duration::from_secs(self.engine.options().worker.hold_seconds),
        };
        let running = self.engine.vitals().job_started(self.queue);
        let run = async move {
            let _running = running;
            let Err(panic) = AssertUnwindSafe(job.run()).catch_unwind().await else {
                return;
            };
            let panic = panic_text(&*panic);
            error!("a job panicked: {panic}");
            if let Err(panic) = AssertUnwindSafe(job.run_after_panic(panic))
                .catch_unwind()
                .await
            {
                error!(
                    "a job panicked again, while it was ended: {}",
                    panic_text(&*panic)
                );
            }
        };
        self.jobs
            .spawn(self.engine.tasks().contain(run.instrument(span)));
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}
