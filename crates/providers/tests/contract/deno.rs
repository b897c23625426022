//! Deno Deploy, simulated.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use foreshow_conformance::provider::{Adapter, Build, Edge, Hosted, installation};
use foreshow_contract::{ContextKey, DeploymentId, InstallationKey};
use foreshow_engine::Provider;
use foreshow_simulators::{
    Deno, DenoOptions, Simulator,
    core::{BuildOutcome, Fault, FaultKind, SiteAnswer, SiteDelay},
    deno::DenoOperation,
};
use serde_json::Value;

use crate::{
    simulated::{self, DENO_TOKEN, Process},
    visitor,
};

pub(crate) struct DenoWorld {
    simulator: Simulator<Deno>,
    /// One process, which remembers what it has seen.
    provider: Arc<dyn Provider>,
}

impl DenoWorld {
    pub(crate) async fn new() -> Self {
        let options = DenoOptions::default();
        let simulator = Simulator::<Deno>::start_anywhere(options).await.unwrap();
        let provider = simulated::deno(&simulator, Process::new(DENO_TOKEN, installation()));
        Self {
            simulator,
            provider,
        }
    }
}

#[async_trait]
impl Adapter for DenoWorld {
    fn provider(&self) -> Arc<dyn Provider> {
        Arc::clone(&self.provider)
    }

    fn another(&self) -> Arc<dyn Provider> {
        simulated::deno(&self.simulator, Process::new(DENO_TOKEN, installation()))
    }

    fn set_build(&self, build: Build) {
        self.simulator
            .turn(|knobs| knobs.builds.outcome = outcome(build));
    }

    fn failure_word(&self) -> &'static str {
        FAILURE
    }

    async fn vanish(&self, id: &DeploymentId) {
        let (_, revision) = id.as_str().split_once(':').unwrap();
        assert!(self.simulator.vanish(revision));
    }

    async fn visit(&self, url: &str) -> (u16, Vec<u8>) {
        visitor::visit(url).await
    }

    fn uploads(&self) -> Option<usize> {
        None
    }

    fn beyond_a_page(&self) -> usize {
        26
    }
}

#[async_trait]
impl Hosted for DenoWorld {
    fn of_installation(&self, installation: InstallationKey) -> Arc<dyn Provider> {
        simulated::deno(&self.simulator, Process::new(DENO_TOKEN, installation))
    }

    fn with_token(&self, token: &str) -> Arc<dyn Provider> {
        simulated::deno(&self.simulator, Process::new(token, installation()))
    }

    fn token(&self) -> &'static str {
        DENO_TOKEN
    }

    fn set_edge(&self, edge: Option<Edge>) {
        self.simulator
            .turn(|knobs| knobs.builds.site_delay = edge.map(delay));
    }

    fn environment(&self, key: &ContextKey) -> BTreeMap<String, String> {
        let state = self.simulator.state();
        let context = Value::from(key.context.escaped());
        let mut apps = state["apps"].as_array().unwrap().iter();
        let app = apps.find(|app| app["labels"]["custom.foreshow_context"] == context);
        let env = app.unwrap()["env_vars"].as_array().unwrap().iter();
        let word = |value: &Value| value.as_str().unwrap().to_owned();
        env.map(|one| (word(&one["key"]), word(&one["value"])))
            .collect()
    }

    fn refuse_creates(&self, message: &str) {
        let fault = Fault::new(refusal(message));
        self.simulator.fault(fault.on(DenoOperation::Deploy));
    }
}

/// What the log of a failed build says.
pub(crate) const FAILURE: &str = "error: the roof is on fire";

pub(crate) fn outcome(build: Build) -> BuildOutcome {
    match build {
        Build::Quick => BuildOutcome::Ready,
        Build::Never => BuildOutcome::Never,
        Build::Fails => BuildOutcome::Failed {
            log: vec!["building".to_owned(), FAILURE.to_owned()],
        },
    }
}

/// For as long as it is set.
pub(crate) fn delay(edge: Edge) -> SiteDelay {
    let answer = match edge {
        Edge::NotFound => SiteAnswer::NotFound,
        Edge::BadGateway => SiteAnswer::BadGateway,
        Edge::Previous => SiteAnswer::Previous,
    };
    SiteDelay {
        ms: 3_600_000,
        answer,
    }
}

pub(crate) fn refusal(message: &str) -> FaultKind {
    FaultKind::Status {
        status: 422,
        code: None,
        message: Some(message.to_owned()),
        is_done: false,
    }
}
