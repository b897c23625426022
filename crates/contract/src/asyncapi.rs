//! An AsyncAPI 3 document: which messages travel through which exchange, under which routing key.
//!
//! It says nothing of its own about what messages hold: payloads are references to the [schemas](crate::schema) beside
//! it, the document's for structured mode and its `data` for binary mode, whose headers are made of the same schema's
//! attributes. Seen from Foreshow: it receives context events and sends results.
//!
//! The AMQP binding (0.3.0) can't state a pattern of routing keys, so each channel's address is the key, with parameters.

use serde_json::{Map, Value, json};

use crate::{EventKind, OutcomeKind, STRUCTURED_JSON, TenantId, schema};

/// The name of the file that holds the document, beside the schemas.
pub const FILE: &str = "asyncapi.json";

/// The exchange that context events are published to, unless an installation calls it otherwise.
const EVENTS: &str = "foreshow.events";

/// The exchange that results are published to, unless an installation calls it otherwise.
const RESULTS: &str = "foreshow.results";

const BINDING_VERSION: &str = "0.3.0";

/// The document, with references to files in its own folder.
pub fn document() -> Value {
    let topics: Vec<Topic> = EventKind::UPSTREAM
        .into_iter()
        .filter_map(Topic::of_event)
        .chain(OutcomeKind::ALL.into_iter().map(Topic::of_result))
        .collect();
    let collect = |parts: fn(&Topic) -> Vec<(String, Value)>| -> Map<String, Value> {
        topics.iter().flat_map(parts).collect()
    };
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Foreshow",
            "version": "1.0.0",
            "description": "Preview deployments for context sessions: context events in, results out. Every message is a \
                CloudEvent 1.0 over AMQP 0-9-1, in structured mode (one JSON document) or in binary mode (attributes in \
                headers, data as the body). In routing keys the bytes of tenants and contexts other than A-Z, a-z, 0-9, _ \
                and - are written as ~ and two upper-case hex digits. An event has at most 8 MiB.",
            "license": { "name": "Apache-2.0 OR MIT" },
        },
        "defaultContentType": STRUCTURED_JSON,
        "channels": collect(|topic| vec![(topic.name(""), topic.channel())]),
        "operations": collect(|topic| vec![(topic.name(topic.action), topic.operation())]),
        "components": {
            "messages": collect(|topic| vec![
                (topic.name("structured"), topic.structured()),
                (topic.name("binary"), topic.binary()),
            ]),
            "parameters": {
                "tenantId": {
                    "description": format!(
                        "The tenant, escaped; at most {} bytes then.", TenantId::MAX_ESCAPED_BYTES
                    ),
                    "examples": ["acme", "acme~2Eeu"],
                },
                "contextId": {
                    "description": format!(
                        "The context, escaped; at most {} bytes then. `unknown` (as is the tenant) where a rejected event \
                         did not say.",
                        crate::ContextId::MAX_ESCAPED_BYTES
                    ),
                    "examples": ["ctx-42"],
                },
            },
        },
    })
}

/// One type of message, and where it travels.
struct Topic {
    /// The words that its routing keys open with, such as `context.updated`.
    word: &'static str,
    /// The parameters of its routing keys.
    parameters: &'static [&'static str],
    exchange: &'static str,
    /// What Foreshow does with it.
    action: &'static str,
    summary: String,
    schema_file: &'static str,
    schema: Value,
}

impl Topic {
    fn of_event(kind: EventKind) -> Option<Self> {
        let schema = schema::of_event(kind)?;
        Some(Self::new(schema, EVENTS, "receive", &["tenantId"]))
    }

    fn of_result(outcome: OutcomeKind) -> Self {
        let schema = schema::of_result(outcome);
        Self::new(schema, RESULTS, "send", &["tenantId", "contextId"])
    }

    fn new(
        (schema_file, schema): (&'static str, Value),
        exchange: &'static str,
        action: &'static str,
        parameters: &'static [&'static str],
    ) -> Self {
        Self {
            word: schema_file.strip_suffix(".v1.json").unwrap_or(schema_file),
            parameters,
            exchange,
            action,
            summary: summary(&schema),
            schema_file,
            schema,
        }
    }

