//! Events that cannot be taken: told so by name, kept among the dead letters.

use foreshow_contract::{RejectedEvent, Rejection, RejectionCode};
use tracing::warn;

use super::{Job, results};
use crate::{DeadLetterReason, observe, outcome::Subject, worker::ShuttingDown};

impl Job {
    /// Publishes `event.rejected` and keeps the message as a dead letter.
    pub(super) async fn reject(&self, rejection: &Rejection) -> Result<(), ShuttingDown> {
        warn!(code = %rejection.code, path = rejection.path.as_deref(), "an event was rejected: {}", rejection.message);
        let results = [results::rejected(rejection, self.engine.now())];
        self.engine
            .insist(&self.shutdown, || {
                self.engine.broker().publish_results(&results)
            })
            .await?;
        observe::rejected();
        let reason = DeadLetterReason {
            code: rejection.code.to_string(),
            message: rejection.message.clone(),
            attempts: self.delivery.history.clone(),
        };
        self.dead_letter(&reason).await
    }

    /// Rejects an event whose revision was accepted before with other content.
    pub(super) async fn reject_conflict(&self, subject: &Subject) -> Result<(), ShuttingDown> {
        let rejection = Rejection {
            code: RejectionCode::RevisionConflict,
            message: format!(
                "revision {} of {} was accepted before with other content; publish the change under a higher revision",
                subject.ordinal.revision, subject.key
            ),
            path: Some("$.data.revision".to_owned()),
            event: RejectedEvent {
                id: Some(subject.envelope.id.clone()),
                source: Some(subject.envelope.source.clone()),
                tenant: Some(subject.key.tenant.clone()),
                context: Some(subject.key.context.clone()),
                revision: Some(subject.ordinal.revision),
                kind: Some(subject.kind),
                body_digest: foreshow_contract::Sha256::of(&self.delivery.message.body).to_string(),
            },
        };
        self.reject(&rejection).await
    }
}
