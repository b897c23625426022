//! A context that the store does not know, while it may have lost its memory: the providers are asked.

use std::time::Duration;

use tracing::warn;

use super::{
    Job,
    stop::{Stop, Trouble},
};
use crate::{
    BuildState, ContextRecord, Failure, ProviderError,
    outcome::Subject,
    sweep::{Listed, seed},
};

/// When a provider that did not tell what it has is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(5);

impl Job {
    /// Merges what the providers know of the context into its record, so that a late old revision cannot pass for the
    /// newest; the record after that.
    pub(super) async fn look_up(&self, subject: &Subject) -> Result<ContextRecord, Stop> {
        let engine = &self.engine;
        let listed = self.listed(subject).await;
        let listed = listed.map_err(|error| {
            // No attempt is used up: the user's event is not to fail for what the store forgot.
            let until = match error.failure {
                Failure::RateLimited { until } | Failure::ProviderClosed { until } => until,
                Failure::Retryable { .. } | Failure::ProviderDown | Failure::Permanent(_) => {
                    engine.now().saturating_add(ASK_AGAIN)
                }
            };
            let message = format!("the store has lost its memory, and {error}");
            let trouble = Trouble::new(Failure::RateLimited { until }, message);
            Stop::failed(trouble.at(&error.provider).because(&error))
        })?;
        let seed = seed(engine, &subject.key, &listed);
        let store = engine.store();
        engine
            .insist(&self.shutdown, || store.seed(&subject.key, &seed))
            .await?;
        let record = engine
            .insist(&self.shutdown, || store.context(&subject.key))
            .await?;
        // Wiped once more: the lease is gone with it.
        record.ok_or(Stop::LeaseLost)
    }

    /// What all providers have of the context. One that refuses to tell for good, for its token is wrong, say, has nothing that
    /// anybody could deploy to or take away, and keeps nobody waiting for the others.
    async fn listed(&self, subject: &Subject) -> Result<Listed, ProviderError> {
        let mut listed = Listed::new();
        for provider in self.engine.providers() {
            match provider.list(&subject.key).await {
                Ok(there) => listed.extend(
                    there
                        .into_iter()
                        .filter(|one| one.state != BuildState::Gone)
                        .map(|one| (provider.name().clone(), one)),
                ),
                Err(error) if matches!(error.failure, Failure::Permanent(_)) => {
                    warn!(
                        error = &error as &dyn std::error::Error,
                        "{error}; what it has is not known, and its previews can't be changed: `foreshow doctor` tells more"
                    );
                }
                Err(error) => return Err(error),
            }
        }
        Ok(listed)
    }
}
