//! Results, as their consumers read them.

use std::error::Error as _;

use foreshow_contract::{Headers, RawMessage, ResultEvent, STRUCTURED_JSON};

/// The bytes as a result: what was read is written and read again as the same, in either mode.
pub fn results(bytes: &[u8]) {
    let headers = Headers::new();
    let message = RawMessage {
        content_type: Some(STRUCTURED_JSON),
        message_type: None,
        headers: &headers,
        body: bytes,
    };
    match ResultEvent::from_message(message) {
        Ok(result) => accepted(&result),
        Err(error) => {
            // A consumer logs the chain, whose end is serde's.
            assert!(error.to_string().chars().count() <= 300, "{error:.300}");
            _ = error.source().map(ToString::to_string);
        }
    }
    _ = ResultEvent::from_message(RawMessage {
        message_type: Some("amqp-1.0"),
        ..message
    });
}

fn accepted(result: &ResultEvent) {
    let again = ResultEvent::from_json(&result.to_json()).expect("what was written is read");
    assert_eq!(&again, result);
    assert!(
        result.routing_key().len() <= 255,
        "{}",
        result.routing_key()
    );
    // A header cannot be empty, where a member of a document may.
    if result.id.is_empty() || result.source.is_empty() {
        return;
    }
    let binary = result.to_binary();
    let headers = binary.typed_headers();
    let again = ResultEvent::from_message(RawMessage {
        content_type: Some(&binary.content_type),
        message_type: None,
        headers: &headers,
        body: &binary.body,
    });
    assert_eq!(&again.expect("what was written is read"), result);
}
