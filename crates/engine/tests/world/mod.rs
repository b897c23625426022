//! A world in memory: broker, store, providers and a worker, and the story of what was published.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test file uses its part"
)]

use std::{fmt::Write as _, sync::Arc, time::Duration};

use bytes::Bytes;
use foreshow_contract::{
    BundleRef, Content, ContextEnded, ContextEvent, ContextExpired, ContextId, ContextKey,
    ContextReset, ContextTouched, ContextUpdated, Envelope, HostLabel, IncomingEvent, InlineFile,
    InstallationKey, ProviderName, ResetId, ResultBody, ResultEvent, Revision, STRUCTURED_JSON,
    Secret, Sha256, TenantId, Timestamp, encode, event_routing_key,
};
use foreshow_engine::{
    Broker, Clock, Drained, Engine, EngineOptions, EngineParts, Message, Provider, QuotaSet,
    RateLimit, Store, Tasks, Worker,
    sweep::{SweepError, Swept},
    testing::{FakeBuild, FakeProvider, MemoryBroker, MemoryStore, NoBundles, PausedClock},
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub fn key(context: &str) -> ContextKey {
    ContextKey {
        tenant: TenantId::try_new("acme").unwrap(),
        context: ContextId::try_new(context).unwrap(),
    }
}

fn revision(n: u64) -> Revision {
    Revision::try_new(n).unwrap()
}

/// An event with good defaults.
pub struct Event(ContextEvent);

pub fn update(context: &str, n: u64) -> Event {
    let files = vec![InlineFile::text(
        "index.html",
        format!("<h1>{context} {n}</h1>"),
    )];
    Event(ContextEvent::Updated(ContextUpdated::new(
        key(context),
        revision(n),
        Content::Files(files),
    )))
}

pub fn end(context: &str, n: u64) -> Event {
    Event(ContextEvent::Ended(ContextEnded {
        key: key(context),
        revision: revision(n),
        reason: None,
    }))
}

pub fn touch(context: &str) -> Event {
    Event(ContextEvent::Touched(ContextTouched { key: key(context) }))
}

pub fn expired(context: &str, n: u64) -> Event {
    Event(ContextEvent::Expired(ContextExpired {
        key: key(context),
        revision: revision(n),
    }))
}

pub fn reset(context: &str, id: &str) -> Event {
    Event(ContextEvent::Reset(ContextReset {
        key: key(context),
        reset: ResetId::try_new(id).unwrap(),
    }))
}

impl Event {
    fn updated(&mut self) -> &mut ContextUpdated {
        let ContextEvent::Updated(update) = &mut self.0 else {
            panic!("only an update has that")
        };
        update
    }

    pub fn file(mut self, path: &str, content: &str) -> Self {
        self.updated().content = Content::Files(vec![InlineFile::text(path, content)]);
        self
    }

    /// Its files are in a bundle, whose server never sends it.
    pub fn silent_bundle(mut self) -> Self {
        self.updated().content = Content::Bundle(BundleRef {
            url: "https://silent.example/site.tar".to_owned(),
            sha256: Sha256::of(b"site"),
        });
        self
    }

    /// Of another tenant than the usual one.
    pub fn of(mut self, tenant: &str) -> Self {
        let key = match &mut self.0 {
            ContextEvent::Updated(event) => &mut event.key,
            ContextEvent::Ended(event) => &mut event.key,
            ContextEvent::Touched(event) => &mut event.key,
            ContextEvent::Expired(event) => &mut event.key,
            ContextEvent::Reset(event) => &mut event.key,
        };
        key.tenant = TenantId::try_new(tenant).unwrap();
        self
    }

    pub fn keep(mut self, revisions: u32) -> Self {
        self.updated().retention.keep_revisions = std::num::NonZeroU32::new(revisions);
        self
    }

    pub fn ttl(mut self, seconds: u64) -> Self {
        self.updated().retention.ttl = Some(secs(seconds));
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        let env = &mut self.updated().env;
        env.insert(name.to_owned(), Secret::new(value));
        self
    }

    pub fn domain(mut self, domain: &str) -> Self {
        self.updated().domains.push(domain.to_owned());
        self
    }

    pub fn provider(mut self, name: &str) -> Self {
        self.updated().routing.providers = vec![ProviderName::from(name)];
        self
    }
}

fn asked_directly(provider: FakeProvider) -> Arc<dyn Provider> {
    Arc::new(provider)
}

pub struct World {
    pub broker: MemoryBroker,
    pub store: MemoryStore,
    pub provider: FakeProvider,
    pub providers: Vec<FakeProvider>,
    clock: PausedClock,
    pub engine: Engine,
    installation: InstallationKey,
    worker: Option<(JoinHandle<Drained>, CancellationToken)>,
}

impl World {
    pub fn start() -> Self {
        Self::with(|_| ())
    }

    pub fn with(configure: impl FnOnce(&mut EngineOptions)) -> Self {
        Self::build(&["fake"], asked_directly, configure)
    }

    pub fn with_providers(names: &[&str]) -> Self {
        Self::build(names, asked_directly, |_| ())
    }

    /// With providers that have accounts.
    pub fn with_accounts(names: &[&str], configure: impl FnOnce(&mut EngineOptions)) -> Self {
        Self::limited(names, None, configure)
    }

    /// The same, whose creates are limited.
    pub fn limited(
        names: &[&str],
        limit: Option<RateLimit>,
        configure: impl FnOnce(&mut EngineOptions),
    ) -> Self {
        let wrap = |provider: FakeProvider| asked_directly(provider.with_account(limit));
        Self::build(names, wrap, configure)
    }

    /// With one provider, which the engine asks through what `wrap` makes of it.
    pub fn wrapped(wrap: impl Fn(FakeProvider) -> Arc<dyn Provider>) -> Self {
        Self::build(&["fake"], wrap, |_| ())
    }

    fn build(
        names: &[&str],
        wrap: impl Fn(FakeProvider) -> Arc<dyn Provider>,
        configure: impl FnOnce(&mut EngineOptions),
    ) -> Self {
        let clock = PausedClock::start();
        let shared: Arc<dyn Clock> = Arc::new(clock);
        let broker = MemoryBroker::new(Arc::clone(&shared));
        let store = MemoryStore::new(Arc::clone(&shared));
        let providers: Vec<_> = names
            .iter()
            .map(|name| FakeProvider::new(name, FakeBuild::Ready(Duration::ZERO)))
            .collect();
        let mut options = EngineOptions::default();
        configure(&mut options);
        let installation = InstallationKey::try_from_slice(&[7; 32]).unwrap();
        let engine = Engine::new(EngineParts {
            broker: Arc::new(broker.clone()),
            store: Arc::new(store.clone()),
            providers: providers
                .iter()
                .map(|provider| wrap(provider.clone()))
                .collect(),
            bundles: Arc::new(NoBundles),
            clock: shared,
            installation: installation.clone(),
            options,
            seed: 42,
            lease_store: None,
            worker: "w1".to_owned(),
            tasks: Tasks::default(),
        })
        .unwrap();
        let provider = providers[0].clone();
        let mut world = Self {
            broker,
            store,
            provider,
            providers,
            clock,
            engine,
            installation,
            worker: None,
        };
        world.start_worker();
        world
    }

    pub fn start_worker(&mut self) {
        let shutdown = CancellationToken::new();
        let worker = Worker::new(self.engine.clone()).run(shutdown.clone());
        self.worker = Some((tokio::spawn(worker), shutdown));
    }

    /// Asks the worker to stop and waits until it has.
    pub async fn stop_worker(&mut self) {
        let (worker, shutdown) = self.worker.take().unwrap();
        shutdown.cancel();
        assert_eq!(worker.await.unwrap(), Drained::Cleanly);
    }

    /// Ends the worker and all its jobs at once, with nothing said to anybody.
    pub async fn kill_worker(&mut self) {
        let (worker, _) = self.worker.take().unwrap();
        worker.abort();
        assert!(worker.await.unwrap_err().is_cancelled());
        self.broker.drop_connections();
    }

    pub async fn publish(&self, event: Event) {
        let kind = event.0.kind();
        let incoming = IncomingEvent {
            envelope: Envelope::new("evt", "/tests"),
            event: event.0,
        };
        let routing_key = event_routing_key(kind, &incoming.event.key().tenant);
        self.publish_raw(&routing_key, &encode(&incoming)).await;
    }

    pub async fn publish_raw(&self, routing_key: &str, body: &[u8]) {
        let message = Message {
            routing_key: routing_key.to_owned(),
            content_type: Some(STRUCTURED_JSON.to_owned()),
            message_type: None,
            headers: foreshow_contract::Headers::new(),
            body: Bytes::copy_from_slice(body),
        };
        self.broker.publish_event(message).await.unwrap();
    }

    /// Waits until every message has come to its end.
    pub async fn settle(&self) {
        let waiting = async {
            while self.broker.pending() > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(secs(100_000), waiting)
            .await
            .expect("everything comes to its end");
    }

    /// What was published, a line each, once everything has come to its end.
    pub async fn story(&self) -> String {
        self.settle().await;
        let began_at =
            self.clock.now().as_micros() - i64::try_from(self.clock.elapsed().as_micros()).unwrap();
        let mut story = String::new();
        for result in self.broker.published() {
            let at = (result.time.as_micros() - began_at) / 1_000_000;
            let more = match &result.body {
                ResultBody::Ready(ready) if ready.unchanged => "unchanged".to_owned(),
                ResultBody::Ready(_) | ResultBody::Removed(_) => String::new(),
                ResultBody::Failed(failed) => {
                    format!("{} {:?}", failed.error.code, failed.error.log_tail)
                }
                ResultBody::Superseded(superseded) => format!("by {}", superseded.winner),
                ResultBody::Building(building) => building.state.to_string(),
                ResultBody::Rejected(rejected) => rejected.code.to_string(),
            };
            let id = match &result.body {
                // The counter is a time, and says nothing here.
                ResultBody::Building(_) => result.id.rsplit_once('/').unwrap().0,
                ResultBody::Rejected(_) => "rejected",
                _ => &result.id,
            };
            writeln!(story, "{at}s {id} {more}").unwrap();
        }
        story
            .lines()
            .map(str::trim_end)
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// Results about a context whose outcome has this short word.
    pub fn ends(&self, context: &str, short: &str) -> Vec<ResultEvent> {
        let mut ends = self.broker.published();
        ends.retain(|result| {
            result.key() == Some(key(context)) && result.outcome().short() == short
        });
        ends
    }

    pub fn alias(&self, context: &str) -> HostLabel {
        self.installation.alias_label(&key(context))
    }

    /// The revision that the context's alias shows at the first provider.
    pub fn shown(&self, context: &str) -> Option<u64> {
        self.provider.shown(&self.alias(context))
    }

    pub async fn expires_at(&self, context: &str) -> Option<Timestamp> {
        self.store.context(&key(context)).await.unwrap()?.expires_at
    }

    pub fn in_secs(&self, n: u64) -> Timestamp {
        self.clock.now().saturating_add(secs(n))
    }

    pub fn began_at(&self) -> Timestamp {
        let elapsed = i64::try_from(self.clock.elapsed().as_micros()).unwrap();
        Timestamp::from_micros(self.clock.now().as_micros() - elapsed)
    }

    pub fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }

    /// Compares providers and records once, as a worker's sweeper does.
    pub async fn sweep(&self) -> Swept {
        self.try_sweep().await.unwrap()
    }

    /// The same, where it may fail.
    pub async fn try_sweep(&self) -> Result<Swept, SweepError> {
        self.engine.sweep().await
    }

    /// What happened to the context, oldest first, a line each.
    pub async fn history(&self, context: &str) -> Vec<String> {
        let entries = self.store.history(Some(&key(context)), 100).await.unwrap();
        let lines = entries.iter().rev().map(|entry| {
            let line = format!("{} {} {}", entry.ordinal, entry.what.word(), entry.detail);
            line.trim_end().to_owned()
        });
        lines.collect()
    }

    /// Stops everything and checks that nothing is left behind.
    pub async fn finish(mut self) {
        self.settle().await;
        self.stop_worker().await;
        let builds: Vec<_> = self
            .store
            .quota_members()
            .into_iter()
            .filter(|(_, set, _)| *set == QuotaSet::ConcurrentBuilds)
            .collect();
        assert!(
            builds.is_empty(),
            "places among the builds were left: {builds:?}"
        );
        for context in self.store.contexts(None, u32::MAX).await.unwrap() {
            assert!(
                context.record.lease.is_none(),
                "a lease was left: {:?}",
                context.record
            );
        }
    }
}
