//! The end of a context, its expiry and its reset: the same loop as a deployment, with the desired state `absent`.

use foreshow_contract::{DeploymentId, EventKind, ProviderName, Revision};
use tracing::warn;

use super::{Job, stop::Stop};
use crate::{
    BuildState, ContextRecord, Failure, Provider, ProviderError, mutants::mutant, outcome::Subject,
    ports::QuotaMember,
};

/// How often a provider is asked what is left, within one attempt.
const ROUNDS: usize = 5;

impl Job {
    /// Removes, at every provider, each deployment of the context whose revision is not above the end's own.
    ///
    /// Bounded by the end's revision, so that a clean-up that was frozen and wakes late cannot remove what a newer
    /// update has deployed meanwhile. The record stays, as the tombstone. A provider that fails stops nobody else's
    /// clean-up; the end is tried again until it is done everywhere. One that is away, or refuses us altogether, for its token is wrong,
    /// say, holds up only the ends of contexts that are there: what it has of others, the sweeper finds covered by the end. A reset, which
    /// leaves no end behind, waits for all of them.
    pub(super) async fn clean_up(
        &self,
        subject: &Subject,
        record: &ContextRecord,
    ) -> Result<(), Stop> {
        let mut failed = None;
        for provider in self.engine.providers() {
            let Err(mut error) = remove_all(&**provider, subject).await else {
                continue;
            };
            let is_away = match error.failure {
                Failure::Permanent(_) | Failure::ProviderDown | Failure::ProviderClosed { .. } => {
                    true
                }
                Failure::Retryable { .. } | Failure::RateLimited { .. } => false,
            };
            if is_away {
                // After a reset no floor tells the sweeper what to remove.
                let may_be_left = subject.kind != EventKind::Reset;
                if may_be_left && !is_at(record, provider.name()) {
                    warn!(context.id = %subject.key, error = &error as &dyn std::error::Error,
                        "{error}; left to the sweeper, should it have anything of {}", subject.key);
                    continue;
                }
                if let Failure::Permanent(_) = error.failure {
                    // Somebody may put the token right.
                    error.failure = Failure::Retryable { after: None };
                }
            }
            failed = failed.or(Some(error));
        }
        if let Some(error) = failed {
            return Err(error.into());
        }
        let place = QuotaMember::LivePreview(subject.key.clone());
        self.engine
            .insist(&self.shutdown, || self.engine.store().leave(&place))
            .await?;
        Ok(())
    }
}

/// Whether the record has anything at this provider.
fn is_at(record: &ContextRecord, provider: &ProviderName) -> bool {
    let live = record.live.as_ref().map(|live| &live.provider);
    let building = record.building.as_ref().map(|building| &building.provider);
    live == Some(provider) || building == Some(provider)
}

async fn remove_all(provider: &dyn Provider, subject: &Subject) -> Result<(), ProviderError> {
    for _ in 0..ROUNDS {
        let left = left(provider, subject, subject.ordinal.revision).await?;
        if left.is_empty() {
            return Ok(());
        }
        for id in left {
            provider.delete(&id).await?;
        }
    }
    Err(ProviderError {
        provider: provider.name().clone(),
        operation: "remove a context's deployments",
        message: format!("some were still listed after they were deleted {ROUNDS} times"),
        failure: Failure::Retryable { after: None },
        source: None,
    })
}

async fn left(
    provider: &dyn Provider,
    subject: &Subject,
    up_to: Revision,
) -> Result<Vec<DeploymentId>, ProviderError> {
    let listed = provider.list(&subject.key).await?.into_iter();
    let left = listed.filter(|one| {
        (one.revision <= up_to || mutant!(EndUnbounded)) && one.state != BuildState::Gone
    });
    Ok(left.map(|one| one.id).collect())
}
