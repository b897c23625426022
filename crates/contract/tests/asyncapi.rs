//! The AsyncAPI document: whole, and in agreement with what is published.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests; only the tests themselves are exempt"
)]

use std::collections::BTreeMap;

use foreshow_contract::{
    ContextKey, EventKind, OutcomeKind, RawMessage, ResultEvent, asyncapi, decode, encode_binary,
    event_routing_key, routing_key, schema,
};
use jsonschema::Validator;
use serde_json::Value;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../vectors/envelopes.json")).unwrap()
}

/// Every reference in a document.
fn references(value: &Value) -> Vec<&str> {
    match value {
        Value::Object(object) => match object.get("$ref") {
            Some(Value::String(reference)) => vec![reference],
            _ => object.values().flat_map(references).collect(),
        },
        Value::Array(items) => items.iter().flat_map(references).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

/// The schema of binary headers by CloudEvents type.
fn header_validators() -> BTreeMap<String, Validator> {
    let document = asyncapi::document();
    let messages = document["components"]["messages"].as_object().unwrap();
    messages
        .values()
        .filter(|message| message.get("headers").is_some())
        .map(|message| {
            let name = message["name"].as_str().unwrap().to_owned();
            (
                name,
                jsonschema::validator_for(&message["headers"]).unwrap(),
            )
        })
        .collect()
}

#[test]
fn every_reference_leads_somewhere() {
    let document = asyncapi::document();
    let schemas: BTreeMap<&str, Value> = schema::all().into_iter().collect();
    let all = references(&document);
    assert!(all.len() > 50, "{all:?}");
    for reference in all {
        let (file, pointer) = reference.split_once('#').unwrap_or((reference, ""));
        let root = match file.strip_prefix("./") {
            Some(name) => schemas.get(name),
            None => Some(&document),
        };
        assert!(
            root.and_then(|root| root.pointer(pointer)).is_some(),
            "{reference} leads nowhere"
        );
    }
}

#[test]
fn channels_are_the_routing_keys() {
    let document = asyncapi::document();
    let key = ContextKey::try_new("acme.eu", "ctx 42").unwrap();
    let mut addresses: Vec<String> = document["channels"]
        .as_object()
        .unwrap()
        .values()
        .map(|channel| {
            let address = channel["address"].as_str().unwrap();
            address
                .replace("{tenantId}", &key.tenant.escaped())
                .replace("{contextId}", &key.context.escaped())
        })
        .collect();
    let events = EventKind::UPSTREAM.map(|kind| event_routing_key(kind, &key.tenant));
    let results =
        OutcomeKind::ALL.map(|outcome| routing_key(outcome, Some(&key.tenant), Some(&key.context)));
    let mut keys: Vec<String> = events.into_iter().chain(results).collect();
    addresses.sort();
    keys.sort();
    assert_eq!(addresses, keys);
}

#[test]
fn every_message_has_both_modes_and_a_summary() {
    let document = asyncapi::document();
    let types = EventKind::UPSTREAM.map(EventKind::event_type).into_iter();
    for event_type in types.chain(OutcomeKind::ALL.map(OutcomeKind::event_type)) {
        let messages = document["components"]["messages"].as_object().unwrap();
        let of_type: Vec<&Value> = messages
            .values()
            .filter(|message| message["name"] == event_type)
            .collect();
        assert_eq!(of_type.len(), 2, "{event_type}");
        for message in of_type {
            assert!(
                !message["summary"].as_str().unwrap().is_empty(),
                "{event_type}"
            );
        }
    }
}

#[test]
fn written_headers_fit_their_schemas() {
    let validators = header_validators();
    let fits = |headers: Value| {
        let validator = &validators[headers["ce-type"].as_str().unwrap()];
        assert!(
            validator.is_valid(&headers),
            "{headers}: {:?}",
            validator.validate(&headers)
        );
        let required = ["ce-id", "ce-source", "ce-type", "ce-specversion"];
        for name in required {
            let mut without = headers.clone();
            without.as_object_mut().unwrap().remove(name);
            assert!(!validator.is_valid(&without), "without {name}");
        }
    };
    for case in vectors()["results"].as_array().unwrap() {
        let result = ResultEvent::from_json(case["event"].to_string().as_bytes()).unwrap();
        fits(serde_json::to_value(result.to_binary().headers).unwrap());
    }
    for case in vectors()["accepted"].as_array().unwrap() {
        let body = case["event"].to_string();
        let incoming = decode(RawMessage::structured(
            case["contentType"].as_str(),
            body.as_bytes(),
        ))
        .unwrap();
        fits(serde_json::to_value(encode_binary(&incoming).headers).unwrap());
    }
}
