//! The whole messages under `vectors/envelopes.json`, most of them in binary mode, and the headers that are written.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests; only the tests themselves are exempt"
)]

use std::collections::{BTreeMap, BTreeSet};

use foreshow_contract::{
    ContextId, EventKind, HeaderValue, Headers, RawMessage, Rejection, ResultDecodeError,
    ResultEvent, Revision, STRUCTURED_JSON, Sha256, TenantId, decode, encode, encode_binary,
};
use serde_json::{Value, json};

/// A case's message, owned.
struct Case {
    value: Value,
    headers: Headers,
    body: Vec<u8>,
}

impl Case {
    fn of(value: &Value) -> Self {
        Self {
            headers: headers(&value["headers"]),
            body: body(value),
            value: value.clone(),
        }
    }

    fn name(&self) -> &str {
        self.value["name"].as_str().unwrap()
    }

    fn message(&self) -> RawMessage<'_> {
        RawMessage {
            content_type: self.value["contentType"].as_str(),
            message_type: self.value["messageType"].as_str(),
            headers: &self.headers,
            body: &self.body,
        }
    }
}

fn vectors() -> Value {
    serde_json::from_str(include_str!("../vectors/envelopes.json")).unwrap()
}

fn cases(list: &str) -> Vec<Case> {
    let cases: Vec<Case> = vectors()[list]
        .as_array()
        .unwrap()
        .iter()
        .map(Case::of)
        .collect();
    let names: BTreeSet<&str> = cases.iter().map(Case::name).collect();
    assert!(
        !cases.is_empty() && names.len() == cases.len(),
        "a name stands for one case"
    );
    cases
}

fn headers(table: &Value) -> Headers {
    let header = |(name, value): (&String, &Value)| (name.clone(), header_value(value));
    table.as_object().unwrap().iter().map(header).collect()
}

fn header_value(value: &Value) -> HeaderValue {
    match value {
        Value::String(text) => HeaderValue::Text(text.clone()),
        Value::Number(number) => HeaderValue::Integer(number.as_i64().unwrap()),
        Value::Bool(flag) => HeaderValue::Boolean(*flag),
        Value::Object(typed) => {
            let (kind, value) = typed.iter().next().unwrap();
            match kind.as_str() {
                "timestamp" => HeaderValue::Timestamp {
                    timestamp: value.as_u64().unwrap(),
                },
                "array" => HeaderValue::other("an array"),
                "table" => HeaderValue::other("a table"),
                "float" => HeaderValue::other("a floating-point number"),
                "binaryBase64" => HeaderValue::other("binary"),
                "void" => HeaderValue::nothing(),
                other => panic!("{other}"),
            }
        }
        Value::Null | Value::Array(_) => panic!("{value}"),
    }
}

fn body(case: &Value) -> Vec<u8> {
    match (case.get("data"), case.get("body"), case.get("bodyBase64")) {
        (Some(data), None, None) => data.to_string().into_bytes(),
        (None, Some(body), None) => body.as_str().unwrap().as_bytes().to_vec(),
        (None, None, Some(encoded)) => {
            let encoded = encoded.as_str().unwrap().as_bytes();
            data_encoding::BASE64.decode(encoded).unwrap()
        }
        _ => panic!("one body each: {case}"),
    }
}

#[test]
fn accepted_messages_are_read_as_published() {
    for case in cases("acceptedMessages") {
        let (name, expect) = (case.name(), &case.value["expect"]);
        let incoming =
            decode(case.message()).unwrap_or_else(|rejection| panic!("{name}: {rejection}"));
        let encoded: Value = serde_json::from_slice(&encode(&incoming)).unwrap();
        assert_eq!(encoded, expect["encoded"], "{name}");
        let key = incoming.event.key();
        let read = json!({
            "kind": incoming.event.kind().word(),
            "tenantId": key.tenant.as_str(),
            "contextId": key.context.as_str(),
            "revision": incoming.event.revision().map(Revision::get),
        });
        for (field, value) in read.as_object().unwrap() {
            assert_eq!(expect[field], *value, "{name}: {field}");
        }

        let written = encode_binary(&incoming);
        let headers = written.typed_headers();
        let again = RawMessage {
            content_type: Some(&written.content_type),
            message_type: None,
            headers: &headers,
            body: &written.body,
        };
        assert_eq!(decode(again).unwrap(), incoming, "{name}");
    }
}

