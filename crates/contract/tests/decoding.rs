//! Claims about decoding and results that are more than one case of a vector.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests; only the tests themselves are exempt"
)]

use foreshow_contract::{
    ContextKey, Envelope, EventKind, MAX_EVENT_BYTES, OrdinalKind, RawMessage, RejectionCode,
    RemovalReason, Removed, ResultBody, ResultEvent, Revision, Superseded, Timestamp, Winner,
    decode,
};
use serde_json::{Value, json};

fn update() -> Value {
    json!({
        "specversion": "1.0", "id": "evt-9f2", "source": "/sessions/editor",
        "type": "dev.foreshow.context.updated.v1",
        "data": { "contextId": "ctx-42", "tenantId": "acme", "revision": 7, "files": [] },
    })
}

fn plain(body: &[u8]) -> RawMessage<'_> {
    RawMessage::structured(None, body)
}

fn rejection_of(event: &Value) -> foreshow_contract::Rejection {
    *decode(plain(event.to_string().as_bytes())).unwrap_err()
}

#[test]
fn an_event_over_the_limit_is_refused_unread() {
    let rejection = decode(plain(&vec![b' '; MAX_EVENT_BYTES + 1])).unwrap_err();
    assert_eq!(rejection.code, RejectionCode::TooLarge);
    assert!(
        rejection.message.contains("bundle"),
        "it says what to do: {rejection}"
    );

    let mut body = update().to_string().into_bytes();
    body.resize(MAX_EVENT_BYTES, b' ');
    assert!(decode(plain(&body)).is_ok(), "the limit itself still fits");
}

#[test]
fn malformed_json_is_told_by_line_and_column() {
    let rejection = decode(plain(b"{\n  \"specversion\": 1.0.0\n}")).unwrap_err();
    assert_eq!(rejection.code, RejectionCode::MalformedJson);
    assert!(
        rejection.message.contains("line 2 column 21"),
        "{rejection}"
    );
}

#[test]
fn nesting_without_end_is_refused_not_followed() {
    let rejection = decode(plain("[".repeat(1_000_000).as_bytes())).unwrap_err();
    assert_eq!(rejection.code, RejectionCode::MalformedJson);
}

#[test]
fn a_rejection_quotes_no_value_of_the_data() {
    let secret = "s3cret-value";
    for (pointer, value) in [
        ("/data/env", json!(secret)),
        ("/data/env", json!({ "A": [secret] })),
        ("/data/files", json!(secret)),
        (
            "/data/files",
            json!([{ "path": "a", "content": secret, "encoding": "base64" }]),
        ),
        (
            "/data/files",
            json!([{ "path": "a", "content": "", "encoding": secret }]),
        ),
        (
            "/data/bundle",
            json!(format!("https://cdn.example/x?signature={secret}")),
        ),
        (
            "/data/bundle",
            json!({ "url": format!("foreshow-bundle:{secret}"), "sha256": secret }),
        ),
        ("/data/retention", json!({ "ttlSeconds": secret })),
        (
            "/data/retention",
            json!(format!("{secret}, expected {secret}")),
        ),
        ("/data/labels", json!(secret)),
        ("/data/revision", json!(secret)),
        ("/data", json!(secret)),
    ] {
        let mut event = update();
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        event.pointer_mut(parent).unwrap()[field] = value;
        let rejection = rejection_of(&event);
        assert!(
            !format!("{rejection} {rejection:?}").contains(secret),
            "{pointer}: {rejection}"
        );
    }
}

#[test]
fn a_rejection_stays_short_whatever_was_sent() {
    let long = "x".repeat(100_000);
    for (pointer, value) in [
        ("/type", json!(long)),
        ("/specversion", json!(long)),
        ("/datacontenttype", json!(long)),
        ("/data/app", json!({ "framework": long })),
        ("/data/env", json!({ long.clone(): 1 })),
        (
            "/data/files",
            json!([{ "path": long, "content": "?", "encoding": "base64" }]),
        ),
    ] {
        let mut event = update();
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        event.pointer_mut(parent).unwrap()[field] = value;
        let rejection = rejection_of(&event);
        assert!(
            rejection.to_string().len() < 1000,
            "{pointer}: {} bytes",
            rejection.to_string().len()
        );
    }
}

