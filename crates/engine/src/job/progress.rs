//! Progress of a job: `preview.building` events for whoever watches.
//!
//! Progress is no end: it is published without insisting, and only of a state that lasts, so that a quick deployment
//! costs no extra message.

use std::time::Duration;

use foreshow_contract::{BuildingState, DeploymentId, ProviderName};
use tokio::{sync::watch, task::AbortHandle, time::sleep};
use tracing::debug;

use super::results;
use crate::{outcome::Subject, worker::Engine};

/// A state is told after it has lasted this long.
const WORTH_TELLING_AFTER: Duration = Duration::from_millis(200);

/// Where a job stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) state: BuildingState,
    pub(super) provider: Option<ProviderName>,
    pub(super) deployment: Option<DeploymentId>,
}

/// Tells of a job's steps until it is dropped.
pub(super) struct Progress {
    steps: watch::Sender<Step>,
    teller: AbortHandle,
}

impl Progress {
    pub(super) fn start(engine: Engine, subject: Subject, state: BuildingState) -> Self {
        let (steps, receiver) = watch::channel(Step {
            state,
            provider: None,
            deployment: None,
        });
        let tasks = engine.tasks().clone();
        let teller = tasks.spawn(tell(engine, subject, receiver));
        Self { steps, teller }
    }

    pub(super) fn at(
        &self,
        state: BuildingState,
        provider: &ProviderName,
        deployment: Option<&DeploymentId>,
    ) {
        let step = Step {
            state,
            provider: Some(provider.clone()),
            deployment: deployment.cloned(),
        };
        self.steps.send_if_modified(|current| {
            let modified = *current != step;
            *current = step;
            modified
        });
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.teller.abort();
    }
}

async fn tell(engine: Engine, subject: Subject, mut steps: watch::Receiver<Step>) {
    loop {
        let step = steps.borrow_and_update().clone();
        tokio::select! {
            biased;
            changed = steps.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
            () = sleep(WORTH_TELLING_AFTER) => {}
        }
        let result = results::building(&subject, &step, engine.now());
        if let Err(error) = engine.broker().publish_results(&[result]).await {
            debug!(
                error = &error as &dyn std::error::Error,
                "progress was not published"
            );
        }
        if steps.changed().await.is_err() {
            return;
        }
    }
}