#[test]
fn refused_messages_are_refused_as_published() {
    for case in cases("refusedMessages") {
        let name = case.name();
        let rejection = decode(case.message())
            .map(|_| panic!("{name} was accepted"))
            .unwrap_err();
        assert_eq!(
            json!(rejection.code),
            case.value["code"],
            "{name}: {rejection}"
        );
        assert_eq!(
            rejection.path.as_deref(),
            case.value["path"].as_str(),
            "{name}: {rejection}"
        );
        assert!(
            !rejection.message.contains("12345678"),
            "{name} quotes a value: {rejection}"
        );
        assert_eq!(
            rejection.event.body_digest,
            Sha256::of(&case.body).to_hex(),
            "{name}"
        );
        assert_eq!(read_of(&rejection), case.value["read"], "{name}");
    }
}

/// What could be read of a refused event, as the vectors have it.
fn read_of(rejection: &Rejection) -> Value {
    let event = &rejection.event;
    let mut read = json!({
        "id": event.id,
        "source": event.source,
        "tenantId": event.tenant.as_ref().map(TenantId::as_str),
        "contextId": event.context.as_ref().map(ContextId::as_str),
        "revision": event.revision.map(Revision::get),
        "kind": event.kind.map(EventKind::word),
    });
    read.as_object_mut()
        .unwrap()
        .retain(|_, value| !value.is_null());
    read
}

#[test]
fn results_are_written_with_the_published_headers() {
    for case in vectors()["results"].as_array().unwrap() {
        let result = ResultEvent::from_json(case["event"].to_string().as_bytes()).unwrap();
        let written = result.to_binary();
        assert_eq!(written.content_type, "application/json");
        assert_eq!(json!(written.headers), case["headers"]);
        let data: Value = serde_json::from_slice(&written.body).unwrap();
        assert_eq!(data, case["event"]["data"]);
    }
}

#[test]
fn a_result_is_read_whatever_clients_make_of_its_headers() {
    for case in vectors()["results"].as_array().unwrap() {
        let json = case["event"].to_string().into_bytes();
        let result = ResultEvent::from_json(&json).unwrap();
        assert_eq!(
            ResultEvent::from_message(RawMessage::structured(Some(STRUCTURED_JSON), &json))
                .unwrap(),
            result
        );
        let written = result.to_binary();
        let mut headers: Headers = written
            .typed_headers()
            .into_iter()
            .map(|(name, value)| (name.replace("ce-", "cloudEvents:"), value))
            .collect();
        let millis = result.time.as_micros() / 1000;
        headers.insert("cloudEvents:time".to_owned(), HeaderValue::Integer(millis));
        headers.insert("x-death".to_owned(), HeaderValue::other("an array"));
        let message = RawMessage {
            content_type: Some("application/json; charset=utf-8"),
            message_type: Some("result"),
            headers: &headers,
            body: &written.body,
        };
        assert_eq!(ResultEvent::from_message(message).unwrap(), result);
    }
}

#[test]
fn a_message_that_is_no_result_says_why() {
    let case = &vectors()["results"][0];
    let result = ResultEvent::from_json(case["event"].to_string().as_bytes()).unwrap();
    let written = result.to_binary();
    let read = |change: &dyn Fn(&mut BTreeMap<String, String>)| {
        let mut changed = written.clone();
        change(&mut changed.headers);
        let headers = changed.typed_headers();
        ResultEvent::from_message(RawMessage {
            content_type: Some(&changed.content_type),
            message_type: None,
            headers: &headers,
            body: &changed.body,
        })
        .unwrap_err()
    };
    for name in ["id", "source", "type", "time", "specversion"] {
        let header = format!("ce-{name}");
        let error = read(&|headers| drop(headers.remove(&header)));
        let ResultDecodeError::Message(rejection) = error else {
            panic!("{name}: {error}")
        };
        assert_eq!(rejection.path, Some(format!("header {header}")));
    }
    let unknown = read(&|headers| {
        headers.insert("ce-type".to_owned(), "dev.example.other".to_owned());
    });
    assert!(
        matches!(unknown, ResultDecodeError::UnknownType(other) if other == "dev.example.other")
    );
    let other = read(&|headers| {
        headers.insert(
            "ce-type".to_owned(),
            "dev.foreshow.preview.failed.v1".to_owned(),
        );
    });
    assert!(matches!(other, ResultDecodeError::Data(_)), "{other}");
}
