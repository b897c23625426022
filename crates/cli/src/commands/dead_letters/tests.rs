use std::num::NonZeroU32;

use foreshow_contract::{Headers, STRUCTURED_JSON, Timestamp};
use foreshow_engine::{DeadLetter, DeadLetterReason, LetterId, Message, Queue};
use serde_json::json;

use super::seen::Seen;
use super::show::{shown, words};

fn letter(content_type: &str, headers: Headers, body: &str) -> Seen {
    Seen::read(DeadLetter {
        id: LetterId::from(7),
        message: Message {
            routing_key: "context.updated.acme".to_owned(),
            content_type: Some(content_type.to_owned()),
            message_type: None,
            headers,
            body: body.as_bytes().to_vec().into(),
        },
        queue: Some(Queue::Deploy),
        attempt: NonZeroU32::MIN,
        history: Vec::new(),
        replay: 0,
        accepted_at: Timestamp::from_micros(1),
        reason: Some(DeadLetterReason {
            code: "build_failed".to_owned(),
            message: "it\nfailed\u{1b}[2J".to_owned(),
            attempts: Vec::new(),
        }),
        died_at: Some(Timestamp::from_micros(2)),
        body_left_out_bytes: None,
    })
}

fn update() -> Seen {
    let event = json!({
        "specversion": "1.0", "id": "evt-1", "source": "/s", "type": "dev.foreshow.context.updated.v1",
        "data": {
            "contextId": "ctx", "tenantId": "acme", "revision": 7,
            "bundle": {
                "url": "https://user:hunter2@cdn.example/site.tgz?signature=hunter2#hunter2",
                "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            },
            "env": { "API_KEY": "hunter2" },
            "app": { "buildCommand": "TOKEN=hunter2 npm run build" },
        },
    });
    let headers = Headers::from([
        ("authorization".to_owned(), "hunter2".into()),
        ("ce-token".to_owned(), "hunter2".into()),
        ("traceparent".to_owned(), "00-trace".into()),
    ]);
    letter(STRUCTURED_JSON, headers, &event.to_string())
}

#[test]
fn what_may_be_secret_is_not_shown() {
    let seen = update();
    assert!(seen.event.is_ok(), "{:?}", seen.event);
    let json = shown(&seen);
    let words = words(&seen, &json);
    for told in [json.to_string(), words] {
        assert!(!told.contains("hunter2"), "{told}");
        for name in [
            "API_KEY",
            "authorization",
            "ce-token",
            "00-trace",
            "cdn.example/site.tgz",
        ] {
            assert!(told.contains(name), "{name}: {told}");
        }
    }
}

#[test]
fn an_unreadable_body_is_measured_and_not_quoted() {
    let seen = letter(
        STRUCTURED_JSON,
        Headers::new(),
        "{\"env\": \"hunter2\" oops",
    );
    let json = shown(&seen);
    assert_eq!(json["bodyBytes"], 22);
    assert_eq!(json["tenantId"], "acme", "its routing key tells");
    let words = words(&seen, &json);
    for told in [json.to_string(), words] {
        assert!(!told.contains("hunter2"), "{told}");
    }
}

#[test]
fn what_strangers_wrote_cannot_move_the_cursor() {
    let seen = update();
    let words = words(&seen, &shown(&seen));
    assert!(!words.contains('\u{1b}'), "{words:?}");
    assert!(words.contains("it failed"), "{words}");
}