#[test]
fn a_type_error_says_what_was_expected_and_what_was_found() {
    let mut event = update();
    event["data"]["files"] = json!([{ "path": "a", "content": 5 }]);
    let rejection = rejection_of(&event);
    assert_eq!(
        rejection.to_string(),
        "invalid_field: expected a string, found a number (at $.data.files[0].content)"
    );
    event["data"]["files"] = json!([]);
    event["data"].as_object_mut().unwrap().remove("tenantId");
    assert_eq!(
        rejection_of(&event).to_string(),
        "invalid_field: missing field `tenantId` (at $.data)"
    );
}

#[test]
fn a_rejected_event_becomes_a_result_with_all_that_was_read() {
    let mut event = update();
    event["data"]["app"] = json!({ "framework": "cobol" });
    let result = ResultEvent::rejected(&rejection_of(&event), Timestamp::from_micros(0));
    assert_eq!(
        result.key(),
        Some(ContextKey::try_new("acme", "ctx-42").unwrap())
    );
    assert_eq!(result.routing_key(), "event.rejected.acme.ctx-42");
    assert_eq!(result.sequence().as_deref(), Some("00000000000000000007"));
    let ResultBody::Rejected(rejected) = &result.body else {
        panic!("{result:?}")
    };
    assert_eq!(rejected.code, RejectionCode::UnknownFramework);
    assert_eq!(rejected.path.as_deref(), Some("$.data.app.framework"));
    assert_eq!(rejected.event_id.as_deref(), Some("evt-9f2"));

    let repeat = ResultEvent::rejected(&rejection_of(&event), Timestamp::from_micros(1));
    assert_eq!(repeat.id, result.id, "a repeat has the same id");
}

#[test]
fn a_rejected_event_without_a_revision_tells_what_its_time_stands_for() {
    let mut event = update();
    event["data"]["revision"] = Value::Null;
    event["data"]["files"] = Value::Null;
    event["time"] = json!("1970-01-01T00:00:01.500Z");
    let rejection = rejection_of(&event);
    assert_eq!(rejection.code, RejectionCode::FilesOrBundleMissing);
    assert_eq!(
        rejection.event.revision,
        Some(Revision::try_new(1_500_000).unwrap())
    );
}

#[test]
fn repeats_of_a_superseded_result_share_an_id_whoever_won() {
    let key = ContextKey::try_new("acme", "ctx-42").unwrap();
    let revision = |number| Revision::try_new(number).unwrap();
    let superseded = |winner, time| {
        let body = ResultBody::Superseded(Superseded {
            key: key.clone(),
            revision: revision(7),
            winner,
        });
        ResultEvent::of(EventKind::Update, 0, body, Timestamp::from_micros(time)).unwrap()
    };
    let first = superseded(
        Winner {
            revision: revision(8),
            kind: OrdinalKind::Update,
        },
        0,
    );
    let repeat = superseded(
        Winner {
            revision: revision(9),
            kind: OrdinalKind::End,
        },
        1,
    );
    assert_eq!(first.id, "acme/ctx-42/7/updated/superseded");
    assert_eq!(first.id, repeat.id);
}

#[test]
fn only_the_removal_after_an_end_is_an_end() {
    let key = ContextKey::try_new("acme", "ctx-42").unwrap();
    for reason in RemovalReason::ALL {
        let body = ResultBody::Removed(Removed {
            key: key.clone(),
            revision: Revision::MAX,
            reason,
        });
        let result = ResultEvent::of(EventKind::End, 0, body, Timestamp::from_micros(0)).unwrap();
        assert_eq!(result.is_end(), reason == RemovalReason::Ended, "{reason}");
    }
}

#[test]
fn a_result_carries_on_its_events_trace() {
    let envelope = Envelope {
        traceparent: Some("00-aa-bb-01".to_owned()),
        ..Envelope::new("1", "/test")
    };
    let mut event = update();
    event["data"]["files"] = Value::Null;
    let result = ResultEvent::rejected(&rejection_of(&event), Timestamp::from_micros(0))
        .traced_by(&envelope);
    assert_eq!(result.traceparent, envelope.traceparent);
}
