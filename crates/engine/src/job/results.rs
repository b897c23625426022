//! Outcomes as results: addresses become URLs, and every repeat gets the same id.

use foreshow_contract::{
    Building, EventKind, Failed, OrdinalKind, Ready, Rejection, RemovalReason, Removed, ResultBody,
    ResultEvent, Superseded, Timestamp,
};

use super::progress::Step;
use crate::{Address, Outcome, outcome::Subject, worker::Engine};

/// The results that tell of an outcome: its end first, then the notices that go with it.
pub(super) fn of(subject: &Subject, outcome: &Outcome, engine: &Engine) -> Vec<ResultEvent> {
    let (key, revision) = (subject.key.clone(), subject.ordinal.revision);
    let end = match outcome {
        Outcome::Ready(ready) => {
            let url = |address: &Address| match engine.provider(&ready.provider) {
                Some(provider) => provider.url(address),
                // Settled by a configuration that had this provider; the address is all there is.
                None => address.to_string(),
            };
            ResultBody::Ready(Ready {
                key,
                revision,
                url: url(&ready.address),
                alias_url: url(&ready.alias_address),
                provider: ready.provider.clone(),
                deployment_id: ready.deployment.clone(),
                unchanged: ready.unchanged,
                expires_at: Some(ready.expires_at),
                timings: ready.timings,
                bytes_uploaded: ready.bytes_uploaded,
                bytes_reused: ready.bytes_reused,
                attempts: ready.attempts,
                estimated_cost: ready.cost.clone(),
                domains: ready.domains.clone(),
                size: ready.size.clone(),
            })
        }
        Outcome::Failed { report } => ResultBody::Failed(Failed {
            key,
            revision,
            error: (**report).clone(),
        }),
        Outcome::Removed => ResultBody::Removed(Removed {
            key,
            revision,
            reason: RemovalReason::Ended,
        }),
        Outcome::Superseded { by } => ResultBody::Superseded(Superseded {
            key,
            revision,
            winner: *by,
        }),
    };
    let kind = match subject.ordinal.kind {
        OrdinalKind::Update => EventKind::Update,
        OrdinalKind::End => EventKind::End,
    };
    let now = engine.now();
    let mut results = vec![result(subject, kind, end, now)];
    if let Outcome::Ready(ready) = outcome {
        results.extend(ready.replaced.iter().map(|&revision| {
            let removed = Removed {
                key: subject.key.clone(),
                revision,
                reason: RemovalReason::Replaced,
            };
            result(
                subject,
                EventKind::Update,
                ResultBody::Removed(removed),
                now,
            )
        }));
    }
    results
}

/// A report of progress. Its counter is the time, so that no two reports of a revision share an id.
pub(super) fn building(subject: &Subject, step: &Step, now: Timestamp) -> ResultEvent {
    let building = Building {
        key: subject.key.clone(),
        revision: subject.ordinal.revision,
        state: step.state,
        counter: u64::try_from(now.as_micros()).unwrap_or_default(),
        provider: step.provider.clone(),
        deployment_id: step.deployment.clone(),
    };
    result(
        subject,
        EventKind::Update,
        ResultBody::Building(building),
        now,
    )
}

/// That an event could not be taken.
pub(super) fn rejected(rejection: &Rejection, now: Timestamp) -> ResultEvent {
    ResultEvent::rejected(rejection, now)
}

fn result(subject: &Subject, kind: EventKind, body: ResultBody, now: Timestamp) -> ResultEvent {
    ResultEvent::of(kind, 0, body, now)
        .expect("everything but a rejection names its context and revision")
        .traced_by(&subject.envelope)
}
