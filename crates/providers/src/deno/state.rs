//! How a build stands, in the engine's words.
//!
//! A build that succeeded is not ready yet: its host appears in the timelines seconds later, and only then does anybody know where it
//! is. So *ready* means that its host is told. One that is never told ends with the engine's patience.

use foreshow_engine::{Address, BuildState, Failure};

use super::{
    DenoError, DenoProvider, hosts,
    log::clean,
    tags::Place,
    wire::{FailureReason, Revision, Status},
};

/// Whether the log of a build that failed is wanted: it is one more call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Log {
    Told,
    Untold,
}

impl DenoProvider {
    pub(super) async fn state_of(&self, place: &Place) -> Result<BuildState, DenoError> {
        match self.client.revision(&place.revision).await? {
            Some(revision) => self.state(place, &revision, Log::Told).await,
            None => Ok(BuildState::Gone),
        }
    }

    /// The state of a revision that was read in full.
    pub(super) async fn state(
        &self,
        place: &Place,
        revision: &Revision,
        log: Log,
    ) -> Result<BuildState, DenoError> {
        if revision.deleted_at.is_some() {
            return Ok(BuildState::Gone);
        }
        self.learn(place, revision);
        Ok(match revision.status {
            Status::Succeeded if hosts::own_host(revision).is_some() => BuildState::Ready,
            Status::Queued | Status::Building | Status::Succeeded | Status::Other => {
                BuildState::Building
            }
            Status::Failed | Status::Skipped => {
                let mut log_tail = match log {
                    Log::Told => self.log_tail(place).await?,
                    Log::Untold => Vec::new(),
                };
                log_tail.extend(reasons(revision));
                BuildState::Failed { log_tail }
            }
        })
    }

    /// The log's last lines. A log that cannot be read does not keep a failure from being told.
    async fn log_tail(&self, place: &Place) -> Result<Vec<String>, DenoError> {
        match self.client.build_log(&place.revision).await {
            Ok(lines) => Ok(lines),
            // Everybody has to hear of a limit.
            Err(error) if matches!(error.failure(), Failure::RateLimited { .. }) => Err(error),
            Err(error) => {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "a build's log was not read"
                );
                Ok(vec![
                    "(Deno Deploy did not give the build's log)".to_owned(),
                ])
            }
        }
    }
}

/// Why it failed, where the log does not say it.
pub(super) fn reasons(revision: &Revision) -> Vec<String> {
    let mut lines = Vec::new();
    let by_reason = match (revision.failure_reason, revision.status) {
        (Some(FailureReason::Cancelled), _) => Some("The build was cancelled at Deno Deploy."),
        (Some(FailureReason::TimedOut), _) => Some(
            "The build took longer than Deno Deploy allows: 5 minutes, or up to 30 on a paid plan.",
        ),
        (Some(FailureReason::Skipped), _) | (_, Status::Skipped) => {
            Some("Deno Deploy skipped the build.")
        }
        (Some(FailureReason::Error | FailureReason::Other) | None, _) => None,
    };
    lines.extend(by_reason.map(str::to_owned));
    if let Some(detail) = &revision.failure_detail {
        let (stage, code) = (clean(&detail.stage), clean(&detail.code));
        let mut line = format!("Deno Deploy: {stage} failed ({code})");
        let message = clean(detail.message.lines().next().unwrap_or_default().trim());
        if !message.is_empty() {
            line = format!("{line}: {message}");
        }
        lines.push(line);
        if detail.code == "boot_failed" {
            lines.push(
                "The app did not start. It has to call Deno.serve or export a default fetch handler."
                    .to_owned(),
            );
        }
    }
    lines
}

/// Where it is reached, as far as this answer tells.
pub(super) fn address(place: &Place, revision: &Revision) -> Address {
    match hosts::own_host(revision) {
        Some(host) => Address::new(host),
        None => Address::new(place.id().as_str()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn failed(fields: Value) -> Revision {
        let mut revision = json!({ "id": "r1", "status": "failed" });
        revision
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        serde_json::from_value(revision).unwrap()
    }

    #[test]
    fn a_failure_that_the_log_is_silent_of_is_told() {
        assert!(
            reasons(&failed(
                json!({ "failure_reason": "error", "failure_detail": null })
            ))
            .is_empty()
        );
        assert!(reasons(&failed(json!({ "failure_reason": "something new" }))).is_empty());
        for (fields, word) in [
            (json!({ "failure_reason": "cancelled" }), "cancelled"),
            (json!({ "failure_reason": "timed_out" }), "longer"),
            (json!({ "failure_reason": "skipped" }), "skipped"),
            (json!({ "status": "skipped" }), "skipped"),
        ] {
            let lines = reasons(&failed(fields));
            assert_eq!(lines.len(), 1);
            assert!(lines[0].contains(word), "{lines:?}");
        }
        let detail =
            json!({ "stage": "warmup", "code": "boot_failed", "message": "no server\nat main.ts" });
        let lines = reasons(&failed(
            json!({ "failure_reason": "error", "failure_detail": detail }),
        ));
        assert_eq!(
            lines[0],
            "Deno Deploy: warmup failed (boot_failed): no server"
        );
        assert!(lines[1].contains("Deno.serve"), "{lines:?}");
    }

    #[test]
    fn unknown_words_are_no_error() {
        let revision: Revision =
            serde_json::from_value(json!({ "id": "r1", "status": "hibernating" })).unwrap();
        assert_eq!(revision.status, Status::Other);
    }
}