    /// A name for one of the topic's parts, such as `contextUpdatedBinary`, or `receiveContextUpdated` for an action.
    fn name(&self, part: &str) -> String {
        let words = self.word.split('.');
        let words: Vec<&str> = match part {
            "receive" | "send" => [part].into_iter().chain(words).collect(),
            _ => words.chain([part]).collect(),
        };
        let mut name = String::new();
        for word in words {
            match word.split_at_checked(1) {
                Some((first, rest)) if !name.is_empty() => {
                    name += &first.to_ascii_uppercase();
                    name += rest;
                }
                _ => name += word,
            }
        }
        name
    }

    fn channel(&self) -> Value {
        let address = self
            .parameters
            .iter()
            .fold(self.word.to_owned(), |address, parameter| {
                format!("{address}.{{{parameter}}}")
            });
        let parameters: Map<String, Value> = self
            .parameters
            .iter()
            .map(|name| {
                let reference = format!("#/components/parameters/{name}");
                ((*name).to_owned(), json!({ "$ref": reference }))
            })
            .collect();
        let message =
            |mode| json!({ "$ref": format!("#/components/messages/{}", self.name(mode)) });
        json!({
            "address": address,
            "summary": self.summary,
            "parameters": parameters,
            "messages": { "structured": message("structured"), "binary": message("binary") },
            "bindings": { "amqp": {
                "is": "routingKey",
                "exchange": {
                    "name": self.exchange,
                    "type": "topic",
                    "durable": true,
                    "autoDelete": false,
                },
                "bindingVersion": BINDING_VERSION,
            } },
        })
    }

    fn operation(&self) -> Value {
        let channel = format!("#/channels/{}", self.name(""));
        json!({
            "action": self.action,
            "channel": { "$ref": channel },
            "summary": self.summary,
            "messages": [
                { "$ref": format!("{channel}/messages/structured") },
                { "$ref": format!("{channel}/messages/binary") },
            ],
            "bindings": { "amqp": { "deliveryMode": 2, "bindingVersion": BINDING_VERSION } },
        })
    }

    fn structured(&self) -> Value {
        json!({
            "name": self.schema["title"],
            "title": format!("{}, structured", self.word),
            "summary": self.summary,
            "contentType": STRUCTURED_JSON,
            "payload": { "$ref": format!("./{}", self.schema_file) },
        })
    }

    fn binary(&self) -> Value {
        json!({
            "name": self.schema["title"],
            "title": format!("{}, binary", self.word),
            "summary": self.summary,
            "contentType": "application/json",
            "headers": self.headers(),
            "payload": { "$ref": format!("./{}#/properties/data", self.schema_file) },
        })
    }

    /// The attributes as headers. Written as strings; senders may leave `time` to their client's native types.
    fn headers(&self) -> Value {
        let attributes = object(&self.schema["properties"])
            .filter(|(name, _)| !matches!(name.as_str(), "data" | "datacontenttype"));
        let properties: Map<String, Value> = attributes
            .map(|(name, schema)| (format!("ce-{name}"), self.header(name, schema)))
            .collect();
        let required: Vec<String> = self.schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .filter(|name| *name != "data")
            .map(|name| format!("ce-{name}"))
            .collect();
        json!({ "type": "object", "required": required, "properties": properties })
    }

    /// An attribute's schema once it is a header, where what is not set is left out.
    fn header(&self, name: &str, schema: &Value) -> Value {
        let instant = json!({ "type": "string", "format": "date-time" });
        match name {
            "time" if self.action == "receive" => json!({
                "description": "RFC 3339; an integer counts milliseconds since 1970. An AMQP timestamp, which has whole \
                    seconds, is read too, but can't stand in for a revision.",
                "anyOf": [instant, { "type": "integer" }],
            }),
            "time" => instant,
            _ if schema["type"].is_array() => json!({ "type": "string" }),
            _ => schema.clone(),
        }
    }
}

/// What a type says of itself: the description of its data.
fn summary(schema: &Value) -> String {
    let definition = schema["properties"]["data"]["$ref"]
        .as_str()
        .and_then(|reference| schema.pointer(reference.strip_prefix('#')?));
    definition
        .and_then(|definition| definition["description"].as_str())
        .unwrap_or_default()
        .to_owned()
}

fn object(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}
