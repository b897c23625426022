//! What claims, and an adapter's own tests, are written with.

use std::{future::Future, num::NonZeroU32, time::Duration};

use bytes::Bytes;
use foreshow_contract::{
    AttemptReport, ContextKey, EventKind, FailureCode, HeaderValue, Headers, RemovalReason,
    Removed, ResultBody, ResultEvent, Revision, Timestamp,
};
use foreshow_engine::{Broker, DeadLetter, DeadLetterReason, Delay, Deliveries, Delivery, Message};

/// How long something that must happen may take, on a machine that does much else.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// An update's message, with a header of every kind.
pub fn update(text: &str) -> Message {
    message("context.updated.acme", text)
}

/// An end's message.
pub fn end(text: &str) -> Message {
    message("context.ended.acme", text)
}

fn message(routing_key: &str, text: &str) -> Message {
    let long = "a header may be long; ".repeat(20);
    Message {
        routing_key: routing_key.to_owned(),
        content_type: Some("application/cloudevents+json".to_owned()),
        message_type: Some("update".to_owned()),
        headers: Headers::from([
            ("traceparent".to_owned(), format!("00-{text}").into()),
            ("ce-source".to_owned(), HeaderValue::from("/ünïcode")),
            ("empty".to_owned(), HeaderValue::from("")),
            ("long".to_owned(), HeaderValue::from(long)),
            ("count".to_owned(), HeaderValue::Integer(-7)),
            ("greatest".to_owned(), HeaderValue::Integer(i64::MAX)),
            ("least".to_owned(), HeaderValue::Integer(i64::MIN)),
            ("fine".to_owned(), HeaderValue::Boolean(true)),
            ("bad".to_owned(), HeaderValue::Boolean(false)),
            (
                "at".to_owned(),
                HeaderValue::Timestamp {
                    timestamp: 1_790_000_000,
                },
            ),
        ]),
        body: Bytes::copy_from_slice(text.as_bytes()),
    }
}

/// The notice that a context's preview is gone.
pub fn result(tenant: &str, context: &str, revision: u64) -> ResultEvent {
    let body = ResultBody::Removed(Removed {
        key: ContextKey::try_new(tenant, context).unwrap(),
        revision: Revision::try_new(revision).unwrap(),
        reason: RemovalReason::Ended,
    });
    ResultEvent::of(EventKind::End, 0, body, Timestamp::from_micros(1)).unwrap()
}

/// How one attempt went.
pub fn failed_attempt(number: u32) -> AttemptReport {
    AttemptReport {
        number,
        at: Timestamp::from_micros(7),
        provider: Some("local".into()),
        code: FailureCode::from("provider_unavailable"),
        message: "no answer".to_owned(),
    }
}

/// A delay that is the first attempt's again.
pub fn delay_of(after: Duration) -> Delay {
    Delay {
        after,
        attempt: NonZeroU32::MIN,
        history: Vec::new(),
    }
}

/// A reason to give a message up.
pub fn reason() -> DeadLetterReason {
    DeadLetterReason {
        code: "build_failed".to_owned(),
        message: "the build ended with an error".to_owned(),
        attempts: vec![failed_attempt(1), failed_attempt(2)],
    }
}

/// A prefetch, or an attempt.
pub fn count(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

/// The delivery's body.
pub fn text(delivery: &Delivery) -> &str {
    std::str::from_utf8(&delivery.message.body).unwrap()
}

/// For what must happen: a test that waits longer than [`PATIENCE`] has failed.
pub async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future)
        .await
        .expect("it took too long")
}

/// The next delivery, which must come.
pub async fn next(deliveries: &mut Box<dyn Deliveries>) -> Delivery {
    soon(deliveries.next()).await.unwrap()
}

/// Every dead letter that nobody holds, the oldest first. They stay where they are.
pub async fn dead_letters(broker: &dyn Broker) -> Vec<DeadLetter> {
    let mut walk = broker.dead_letters().await.unwrap();
    let mut letters = Vec::new();
    while let Some(letter) = soon(walk.next()).await.unwrap() {
        letters.push(letter);
    }
    soon(walk.end()).await.unwrap();
    letters
}

/// What the letters say, and why they were given up.
pub fn told(letters: Vec<DeadLetter>) -> Vec<(Message, DeadLetterReason)> {
    letters
        .into_iter()
        .map(|letter| {
            (
                letter.message,
                letter.reason.expect("who gave it up said why"),
            )
        })
        .collect()
}

/// For what must not happen, as far as a short look can tell.
pub async fn expect_nothing(deliveries: &mut Box<dyn Deliveries>) {
    let waited = tokio::time::timeout(Duration::from_millis(150), deliveries.next()).await;
    assert!(
        waited.is_err(),
        "nothing was expected, but {:?} came",
        text(&waited.unwrap().unwrap())
    );
}
