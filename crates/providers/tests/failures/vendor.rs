//! What the stories have to know of each vendor.

use std::sync::Arc;

use foreshow_contract::DeploymentId;
use foreshow_engine::{Provider, code};
use foreshow_simulators::{
    Deno, DenoOptions, Simulator, Vercel, VercelOptions,
    core::{BuildKnobs, Product},
    deno::DenoOperation,
    vercel::VercelOperation,
};
use serde_json::Value;

use crate::simulated::{self, DENO_TOKEN, Process, VERCEL_TOKEN};

/// How an event ends, and how often it was tried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending {
    pub(crate) code: &'static str,
    pub(crate) attempts: usize,
    pub(crate) creates: usize,
}

/// A vendor, with its simulator and our provider for it.
pub(crate) trait Vendor: Product {
    /// The call that makes a deployment.
    const CREATE: Self::Operation;
    /// The call that asks after one.
    const LOOK: Self::Operation;
    /// How an event ends whose create is always answered that something is not there.
    const NOT_THERE: Ending;
    /// Attempts that it takes where that was so once.
    const NOT_THERE_ONCE: u32;
    /// How an event ends whose create always is in conflict with something.
    const CONFLICT: Ending;

    fn options() -> Self::Options;

    /// The token that is taken.
    const TOKEN: &str;
    /// Whether it tells limits in a way of its own, beside `Retry-After`.
    const HAS_OWN_HINTS: bool;

    fn provider(simulator: &Simulator<Self>, process: Process) -> Arc<dyn Provider>;

    fn builds(knobs: &mut Self::Knobs) -> &mut BuildKnobs;

    /// What the simulator calls a deployment of ours.
    fn own_id(id: &DeploymentId) -> &str;

    /// The simulator's own ids of what there is.
    fn deployments(state: &Value) -> Vec<String>;

    /// Everything else that is made for a context and must not outlive it.
    fn belongings(state: &Value) -> Vec<String>;
}

impl Vendor for Deno {
    const CREATE: DenoOperation = DenoOperation::Deploy;
    const LOOK: DenoOperation = DenoOperation::GetRevision;
    // The app may have been removed between two calls.
    const NOT_THERE: Ending = Ending {
        code: code::ATTEMPTS_EXHAUSTED,
        attempts: 3,
        creates: 3,
    };
    const NOT_THERE_ONCE: u32 = 2;
    // With somebody who removes the app, or makes it: that passes.
    const CONFLICT: Ending = Self::NOT_THERE;

    fn options() -> DenoOptions {
        DenoOptions::default()
    }

    const TOKEN: &str = DENO_TOKEN;
    const HAS_OWN_HINTS: bool = false;

    fn provider(simulator: &Simulator<Self>, process: Process) -> Arc<dyn Provider> {
        simulated::deno(simulator, process)
    }

    fn builds(knobs: &mut Self::Knobs) -> &mut BuildKnobs {
        &mut knobs.builds
    }

    fn own_id(id: &DeploymentId) -> &str {
        id.as_str().split_once(':').unwrap().1
    }

    fn deployments(state: &Value) -> Vec<String> {
        words(&state["revisions"], "id")
    }

    fn belongings(state: &Value) -> Vec<String> {
        words(&state["apps"], "slug")
    }
}

impl Vendor for Vercel {
    const CREATE: VercelOperation = VercelOperation::CreateDeployment;
    const LOOK: VercelOperation = VercelOperation::GetDeployment;
    // The project may have been removed: looked up anew within the attempt, once.
    const NOT_THERE: Ending = Ending {
        code: code::PROVIDER_REFUSED,
        attempts: 1,
        creates: 2,
    };
    const NOT_THERE_ONCE: u32 = 1;
    const CONFLICT: Ending = Ending {
        code: code::PROVIDER_REFUSED,
        attempts: 1,
        creates: 1,
    };

    fn options() -> VercelOptions {
        VercelOptions::default()
    }

    const TOKEN: &str = VERCEL_TOKEN;
    const HAS_OWN_HINTS: bool = true;

    fn provider(simulator: &Simulator<Self>, process: Process) -> Arc<dyn Provider> {
        simulated::vercel(simulator, process)
    }

    fn builds(knobs: &mut Self::Knobs) -> &mut BuildKnobs {
        &mut knobs.builds
    }

    fn own_id(id: &DeploymentId) -> &str {
        id.as_str()
    }

    fn deployments(state: &Value) -> Vec<String> {
        words(&state["deployments"], "id")
    }

    fn belongings(state: &Value) -> Vec<String> {
        words(&state["aliases"], "alias")
    }
}

fn words(list: &Value, name: &str) -> Vec<String> {
    let list = list.as_array().unwrap().iter();
    list.map(|one| one[name].as_str().unwrap().to_owned())
        .collect()
}
