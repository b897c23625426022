//! Vercel, simulated.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use foreshow_conformance::provider::{Adapter, Build, Edge, Hosted, installation};
use foreshow_contract::{ContextKey, DeploymentId, InstallationKey};
use foreshow_engine::Provider;
use foreshow_simulators::{Simulator, Vercel, VercelOptions, core::Fault, vercel::VercelOperation};

use crate::{
    deno::{FAILURE, delay, outcome, refusal},
    simulated::{self, Process, VERCEL_TOKEN},
    visitor,
};

/// A shorter page than in life: a hundred creates would prove no more.
const PAGE: usize = 5;

pub(crate) struct VercelWorld {
    simulator: Simulator<Vercel>,
    /// One process, which remembers what it has seen.
    provider: Arc<dyn Provider>,
}

impl VercelWorld {
    pub(crate) async fn new() -> Self {
        let options = VercelOptions::default();
        let simulator = Simulator::<Vercel>::start_anywhere(options).await.unwrap();
        simulator.turn(|knobs| knobs.page_limit = PAGE);
        let provider = simulated::vercel(&simulator, Process::new(VERCEL_TOKEN, installation()));
        Self {
            simulator,
            provider,
        }
    }
}

#[async_trait]
impl Adapter for VercelWorld {
    fn provider(&self) -> Arc<dyn Provider> {
        Arc::clone(&self.provider)
    }

    fn another(&self) -> Arc<dyn Provider> {
        simulated::vercel(&self.simulator, Process::new(VERCEL_TOKEN, installation()))
    }

    fn set_build(&self, build: Build) {
        self.simulator
            .turn(|knobs| knobs.builds.outcome = outcome(build));
    }

    fn failure_word(&self) -> &'static str {
        FAILURE
    }

    async fn vanish(&self, id: &DeploymentId) {
        assert!(self.simulator.vanish(id.as_str()));
    }

    async fn visit(&self, url: &str) -> (u16, Vec<u8>) {
        visitor::visit(url).await
    }

    fn uploads(&self) -> Option<usize> {
        Some(self.simulator.calls_of(VercelOperation::UploadFile).len())
    }

    fn beyond_a_page(&self) -> usize {
        2 * PAGE + 1
    }
}

#[async_trait]
impl Hosted for VercelWorld {
    fn of_installation(&self, installation: InstallationKey) -> Arc<dyn Provider> {
        simulated::vercel(&self.simulator, Process::new(VERCEL_TOKEN, installation))
    }

    fn with_token(&self, token: &str) -> Arc<dyn Provider> {
        simulated::vercel(&self.simulator, Process::new(token, installation()))
    }

    fn token(&self) -> &'static str {
        VERCEL_TOKEN
    }

    fn set_edge(&self, edge: Option<Edge>) {
        self.simulator
            .turn(|knobs| knobs.builds.site_delay = edge.map(delay));
    }

    /// As the last create that was taken told it, the same for build and run.
    fn environment(&self, key: &ContextKey) -> BTreeMap<String, String> {
        let creates = self.simulator.calls_of(VercelOperation::CreateDeployment);
        let mut taken = creates.iter().rev().filter(|call| call.status == Some(200));
        let of = taken.find(|call| call.json()["meta"]["foreshowContext"] == *key.context.as_str());
        let body = of.unwrap().json();
        assert_eq!(body["env"], body["build"]["env"]);
        serde_json::from_value(body["env"].clone()).unwrap()
    }

    fn refuse_creates(&self, message: &str) {
        let fault = Fault::new(refusal(message));
        self.simulator
            .fault(fault.on(VercelOperation::CreateDeployment));
    }
}
