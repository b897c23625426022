//! What is written is read back, whatever it is.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests; only the tests themselves are exempt"
)]

mod generators;

use foreshow_contract::{
    BinaryMessage, ContextEvent, Envelope, EventKind, HeaderValue, Headers, IncomingEvent,
    InstallationKey, RESULT_SOURCE, RawMessage, ResultEvent, STRUCTURED_JSON, decode, encode,
    encode_binary, schema,
};
use generators::{body, envelope, event, timestamp, trace};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;

proptest! {
    #[test]
    fn an_event_is_read_as_it_was_written(envelope in envelope(), event in event()) {
        let incoming = IncomingEvent { envelope, event };
        prop_assert_eq!(decode(RawMessage::structured(Some(STRUCTURED_JSON), &encode(&incoming))).unwrap(), incoming);
    }

    #[test]
    fn a_binary_event_is_read_as_it_was_written(envelope in envelope(), event in event()) {
        let incoming = IncomingEvent { envelope, event };
        let written = encode_binary(&incoming);
        let headers = written.typed_headers();
        prop_assert_eq!(decode(raw(&written, &headers)).unwrap(), incoming);
    }

    #[test]
    fn both_modes_hold_the_same_data(envelope in envelope(), event in event()) {
        let incoming = IncomingEvent { envelope, event };
        let written = encode_binary(&incoming);
        let mut document: Value = serde_json::from_slice(&encode(&incoming)).unwrap();
        let object = document.as_object_mut().unwrap();
        prop_assert_eq!(object.remove("data").unwrap(), serde_json::from_slice::<Value>(&written.body).unwrap());
        prop_assert_eq!(object.remove("datacontenttype").unwrap(), written.content_type);
        let attributes = written.headers.iter().map(|(name, value)| {
            (name.strip_prefix("ce-").unwrap().to_owned(), Value::from(value.clone()))
        });
        prop_assert_eq!(document, Value::Object(attributes.collect()));
    }

    #[test]
    fn a_written_event_fits_its_schema(envelope in envelope(), event in event()) {
        let kind = event.kind();
        prop_assume!(EventKind::UPSTREAM.contains(&kind));
        let json = encode(&IncomingEvent { envelope, event });
        let file = format!("context.{}.v1.json", kind.word());
        assert_valid(&file, &json);
    }

    #[test]
    fn a_result_is_read_as_it_was_written(
        id in ".{1,20}", time in timestamp(), (traceparent, tracestate) in trace(), body in body()
    ) {
        let source = RESULT_SOURCE.to_owned();
        let result = ResultEvent { id, source, time, traceparent, tracestate, body };
        let json = result.to_json();
        prop_assert_eq!(&ResultEvent::from_json(&json).unwrap(), &result);
        let structured = RawMessage::structured(Some(STRUCTURED_JSON), &json);
        prop_assert_eq!(&ResultEvent::from_message(structured).unwrap(), &result);
        let written = result.to_binary();
        let headers = written.typed_headers();
        prop_assert_eq!(&ResultEvent::from_message(raw(&written, &headers)).unwrap(), &result);
        if result.key().is_some() && result.revision().is_some() {
            assert_valid(&format!("{}.v1.json", result.outcome().word()), &json);
        }
    }

    #[test]
    fn decoding_never_panics(body in vec(any::<u8>(), 0..200), content_type in option::of(".{0,40}")) {
        prop_assert!(decode(RawMessage::structured(content_type.as_deref(), &body)).is_err());
    }

    #[test]
    fn any_message_is_read_or_refused_without_a_panic(
        headers in headers(), body in vec(any::<u8>(), 0..200), content_type in option::of(content_type()),
        message_type in option::of(select(&["amqp-1.0", "update", ""][..]))
    ) {
        let message = RawMessage { content_type: content_type.as_deref(), message_type, headers: &headers, body: &body };
        let rejection = decode(message).unwrap_err();
        prop_assert!(rejection.to_string().len() < 1000, "{}", rejection);
        prop_assert!(ResultEvent::from_message(message).is_err());
    }

    #[test]
    fn any_headers_are_read_or_refused_without_a_panic(headers in headers(), event in event()) {
        let written = encode_binary(&IncomingEvent { envelope: Envelope::new("1", "/test"), event });
        let mut all = written.typed_headers();
        all.extend(headers);
        match decode(raw(&written, &all)) {
            Ok(incoming) => {
                let again = encode_binary(&incoming);
                let headers = again.typed_headers();
                prop_assert_eq!(decode(raw(&again, &headers)).unwrap(), incoming);
            }
            Err(rejection) => {
                let place = rejection.path.as_deref().unwrap_or_default();
                prop_assert!(place.starts_with("header ") || place.starts_with("property "), "{}", rejection);
            }
        }
    }

    #[test]
    fn one_changed_byte_never_panics(event in event(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut body = encode(&IncomingEvent { envelope: Envelope::new("1", "/test"), event });
        let at = at.index(body.len());
        body[at] = byte;
        drop(decode(RawMessage::structured(None, &body)));
    }

    #[test]
    fn the_request_digest_survives_the_wire(envelope in envelope(), event in event()) {
        let ContextEvent::Updated(update) = event else { return Ok(()) };
        let secret = InstallationKey::try_from_slice(&[3; 32]).unwrap();
        let digest = update.request_digest(&secret);
        let incoming = IncomingEvent { envelope, event: ContextEvent::Updated(update) };
        let ContextEvent::Updated(again) = decode(RawMessage::structured(None, &encode(&incoming))).unwrap().event else { unreachable!() };
        prop_assert_eq!(again.request_digest(&secret), digest);
    }
}

fn raw<'a>(written: &'a BinaryMessage, headers: &'a Headers) -> RawMessage<'a> {
    RawMessage {
        content_type: Some(&written.content_type),
        message_type: None,
        headers,
        body: &written.body,
    }
}

/// Names that are attributes, or nearly, with any value.
fn headers() -> impl Strategy<Value = Headers> {
    let name = (
        select(&["ce-", "CE-", "cloudEvents_", "cloudEvents:", ""][..]),
        select(
            &[
                "id",
                "Id",
                "source",
                "type",
                "specversion",
                "subject",
                "time",
                "traceparent",
                "datacontenttype",
                "other",
                "",
                "é",
            ][..],
        ),
    );
    let value = prop_oneof![
        ".{0,300}".prop_map(HeaderValue::Text),
        any::<i64>().prop_map(HeaderValue::Integer),
        any::<bool>().prop_map(HeaderValue::Boolean),
        any::<u64>().prop_map(|timestamp| HeaderValue::Timestamp { timestamp }),
        ".{0,300}".prop_map(HeaderValue::other),
        Just(HeaderValue::nothing()),
    ];
    btree_map(
        name.prop_map(|(prefix, name)| format!("{prefix}{name}")),
        value,
        0..4,
    )
}

fn content_type() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("application/json".to_owned()),
        Just(STRUCTURED_JSON.to_owned()),
        "application/cloudevents.{0,10}",
        ".{0,40}",
    ]
}

fn assert_valid(file: &str, json: &[u8]) {
    let (_, schema) = schema::all()
        .into_iter()
        .find(|(name, _)| *name == file)
        .unwrap();
    let instance = serde_json::from_slice(json).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    assert!(
        validator.is_valid(&instance),
        "{file}: {:?}",
        validator.validate(&instance)
    );
}
