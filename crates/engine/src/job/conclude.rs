//! The last step of a delivery: out of our hands, in one of the ways that lose nothing.

use std::{num::NonZeroU32, time::Duration};

use foreshow_contract::{
    Content, ContextEvent, EventKind, FailureCode, FailureReport, OrdinalKind,
};
use tokio::time::sleep_until;
use tracing::{debug, info, warn};

use super::{Job, results, stop::Trouble};
use crate::{
    DeadLetterReason, Delay, Delivery, Failure, Outcome, Queue,
    mutants::mutant,
    observe,
    outcome::{Subject, with_attempt},
    ports::QuotaMember,
    retry::{self, Next},
    worker::ShuttingDown,
};

impl Job {
    /// Publishes how the event ended, keeps a dead letter of what failed, and acknowledges.
    pub(super) async fn conclude(
        &self,
        subject: &Subject,
        event: &ContextEvent,
        outcome: &Outcome,
        may_be_admitted: bool,
    ) -> Result<(), ShuttingDown> {
        if mutant!(AckBeforePublish) {
            self.ack().await?;
        }
        let results = results::of(subject, outcome, &self.engine);
        if !results.is_empty() {
            self.engine
                .insist(&self.shutdown, || {
                    self.engine.broker().publish_results(&results)
                })
                .await?;
            observe::ended(outcome);
        }
        if let ContextEvent::Updated(update) = event {
            let build = QuotaMember::Build(subject.key.clone(), subject.ordinal.revision);
            if may_be_admitted {
                self.engine
                    .insist(&self.shutdown, || self.engine.store().leave(&build))
                    .await?;
            }
            // What failed keeps its bundle: a dead letter may be replayed.
            if let (Content::Bundle(bundle), false) =
                (&update.content, matches!(outcome, Outcome::Failed { .. }))
            {
                // Once is enough: a bundle that stays is found by its age.
                let released = self
                    .engine
                    .bundles()
                    .release(bundle, &update.key, update.revision);
                if let Err(error) = released.await {
                    warn!(
                        error = &error as &dyn std::error::Error,
                        "a bundle was not released; it goes when it is old"
                    );
                }
            }
        }
        match outcome {
            Outcome::Ready(ready) => {
                info!(context.id = %subject.key, revision = %subject.ordinal.revision, unchanged = ready.unchanged,
                    "preview of {} is ready", subject.key);
            }
            Outcome::Failed { report } => {
                warn!(context.id = %subject.key, revision = %subject.ordinal.revision, code = %report.code,
                    "preview of {} failed: {}", subject.key, report.message);
                if mutant!(DeadLetterOnce) && self.delivery.redelivered {
                    return self.ack().await;
                }
                let reason = DeadLetterReason {
                    code: report.code.to_string(),
                    message: report.message.clone(),
                    attempts: report.attempts.clone(),
                };
                // Of the life that is told of: a copy of an earlier one would be replayed into a life that has ended.
                let told = Delivery {
                    replay: subject.replay.max(self.delivery.replay),
                    ..self.delivery.clone()
                };
                return self.keep(&told, &reason).await;
            }
            Outcome::Removed { expired } if subject.kind == EventKind::Expire => {
                if !expired.is_empty() {
                    info!(context.id = %subject.key, "the preview of {} has expired and was removed", subject.key);
                }
            }
            Outcome::Removed { .. } => {
                info!(context.id = %subject.key, "{} was ended and cleaned up", subject.key);
            }
            Outcome::Reset { .. } => {
                warn!(context.id = %subject.key, "{} was reset: whatever comes next is its newest", subject.key);
            }
            Outcome::Superseded { .. } => {}
        }
        self.ack().await
    }

    /// What follows from a failure. An end is tried for as long as an event may wait, however often: giving up would
    /// leave what it should remove.
    pub(super) fn next(&self, trouble: &Trouble, kind: OrdinalKind) -> Next {
        let Delivery {
            attempt,
            accepted_at,
            ..
        } = &self.delivery;
        let mut options = self.engine.options().retry.clone();
        if kind == OrdinalKind::End {
            options.attempts = NonZeroU32::MAX;
        }
        self.engine.with_rng(|rng| {
            let now = self.engine.now();
            retry::next(&trouble.failure, *attempt, *accepted_at, now, &options, rng)
        })
    }

