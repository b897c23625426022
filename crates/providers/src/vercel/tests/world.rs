//! A simulator, a provider that speaks to it, and short ways to ask it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use foreshow_bundle::{Limits, Tree, tree_from_inline};
use foreshow_contract::{
    App, ContextKey, Encoding, HostLabel, InlineFile, InstallationKey, Revision, Secret, Timestamp,
};
use foreshow_engine::{
    BuildState, Clock, CreateRequest, Created, Deployment, Probe, ProbeQuestion, Provider as _,
    ProviderError,
};
use foreshow_simulators::core::BuildOutcome;
use foreshow_simulators::vercel::{VercelKnobs, VercelOperation};
use foreshow_simulators::{Simulator, Vercel, VercelOptions};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::super::{VercelProvider, VercelSettings};

/// Longer than anything here takes on the slowest machine.
const AT_MOST: Duration = Duration::from_mins(1);

struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

pub(super) struct World {
    pub(super) simulator: Simulator<Vercel>,
    pub(super) provider: VercelProvider,
}

impl World {
    pub(super) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(super) async fn with(change: impl FnOnce(&mut VercelSettings)) -> Self {
        let simulator = Simulator::start_anywhere(VercelOptions::default())
            .await
            .unwrap();
        let provider = provider(&simulator, 7, change);
        Self {
            simulator,
            provider,
        }
    }

    /// Another process, or another installation with the same account.
    pub(super) fn another(
        &self,
        installation: u8,
        change: impl FnOnce(&mut VercelSettings),
    ) -> VercelProvider {
        provider(&self.simulator, installation, change)
    }

    pub(super) fn turn(&self, change: impl FnOnce(&mut VercelKnobs)) {
        self.simulator.turn(change);
    }

    /// The build that is created next ends so.
    pub(super) fn next_ends(&self, outcome: BuildOutcome) {
        self.turn(|knobs| knobs.builds.next.push_back(outcome));
    }

    pub(super) fn calls(&self, operation: VercelOperation) -> usize {
        self.simulator.calls_of(operation).len()
    }

    /// The deployments that there really are.
    pub(super) fn really_there(&self) -> usize {
        self.simulator.state()["deployments"]
            .as_array()
            .map_or(0, Vec::len)
    }

    /// The body of the last create.
    pub(super) fn last_create(&self) -> Value {
        let calls = self.simulator.calls_of(VercelOperation::CreateDeployment);
        calls.last().unwrap().json().clone()
    }

    pub(super) async fn create(&self, context: &str, revision: u64, page: &str) -> Deployment {
        let created = self.try_create(context, revision, &site(page)).await;
        created.unwrap().deployment
    }

    pub(super) async fn try_create(
        &self,
        context: &str,
        revision: u64,
        tree: &Arc<Tree>,
    ) -> Result<Created, ProviderError> {
        let none = BTreeMap::new();
        create_with(
            &self.provider,
            context,
            revision,
            tree,
            &App::default(),
            &none,
        )
        .await
    }

    pub(super) async fn ready(&self, context: &str, revision: u64, page: &str) -> Deployment {
        let mut created = self.create(context, revision, page).await;
        created.state = self.until_built(&created).await;
        assert_eq!(created.state, BuildState::Ready);
        created
    }

    pub(super) async fn until_built(&self, deployment: &Deployment) -> BuildState {
        until("its build ends", async || {
            let state = self.provider.status(&deployment.id).await.unwrap();
            (state != BuildState::Building).then_some(state)
        })
        .await
    }

    pub(super) async fn probe(&self, deployment: &Deployment) -> Probe {
        let question = ProbeQuestion {
            path: "/",
            expected: None,
        };
        self.provider.probe(deployment, question).await.unwrap()
    }

    pub(super) fn host_suffix(&self) -> String {
        format!("localhost:{}", self.simulator.address().port())
    }
}

fn provider(
    simulator: &Simulator<Vercel>,
    installation_byte: u8,
    change: impl FnOnce(&mut VercelSettings),
) -> VercelProvider {
    let mut settings = VercelSettings {
        token: Secret::new("simulator-token"),
        api_url: simulator.api_url(),
        alias_suffix: format!("localhost:{}", simulator.address().port()),
        ..VercelSettings::default()
    };
    change(&mut settings);
    let installation = installation(installation_byte);
    VercelProvider::try_new(settings, &installation, Arc::new(SystemClock)).unwrap()
}

pub(super) async fn create_with(
    provider: &VercelProvider,
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
    provider.create(request).await
}

/// Asks until there is an answer.
pub(super) async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let give_up_at = Instant::now() + AT_MOST;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < give_up_at, "in vain: {what}");
        sleep(Duration::from_millis(10)).await;
    }
}

pub(super) fn key(context: &str) -> ContextKey {
    ContextKey::try_new("acme", context).unwrap()
}

pub(super) fn installation(byte: u8) -> InstallationKey {
    InstallationKey::try_from_slice(&[byte; 32]).unwrap()
}

pub(super) fn alias(context: &str) -> HostLabel {
    installation(7).alias_label(&key(context))
}

pub(super) fn tree(files: &[(&str, &str)]) -> Arc<Tree> {
    let files: Vec<_> = files
        .iter()
        .map(|(path, content)| InlineFile {
            path: (*path).into(),
            content: (*content).into(),
            encoding: Encoding::Utf8,
        })
        .collect();
    Arc::new(tree_from_inline(&files, &Limits::default()).unwrap())
}

/// A page, and beside it a style sheet: not tiny, so that it is uploaded.
pub(super) fn site(page: &str) -> Arc<Tree> {
    tree(&[("index.html", page), ("style.css", "body{}")])
}
