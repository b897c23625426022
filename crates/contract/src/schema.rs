//! JSON Schemas (draft 2020-12) of every event and result, envelope and data, generated from the wire types.
//!
//! They describe structured mode with `data` as JSON. Unknown fields are allowed everywhere, as they are when reading.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use crate::wire::{EndedData, TouchedData, UpdatedData};
use crate::{
    Building, EventKind, Failed, OutcomeKind, Ready, Rejected, Removed, Revision, Superseded,
    Timestamp,
};

/// Every schema, with the name of the file that holds it under `schemas/`.
pub fn all() -> Vec<(&'static str, Value)> {
    EventKind::ALL
        .into_iter()
        .map(of_event)
        .chain(OutcomeKind::ALL.into_iter().map(of_result))
        .collect()
}

/// A schema as its file has it: indented, with a newline at the end.
pub fn render(schema: &Value) -> String {
    format!("{schema:#}\n")
}

fn of_event(kind: EventKind) -> (&'static str, Value) {
    let event_type = kind.event_type();
    match kind {
        EventKind::Update => (
            "context.updated.v1.json",
            envelope::<UpdatedData>(event_type, &[]),
        ),
        EventKind::End => (
            "context.ended.v1.json",
            envelope::<EndedData>(event_type, &[]),
        ),
        EventKind::Touch => (
            "context.touched.v1.json",
            envelope::<TouchedData>(event_type, &[]),
        ),
    }
}

fn of_result(outcome: OutcomeKind) -> (&'static str, Value) {
    let event_type = outcome.event_type();
    let always = &["time", "subject", "sequence", "partitionkey"];
    match outcome {
        OutcomeKind::Ready => (
            "preview.ready.v1.json",
            envelope::<Ready>(event_type, always),
        ),
        OutcomeKind::Failed => (
            "preview.failed.v1.json",
            envelope::<Failed>(event_type, always),
        ),
        OutcomeKind::Superseded => (
            "preview.superseded.v1.json",
            envelope::<Superseded>(event_type, always),
        ),
        OutcomeKind::Removed => (
            "preview.removed.v1.json",
            envelope::<Removed>(event_type, always),
        ),
        OutcomeKind::Building => (
            "preview.building.v1.json",
            envelope::<Building>(event_type, always),
        ),
        OutcomeKind::Rejected => (
            "event.rejected.v1.json",
            envelope::<Rejected>(event_type, &["time"]),
        ),
    }
}

/// The CloudEvents envelope around `D`. `also_required` names attributes that we always write, though CloudEvents
/// would let them be absent.
fn envelope<D: JsonSchema>(event_type: &str, also_required: &[&str]) -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
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
        "$defs": generator.take_definitions(true),
    })
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
