//! What is written is read back, whatever it is.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests; only the tests themselves are exempt"
)]

mod generators;

use foreshow_contract::{
    ContextEvent, Envelope, IncomingEvent, InstallationKey, RESULT_SOURCE, RawMessage, ResultEvent,
    STRUCTURED_JSON, decode, encode, schema,
};
use generators::{body, envelope, event, timestamp, trace};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

proptest! {
    #[test]
    fn an_event_is_read_as_it_was_written(envelope in envelope(), event in event()) {
        let incoming = IncomingEvent { envelope, event };
        prop_assert_eq!(decode(RawMessage::structured(Some(STRUCTURED_JSON), &encode(&incoming))).unwrap(), incoming);
    }

    #[test]
    fn a_written_event_fits_its_schema(envelope in envelope(), event in event()) {
        let kind = event.kind();
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
        if result.key().is_some() && result.revision().is_some() {
            assert_valid(&format!("{}.v1.json", result.outcome().word()), &json);
        }
    }

    #[test]
    fn decoding_never_panics(body in vec(any::<u8>(), 0..200), content_type in option::of(".{0,40}")) {
        prop_assert!(decode(RawMessage::structured(content_type.as_deref(), &body)).is_err());
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
