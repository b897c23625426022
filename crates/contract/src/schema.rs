//! JSON Schemas (draft 2020-12) of every event and result, envelope and data, generated from the wire types.
//!
//! They describe structured mode with `data` as JSON; in binary mode the body fits the same schema's `data`, and the
//! headers are described by the [AsyncAPI document](crate::asyncapi). Unknown fields are allowed everywhere, as they are
//! when reading.

use std::collections::BTreeMap;

use schemars::generate::{Contract, SchemaSettings};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use crate::wire::{EndedData, TouchedData, UpdatedData};
use crate::{
    Building, EventKind, Failed, OutcomeKind, Ready, Rejected, Removed, Revision, Superseded,
    Timestamp,
};

/// Every schema of what travels between upstream, Foreshow and consumers, with the name of the file that holds it under `schemas/`.
pub fn all() -> Vec<(&'static str, Value)> {
    EventKind::UPSTREAM
        .into_iter()
        .filter_map(of_event)
        .chain(OutcomeKind::ALL.into_iter().map(of_result))
        .collect()
}

/// A schema, or another document, as its file has it: keys in order, indented, with a newline at the end.
pub fn render(schema: &Value) -> String {
    format!("{:#}\n", in_order(schema.clone()))
}

/// Sorts keys, for whether `serde_json` does so depends on the features that other crates of a build switch on.
fn in_order(value: Value) -> Value {
    match value {
        Value::Object(object) => {
            let sorted: BTreeMap<String, Value> = object.into_iter().collect();
            Value::Object(
                sorted
                    .into_iter()
                    .map(|(key, value)| (key, in_order(value)))
                    .collect(),
            )
        }
        Value::Array(items) => Value::Array(items.into_iter().map(in_order).collect()),
        other => other,
    }
}

/// `None` of what Foreshow tells itself: nobody is to write it by this document.
pub(crate) fn of_event(kind: EventKind) -> Option<(&'static str, Value)> {
    Some(match kind {
        EventKind::Update => ("context.updated.v1.json", event::<UpdatedData>(kind)),
        EventKind::End => ("context.ended.v1.json", event::<EndedData>(kind)),
        EventKind::Touch => ("context.touched.v1.json", event::<TouchedData>(kind)),
        EventKind::Expire | EventKind::Reset => return None,
    })
}

fn event<D: JsonSchema>(kind: EventKind) -> Value {
    envelope::<D>(kind.event_type(), &[], Contract::Deserialize)
}

pub(crate) fn of_result(outcome: OutcomeKind) -> (&'static str, Value) {
    match outcome {
        OutcomeKind::Ready => ("preview.ready.v1.json", result::<Ready>(outcome)),
        OutcomeKind::Failed => ("preview.failed.v1.json", result::<Failed>(outcome)),
        OutcomeKind::Superseded => ("preview.superseded.v1.json", result::<Superseded>(outcome)),
        OutcomeKind::Removed => ("preview.removed.v1.json", result::<Removed>(outcome)),
        OutcomeKind::Building => ("preview.building.v1.json", result::<Building>(outcome)),
        OutcomeKind::Rejected => ("event.rejected.v1.json", result::<Rejected>(outcome)),
    }
}

fn result<D: JsonSchema>(outcome: OutcomeKind) -> Value {
    let always: &[&str] = match outcome {
        OutcomeKind::Rejected => &["time"],
        OutcomeKind::Ready
        | OutcomeKind::Failed
        | OutcomeKind::Superseded
        | OutcomeKind::Removed
        | OutcomeKind::Building => &["time", "subject", "sequence", "partitionkey"],
    };
    envelope::<D>(outcome.event_type(), always, Contract::Serialize)
}

/// The CloudEvents envelope around `D`. `also_required` names attributes that we always write, though CloudEvents
/// would let them be absent. The contract is that of the side that can't be changed: senders' for events, readers' for
/// results.
fn envelope<D: JsonSchema>(event_type: &str, also_required: &[&str], contract: Contract) -> Value {
    let mut generator = SchemaSettings::draft2020_12()
        .with(|settings| settings.contract = contract)
        .into_generator();
    let optional_text = json!({ "type": ["string", "null"] });
    let always_text = json!({ "type": "string" });
    let text = |name: &str| {
        if also_required.contains(&name) {
            always_text.clone()
        } else {
            optional_text.clone()
        }
    };
    let instant = generator.subschema_for::<Timestamp>().to_value();
    let time = if also_required.contains(&"time") {
        instant
    } else {
        json!({ "anyOf": [instant, { "type": "null" }] })
    };
    let data = generator.subschema_for::<D>().to_value();
    let required: Vec<&str> = ["specversion", "id", "source", "type", "data"]
        .into_iter()
        .chain(also_required.iter().copied())
        .collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": event_type,
        "type": "object",
        "required": required,
        "properties": {
            "specversion": { "const": "1.0" },
            "id": { "type": "string", "minLength": 1 },
            "source": { "type": "string", "minLength": 1, "format": "uri-reference" },
            "type": { "const": event_type },
            "subject": text("subject"),
            "time": time,
            "datacontenttype": optional_text,
            "sequence": text("sequence"),
            "partitionkey": text("partitionkey"),
            "traceparent": optional_text,
            "tracestate": optional_text,
            "data": data,
        },
        "$defs": unwrapped(generator.take_definitions(true).into()),
    })
}

/// Takes the line breaks of the sources out of descriptions.
fn unwrapped(mut definitions: Value) -> Value {
    match &mut definitions {
        Value::Object(object) => {
            for (key, value) in object.iter_mut() {
                *value = match value.take() {
                    Value::String(text) if key == "description" => text.replace('\n', " ").into(),
                    other => unwrapped(other),
                };
            }
        }
        Value::Array(items) => {
            for item in items {
                *item = unwrapped(item.take());
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    definitions
}

/// A revision as decoding reads it: a number, or the same as a decimal string, or null.
pub(crate) fn revision_as_read(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "anyOf": [
            { "type": "integer", "minimum": 0, "maximum": Revision::MAX.get() },
            { "type": "string", "pattern": "^0*[0-9]{1,16}$" },
            { "type": "null" },
        ],
    })
}