    pub(super) fn failed(&self, trouble: &Trouble, code: &'static str) -> Outcome {
        let now = self.engine.now();
        let report = FailureReport {
            code: FailureCode::from(code),
            message: match &trouble.failure {
                Failure::Permanent(_) => trouble.message.clone(),
                Failure::Retryable { .. }
                | Failure::RateLimited { .. }
                | Failure::ProviderDown
                | Failure::ProviderClosed { .. } => format!(
                    "given up after {}: {}",
                    attempts_in_words(self.delivery.attempt),
                    trouble.message
                ),
            },
            provider: trouble.provider.clone(),
            attempts: with_attempt(
                &self.delivery.history,
                trouble.report(self.delivery.attempt, now),
            ),
            log_tail: trouble.log_tail.clone(),
        };
        Outcome::Failed {
            report: Box::new(report),
        }
    }

    /// Hands the delivery to a delay. One that may have been let in says so to whoever gets it next, who gives its place
    /// back: to them it counts as redelivered.
    pub(super) async fn delay(
        &self,
        after: Duration,
        attempt: NonZeroU32,
        trouble: Option<&Trouble>,
        may_be_admitted: bool,
    ) -> Result<(), ShuttingDown> {
        let history = match trouble {
            Some(trouble) => with_attempt(
                &self.delivery.history,
                trouble.report(self.delivery.attempt, self.engine.now()),
            ),
            None => self.delivery.history.clone(),
        };
        let delay = Delay {
            after,
            attempt,
            history,
        };
        let mut delivery = self.delivery.clone();
        delivery.redelivered |= may_be_admitted;
        self.engine
            .insist(&self.shutdown, || {
                self.engine.broker().delay(&delivery, delay.clone())
            })
            .await
    }

    /// Moves the delivery to the backlog: its tenant has too many waiting here. It uses up no attempt.
    pub(super) async fn move_to_backlog(&self, may_be_admitted: bool) -> Result<(), ShuttingDown> {
        let mut delivery = self.delivery.clone();
        delivery.redelivered |= may_be_admitted;
        self.engine
            .insist(&self.shutdown, || {
                self.engine.broker().move_to(&delivery, Queue::Backlog)
            })
            .await?;
        observe::moved_to_backlog();
        Ok(())
    }

    pub(super) async fn dead_letter(&self, reason: &DeadLetterReason) -> Result<(), ShuttingDown> {
        self.keep(&self.delivery, reason).await
    }

    /// Keeps a delivery among the dead letters.
    async fn keep(
        &self,
        delivery: &Delivery,
        reason: &DeadLetterReason,
    ) -> Result<(), ShuttingDown> {
        self.engine
            .insist(&self.shutdown, || {
                self.engine.broker().dead_letter(delivery, reason)
            })
            .await
    }

    pub(super) async fn ack(&self) -> Result<(), ShuttingDown> {
        self.engine
            .insist(&self.shutdown, || {
                self.engine.broker().ack(&self.delivery.receipt)
            })
            .await
    }

    /// Returns when the delivery is to be let go of: the worker stops, or holds it for too long already.
    pub(super) async fn must_let_go(&self) {
        tokio::select! {
            biased;
            () = self.shutdown.cancelled() => {}
            () = sleep_until(self.hold_until) => {}
        }
    }

    /// Gives the delivery back at shutdown; else parks it for a moment, which uses up no attempt: the broker would take
    /// away what is held for too long, and count that as this consumer's fault.
    pub(super) async fn let_go(&self, may_be_admitted: bool) -> Result<(), ShuttingDown> {
        if self.shutdown.is_cancelled() {
            return self.give_back().await;
        }
        debug!(
            "held for {} s, and parked before the broker takes it away",
            self.engine.options().worker.hold_seconds
        );
        let park = Duration::from_millis(self.engine.options().wait.park_ms);
        self.delay(park, self.delivery.attempt, None, may_be_admitted)
            .await
    }

    /// Gives the delivery back. Where that fails, it comes back once this consumer is gone.
    pub(super) async fn give_back(&self) -> Result<(), ShuttingDown> {
        if let Err(error) = self.engine.broker().requeue(&self.delivery.receipt).await {
            debug!(
                error = &error as &dyn std::error::Error,
                "a delivery was not given back; it follows its consumer"
            );
        }
        Err(ShuttingDown)
    }
}

fn attempts_in_words(attempts: NonZeroU32) -> String {
    match attempts.get() {
        1 => "1 attempt".to_owned(),
        attempts => format!("{attempts} attempts"),
    }
}
