//! Whether a deployment that its provider calls ready can be reached, at this revision.
//!
//! "Ready" is the provider's word for its own part. Until the host name is known everywhere, its edge may answer with an error page, or
//! with what was there before; so the preview's own URL is asked, and who answered is told by its provider's adapter. Of files that are
//! served as they are it is known what the answer must be.

use std::{sync::Arc, time::Duration};

use foreshow_bundle::Tree;
use foreshow_contract::{Framework, Sha256};
use tokio::time::{Instant, sleep};
use tracing::debug;

use super::{
    deploy::Deploy,
    stop::{Stop, Trouble},
};
use crate::{BuildState, Deployment, Failure, Probe, ProbeQuestion, Provider, code};

/// The first and the largest interval between two questions.
const ASK_EVERY: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

impl Deploy<'_> {
    /// Learns where the deployment is reached; `false` where it is gone.
    pub(super) async fn locate(
        &self,
        provider: &dyn Provider,
        deployment: &mut Deployment,
    ) -> Result<bool, Stop> {
        let mut patience = self.patience_with(provider, deployment);
        loop {
            let mut trouble = None;
            let seen = match provider.locate(deployment).await {
                Ok(Some(address)) => {
                    deployment.address = address;
                    return Ok(true);
                }
                Ok(None) => match provider.status(&deployment.id).await {
                    Ok(BuildState::Gone) => return Ok(false),
                    Ok(_) => "it has no address yet".to_owned(),
                    Err(error) => trouble.insert(error).to_string(),
                },
                Err(error) => trouble.insert(error).to_string(),
            };
            let waited = patience.wait(&seen).await;
            match (waited, trouble) {
                // It is not the preview that can't be reached, but who tells where it is.
                (Err(Stop::Failed(_)), Some(error)) => return Err(Stop::from(error).kept_here()),
                (waited, _) => waited?,
            }
        }
    }

    /// Asks the deployment's own URL until this revision answers well; `false` where the deployment is gone. `tree` is what it was made
    /// of, where that is certain.
    pub(super) async fn probe(
        &self,
        provider: &dyn Provider,
        deployment: &Deployment,
        tree: Option<&Arc<Tree>>,
    ) -> Result<bool, Stop> {
        let path = self.job.engine.options().probe.path.as_str();
        let question = ProbeQuestion {
            path,
            expected: tree.and_then(|tree| self.served_at(tree, path)),
        };
        let mut patience = self.patience_with(provider, deployment);
        loop {
            let seen = match provider.probe(deployment, question).await {
                Ok(Probe::Revision { status }) if (200..400).contains(&status) => return Ok(true),
                Ok(Probe::Revision { status }) => {
                    format!("it answered {path} with status {status}")
                }
                Ok(Probe::NotYet { seen }) => seen,
                Err(error) => error.to_string(),
            };
            let waited = patience.wait(&seen).await;
            if waited.is_err()
                && let Ok(BuildState::Gone) = provider.status(&deployment.id).await
            {
                return Ok(false);
            }
            waited?;
        }
    }

    /// The digest of what this path answers, of files that are served as they are.
    fn served_at<'t>(&self, tree: &'t Tree, path: &str) -> Option<&'t Sha256> {
        let app = &self.update.app;
        if app.framework != Framework::Static || app.build_command.is_some() {
            return None;
        }
        let folder = app.output_directory.as_deref().unwrap_or_default();
        let folder = folder.trim_start_matches("./").trim_matches('/');
        let path = path.split('?').next().unwrap_or_default();
        let index = if path.ends_with('/') {
            "index.html"
        } else {
            ""
        };
        let file = format!("{folder}{path}{index}");
        tree.get(file.trim_start_matches('/'))
            .map(|file| &file.sha256)
    }

    fn patience_with<'p>(&'p self, provider: &'p dyn Provider, of: &Deployment) -> Reaching<'p> {
        let options = &self.job.engine.options().probe;
        Reaching {
            deploy: self,
            provider,
            deployment: of.clone(),
            give_up_at: Instant::now() + Duration::from_secs(options.timeout_seconds),
            interval: ASK_EVERY.0,
        }
    }
}

/// Waiting for a deployment to be reached, for a bounded time.
struct Reaching<'p> {
    deploy: &'p Deploy<'p>,
    provider: &'p dyn Provider,
    deployment: Deployment,
    give_up_at: Instant,
    interval: Duration,
}

impl Reaching<'_> {
    /// Returns when it is to be asked again.
    async fn wait(&mut self, seen: &str) -> Result<(), Stop> {
        let id = &self.deployment.id;
        if Instant::now() >= self.give_up_at {
            let options = &self.deploy.job.engine.options().probe;
            let message = format!(
                "{} did not answer with this revision within {} s: {seen}",
                self.provider.url(&self.deployment.address),
                options.timeout_seconds
            );
            return Err(Stop::failed(
                Trouble::new(Failure::Permanent(code::NOT_REACHABLE), message)
                    .at(self.provider.name()),
            ));
        }
        debug!(deployment.id = %id, "not reachable yet: {seen}");
        tokio::select! {
            biased;
            () = self.deploy.job.must_let_go() => return Err(Stop::HandOver),
            () = sleep(self.interval) => {}
        }
        self.interval = (self.interval * 2).min(ASK_EVERY.1);
        Ok(())
    }
}
