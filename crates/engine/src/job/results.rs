//! Outcomes as results: addresses become URLs, and every repeat gets the same id.

use foreshow_contract::{
    Building, EventKind, Failed, Ready, Rejection, RemovalReason, Removed, ResultBody, ResultEvent,
    Superseded, Timestamp,
};

use super::progress::Step;
use crate::{Address, Outcome, outcome::Subject, worker::Engine};

/// The results that tell of an outcome: its end first, then the notices that go with it. An expiry and a reset are no events of
/// upstream's, so they have notices alone.
pub(super) fn of(subject: &Subject, outcome: &Outcome, engine: &Engine) -> Vec<ResultEvent> {
    let now = engine.now();
    let told = match subject.kind {
        EventKind::Update | EventKind::End | EventKind::Touch => Some(subject.kind),
        EventKind::Expire | EventKind::Reset => None,
    };
    let end = told.and_then(|kind| {
        Some(result(
            subject,
            kind,
            subject.replay,
            end(subject, outcome, engine)?,
            now,
        ))
    });
    let (reason, gone) = match outcome {
        Outcome::Ready(ready) => (RemovalReason::Replaced, ready.replaced.as_slice()),
        Outcome::Removed { expired } if subject.kind == EventKind::Expire => {
            (RemovalReason::Expired, expired.as_slice())
        }
        Outcome::Reset { gone } => (RemovalReason::Swept, gone.as_slice()),
        Outcome::Removed { .. } | Outcome::Failed { .. } | Outcome::Superseded { .. } => {
            (RemovalReason::Ended, [].as_slice())
        }
    };
    let notices = gone.iter().map(|&revision| {
        let removed = Removed {
            key: subject.key.clone(),
            revision,
            reason,
        };
        // A revision goes once, whatever its lives.
        result(
            subject,
            EventKind::Update,
            0,
            ResultBody::Removed(removed),
            now,
        )
    });
    end.into_iter().chain(notices).collect()
}

fn end(subject: &Subject, outcome: &Outcome, engine: &Engine) -> Option<ResultBody> {
    let (key, revision) = (subject.key.clone(), subject.ordinal.revision);
    Some(match outcome {
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
        Outcome::Removed { .. } => ResultBody::Removed(Removed {
            key,
            revision,
            reason: RemovalReason::Ended,
        }),
        Outcome::Superseded { by } => ResultBody::Superseded(Superseded {
            key,
            revision,
            winner: *by,
        }),
        // A reset's outcome is no event's end.
        Outcome::Reset { .. } => return None,
    })
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
        subject.replay,
        ResultBody::Building(building),
        now,
    )
}

/// That an event could not be taken.
pub(super) fn rejected(rejection: &Rejection, now: Timestamp) -> ResultEvent {
    ResultEvent::rejected(rejection, now)
}

fn result(
    subject: &Subject,
    kind: EventKind,
    replay: u32,
    body: ResultBody,
    now: Timestamp,
) -> ResultEvent {
    ResultEvent::of(kind, replay, body, now)
        .expect("everything but a rejection names its context and revision")
        .traced_by(&subject.envelope)
}
