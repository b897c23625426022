//! The schemas under `schemas/`: equal to the generated ones, and in agreement with decoding.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests; only the tests themselves are exempt"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use foreshow_contract::{EventKind, OutcomeKind, asyncapi, schema};
use jsonschema::Validator;
use serde_json::Value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas")
}

/// Every file that belongs there.
fn generated() -> Vec<(&'static str, Value)> {
    let mut files = schema::all();
    files.push((asyncapi::FILE, asyncapi::document()));
    files
}

fn envelopes() -> Value {
    serde_json::from_str(include_str!("../vectors/envelopes.json")).unwrap()
}

/// One validator per CloudEvents type.
fn validators() -> BTreeMap<String, Validator> {
    let by_type = |(_, schema): (&str, Value)| {
        let event_type = schema["properties"]["type"]["const"]
            .as_str()
            .unwrap()
            .to_owned();
        (event_type, jsonschema::validator_for(&schema).unwrap())
    };
    schema::all().into_iter().map(by_type).collect()
}

#[test]
fn the_schemas_in_the_repository_are_the_generated_ones() {
    for (name, schema) in generated() {
        let stored = std::fs::read_to_string(folder().join(name)).unwrap_or_default();
        assert!(
            stored == schema::render(&schema),
            "schemas/{name} is out of date: run `cargo xtask schemas`"
        );
    }
    let generated: BTreeSet<&str> = generated().into_iter().map(|(name, _)| name).collect();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name();
        assert!(
            generated.contains(name.to_str().unwrap()),
            "schemas/{} belongs to nothing",
            name.display()
        );
    }
}

#[test]
fn every_type_has_a_schema_that_names_it() {
    let validators = validators();
    let types = EventKind::UPSTREAM.map(EventKind::event_type).into_iter();
    for event_type in types.chain(OutcomeKind::ALL.map(OutcomeKind::event_type)) {
        assert!(validators.contains_key(event_type), "{event_type}");
    }
}

#[test]
fn the_schemas_accept_what_decoding_accepts() {
    let validators = validators();
    for case in envelopes()["accepted"].as_array().unwrap() {
        let event = &case["event"];
        if case.get("schema").is_none() {
            let validator = &validators[event["type"].as_str().unwrap()];
            assert!(
                validator.is_valid(event),
                "{}: {:?}",
                case["name"],
                validator.validate(event)
            );
        }
    }
}

#[test]
fn the_schemas_refuse_what_a_shape_can_tell() {
    let validators = validators();
    let mut refused = 0;
    for case in envelopes()["refused"].as_array().unwrap() {
        if case["schemaRefuses"] == true {
            let event = &case["event"];
            assert!(
                !validators[event["type"].as_str().unwrap()].is_valid(event),
                "{}",
                case["name"]
            );
            refused += 1;
        }
    }
    assert!(refused > 20, "only {refused} cases were tried");
}

#[test]
fn results_fit_their_schemas_also_with_fields_of_a_later_version() {
    let validators = validators();
    for case in envelopes()["results"].as_array().unwrap() {
        let mut event = case["event"].clone();
        let validator = &validators[event["type"].as_str().unwrap()];
        assert!(
            validator.is_valid(&event),
            "{:?}",
            validator.validate(&event)
        );
        event["data"]["addedLater"] = true.into();
        event["addedlater"] = "yes".into();
        assert!(
            validator.is_valid(&event),
            "{:?}",
            validator.validate(&event)
        );
        event["data"].as_object_mut().unwrap().remove("revision");
        event["data"].as_object_mut().unwrap().remove("code");
        assert!(!validator.is_valid(&event), "{event}");
    }
}
