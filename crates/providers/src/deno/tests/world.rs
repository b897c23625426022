//! A simulator, a provider that speaks to it, and short ways to ask it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use foreshow_bundle::{Limits, Tree, tree_from_inline};
use foreshow_contract::{
    App, ContextKey, Encoding, HostLabel, InlineFile, InstallationKey, Revision, Secret, Sha256,
    Timestamp,
};
use foreshow_engine::{
    BuildState, Clock, CreateRequest, Created, Deployment, Probe, ProbeQuestion, Provider as _,
    ProviderError,
};
use foreshow_simulators::{
    Deno, DenoOptions, Simulator,
    core::Operation as _,
    deno::{DenoKnobs, DenoOperation},
};
use tokio::time::{Instant, sleep};

use super::super::{DenoProvider, DenoSettings};

/// Longer than anything here takes on the slowest machine.
const AT_MOST: Duration = Duration::from_mins(1);

/// The wall clock, which can be set forward.
#[derive(Default)]
pub(super) struct SteppedClock {
    ahead_seconds: AtomicU64,
}

impl SteppedClock {
    pub(super) fn step(&self, seconds: u64) {
        self.ahead_seconds.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for SteppedClock {
    fn now(&self) -> Timestamp {
        let ahead = Duration::from_secs(self.ahead_seconds.load(Ordering::SeqCst));
        Timestamp::now().saturating_add(ahead)
    }
}

pub(super) struct World {
    pub(super) simulator: Simulator<Deno>,
    pub(super) provider: DenoProvider,
    pub(super) clock: Arc<SteppedClock>,
}

impl World {
    pub(super) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(super) async fn with(turn: impl FnOnce(&mut DenoKnobs)) -> Self {
        let mut options = DenoOptions::default();
        turn(&mut options.knobs);
        let simulator = Simulator::start_anywhere(options).await.unwrap();
        let clock = Arc::new(SteppedClock::default());
        let provider = provider(&simulator, 7, &clock);
        Self {
            simulator,
            provider,
            clock,
        }
    }

    /// Another installation with the same account, or another process of this one.
    pub(super) fn provider_of(&self, installation: u8) -> DenoProvider {
        provider(&self.simulator, installation, &self.clock)
    }

    pub(super) async fn create(&self, context: &str, revision: u64, page: &str) -> Deployment {
        self.try_create(context, revision, page)
            .await
            .unwrap()
            .deployment
    }

    pub(super) async fn try_create(
        &self,
        context: &str,
        revision: u64,
        page: &str,
    ) -> Result<Created, ProviderError> {
        self.create_with(
            context,
            revision,
            &tree(page),
            &App::default(),
            &BTreeMap::new(),
        )
        .await
    }

    pub(super) async fn create_with(
        &self,
        context: &str,
        revision: u64,
        tree: &Arc<Tree>,
        app: &App,
        env: &BTreeMap<String, Secret>,
    ) -> Result<Created, ProviderError> {
        let key = key(context);
        let revision = Revision::try_new(revision).unwrap();
        let label = installation(7).revision_label(&key, revision);
        let request = CreateRequest {
            key: &key,
            revision,
            label: &label,
            tree,
            app,
            env,
        };
        self.provider.create(request).await
    }

    /// Creates it and waits until it is ready, with its address.
    pub(super) async fn ready(&self, context: &str, revision: u64, page: &str) -> Deployment {
        let created = self.create(context, revision, page).await;
        self.until_ready(created).await
    }

    pub(super) async fn until_ready(&self, mut deployment: Deployment) -> Deployment {
        let state = self.until_built(&deployment).await;
        assert_eq!(state, BuildState::Ready);
        deployment.state = BuildState::Ready;
        deployment.address = self.provider.locate(&deployment).await.unwrap().unwrap();
        deployment
    }

    pub(super) async fn until_built(&self, deployment: &Deployment) -> BuildState {
        until(async || {
            let state = self.provider.status(&deployment.id).await.unwrap();
            (state != BuildState::Building).then_some(state)
        })
        .await
    }

    pub(super) async fn list(&self, context: &str) -> Vec<Deployment> {
        self.provider.list(&key(context)).await.unwrap()
    }

    /// Whether this very page is served at the deployment's host.
    pub(super) async fn serves(&self, deployment: &Deployment, page: &str) -> bool {
        let expected = Sha256::of(page.as_bytes());
        let question = ProbeQuestion {
            path: "/",
            expected: Some(&expected),
        };
        let probe = self.provider.probe(deployment, question).await.unwrap();
        probe == Probe::Revision { status: 200 }
    }

    /// The same, at the alias.
    pub(super) async fn shows(&self, context: &str, page: &str) -> bool {
        let alias = Deployment {
            address: self.provider.alias_address(&alias(context)),
            id: "alias".into(),
            key: key(context),
            revision: Revision::try_new(0).unwrap(),
            state: BuildState::Ready,
        };
        self.serves(&alias, page).await
    }

    pub(super) fn calls(&self, operation: DenoOperation) -> usize {
        self.simulator.calls_of(operation).len()
    }

    /// Names of what was called, in order, since the last time.
    pub(super) fn story(&self) -> Vec<&'static str> {
        let story = self
            .simulator
            .ledger()
            .iter()
            .map(|call| call.operation)
            .collect();
        self.simulator.clear_ledger();
        story
    }

    /// The slugs of all apps that there are.
    pub(super) fn apps(&self) -> Vec<String> {
        let state = self.simulator.state();
        let apps = state["apps"].as_array().unwrap().iter();
        apps.map(|app| app["slug"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Asks the API as somebody else with the same token.
    pub(super) async fn by_hand(
        &self,
        method: reqwest::Method,
        path: &str,
        body: serde_json::Value,
    ) {
        let client = foreshow_tls::inward().build().unwrap();
        let request = client
            .request(method, format!("{}{path}", self.simulator.api_url()))
            .header("authorization", "Bearer ddo_simulator")
            .header("content-type", "application/json")
            .body(body.to_string());
        let answer = request.send().await.unwrap();
        assert!(
            answer.status().is_success(),
            "{}",
            answer.text().await.unwrap()
        );
    }
}

fn provider(simulator: &Simulator<Deno>, byte: u8, clock: &Arc<SteppedClock>) -> DenoProvider {
    let mut settings = DenoSettings::new("ddo_simulator".into());
    settings.api_url = simulator.api_url();
    let clock: Arc<dyn Clock> = Arc::<SteppedClock>::clone(clock);
    DenoProvider::try_new(settings, installation(byte), clock).unwrap()
}

pub(super) fn installation(byte: u8) -> InstallationKey {
    InstallationKey::try_from_slice(&[byte; 32]).unwrap()
}

pub(super) fn key(context: &str) -> ContextKey {
    ContextKey::try_new("acme", context).unwrap()
}

pub(super) fn alias(context: &str) -> HostLabel {
    installation(7).alias_label(&key(context))
}

pub(super) fn tree(page: &str) -> Arc<Tree> {
    files(&[("index.html", page, Encoding::Utf8)])
}

pub(super) fn files(files: &[(&str, &str, Encoding)]) -> Arc<Tree> {
    let file = |(path, content, encoding): &(&str, &str, Encoding)| InlineFile {
        path: (*path).into(),
        content: (*content).into(),
        encoding: *encoding,
    };
    let files: Vec<_> = files.iter().map(file).collect();
    Arc::new(tree_from_inline(&files, &Limits::default()).unwrap())
}

pub(super) fn name(operation: DenoOperation) -> &'static str {
    operation.name()
}

/// Asks until there is an answer.
pub(super) async fn until<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let give_up_at = Instant::now() + AT_MOST;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(
            Instant::now() < give_up_at,
            "still waiting after {AT_MOST:?}"
        );
        sleep(Duration::from_millis(20)).await;
    }
}
