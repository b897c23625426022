//! Every dialect and every trap of the envelope, on the real broker with a worker behind it: each message is read, or refused by its
//! own name; none stops the queue, and what was refused is a dead letter once.

use foreshow_broker::rabbitmq::{AmqpUrl, RabbitMqBroker, RabbitMqOptions};
use foreshow_conformance::broker::dead_letters;
use foreshow_contract::ResultBody;
use foreshow_servers::rabbitmq::raw::{RawMessage, RawPublisher, header, nested_header};
use foreshow_tests::{Foreshow, Upstream, key, update};
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties,
    options::{BasicPublishOptions, ConfirmSelectOptions},
    types::{AMQPValue, DecimalValue, FieldArray, FieldTable},
};
use serde_json::json;

const KEY: &str = "context.updated.acme";
const TYPE: &str = "dev.foreshow.context.updated.v1";
const STRUCTURED: &str = "application/cloudevents+json";

/// What comes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comes {
    /// A preview of the context of the case's name.
    Ready,
    /// A refusal under this code.
    Refused(&'static str),
}
use Comes::{Ready, Refused};

struct Case {
    name: &'static str,
    comes: Comes,
    properties: BasicProperties,
    body: Vec<u8>,
}

fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}

/// The data of an update of the context of this name.
fn data(name: &str) -> serde_json::Value {
    json!({"tenantId": "acme", "contextId": name, "revision": 1,
           "files": [{"path": "index.html", "content": name}]})
}

fn envelope(name: &str) -> serde_json::Value {
    json!({"specversion": "1.0", "id": name, "source": "/tests", "type": TYPE, "data": data(name)})
}

/// In structured mode.
fn structured(
    name: &'static str,
    comes: Comes,
    content_type: &str,
    body: impl Into<Vec<u8>>,
) -> Case {
    Case {
        name,
        comes,
        properties: BasicProperties::default().with_content_type(content_type.into()),
        body: body.into(),
    }
}

/// The same under the usual content type.
fn json_body(name: &'static str, comes: Comes, body: impl Into<Vec<u8>>) -> Case {
    structured(name, comes, STRUCTURED, body)
}

/// In binary mode: the usual headers under a prefix, and others, which may replace them.
fn binary(
    name: &'static str,
    comes: Comes,
    prefix: &str,
    others: &[(&str, AMQPValue)],
    data: &serde_json::Value,
) -> Case {
    let mut headers = FieldTable::default();
    for (attribute, value) in [
        ("specversion", "1.0"),
        ("id", name),
        ("source", "/tests"),
        ("type", TYPE),
    ] {
        headers.insert(format!("{prefix}{attribute}").into(), text(value));
    }
    for (name, value) in others {
        headers.insert((*name).into(), value.clone());
    }
    Case {
        name,
        comes,
        properties: BasicProperties::default()
            .with_headers(headers)
            .with_content_type("application/json".into()),
        body: data.to_string().into(),
    }
}

/// A body that is still in AMQP 1.0's sections, as the broker passes it on.
fn sections(name: &'static str, comes: Comes, body: Vec<u8>) -> Case {
    let mut case = json_body(name, comes, body);
    case.properties = case.properties.with_type("amqp-1.0".into());
    case
}

fn amqp_value(code: u8, bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len())
        .expect("it is short")
        .to_be_bytes();
    [&[0x00, 0x53, 0x77, code], &length[..], bytes].concat()
}

/// The data without its revision, for the time to stand in.
fn untold(name: &str) -> serde_json::Value {
    let mut data = data(name);
    data.as_object_mut().expect("an object").remove("revision");
    data
}

fn dialects() -> Vec<Case> {
    let with = |name: &str, member: &str, value: serde_json::Value| {
        let mut envelope = envelope(name);
        envelope[member] = value;
        envelope.to_string()
    };
    let time = |value| [("cloudEvents_time", value)];
    let many: Vec<(String, AMQPValue)> = (0..1_000)
        .map(|n| (format!("ce-x{n}"), text("kept")))
        .collect();
    let many: Vec<(&str, AMQPValue)> = many
        .iter()
        .map(|(name, value)| (name.as_str(), value.clone()))
        .collect();
    let mut no_type = json_body(
        "no-content-type",
        Ready,
        envelope("no-content-type").to_string(),
    );
    no_type.properties = BasicProperties::default();
    let twice = envelope("twice").to_string().replace(
        "\"contextId\":",
        "\"contextId\":\"somebody-elses\",\"contextId\":",
    );
    vec![
        binary("ce", Ready, "ce-", &[], &data("ce")),
        binary(
            "underscore",
            Ready,
            "cloudEvents_",
            &[],
            &data("underscore"),
        ),
        binary("colon", Ready, "cloudEvents:", &[], &data("colon")),
        binary(
            "milliseconds",
            Ready,
            "cloudEvents_",
            &time(AMQPValue::LongLongInt(1_790_000_000_123)),
            &untold("milliseconds"),
        ),
        binary(
            "rfc3339",
            Ready,
            "cloudEvents_",
            &time(text("2026-11-22T06:00:00.000Z")),
            &untold("rfc3339"),
        ),
        binary(
            "timestamp",
            Ready,
            "cloudEvents_",
            &time(AMQPValue::Timestamp(1_790_000_000)),
            &data("timestamp"),
        ),
        binary(
            "void",
            Ready,
            "ce-",
            &[("ce-subject", AMQPValue::Void)],
            &data("void"),
        ),
        binary("many-headers", Ready, "ce-", &many, &data("many-headers")),
        json_body("nulls", Ready, with("nulls", "subject", json!(null))),
        json_body(
            "double-member",
            Ready,
            twice.replace("twice", "double-member"),
        ),
        no_type,
        structured(
            "another-case",
            Ready,
            "Application/CloudEvents+JSON; charset=UTF-8",
            envelope("another-case").to_string(),
        ),
        sections(
            "amqp-value",
            Ready,
            amqp_value(0xb1, envelope("amqp-value").to_string().as_bytes()),
        ),
        sections(
            "amqp-binary",
            Ready,
            amqp_value(0xb0, envelope("amqp-binary").to_string().as_bytes()),
        ),
    ]
}

fn traps() -> Vec<Case> {
    let invalid = Refused("invalid_attribute");
    let malformed = Refused("malformed_json");
    let id = |name, value| binary(name, invalid, "ce-", &[("ce-id", value)], &data(name));
    let member = |name: &'static str, code, member: &str, value: serde_json::Value| {
        let mut envelope = envelope(name);
        envelope[member] = value;
        json_body(name, Refused(code), envelope.to_string())
    };
    let utf16: Vec<u8> = envelope("utf16")
        .to_string()
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let huge = envelope("huge")
        .to_string()
        .replace("\"revision\":1", "\"revision\":1e400");
    let large = json!({"tenantId": "acme", "x": "x".repeat(20_000_000)});
    let mut empty = json_body("empty", malformed, "");
    empty.properties = BasicProperties::default();
    let unsupported = |name: &'static str, content_type| {
        structured(
            name,
            Refused("unsupported_format"),
            content_type,
            envelope(name).to_string(),
        )
    };
    vec![
        id(
            "array",
            AMQPValue::FieldArray(FieldArray::from(vec![text("x")])),
        ),
        id("table", AMQPValue::FieldTable(FieldTable::default())),
        id("float", AMQPValue::Double(0.5)),
        id(
            "decimal",
            AMQPValue::DecimalValue(DecimalValue { scale: 1, value: 7 }),
        ),
        id("bytes", AMQPValue::LongString(vec![0xff, 0xfe].into())),
        binary(
            "mixed",
            Refused("mixed_header_prefixes"),
            "ce-",
            &[("cloudEvents_id", text("x"))],
            &data("mixed"),
        ),
        binary(
            "seconds",
            Refused("revision_missing"),
            "ce-",
            &[("ce-time", AMQPValue::Timestamp(1_790_000_000))],
            &untold("seconds"),
        ),
        binary(
            "microseconds",
            Refused("invalid_time"),
            "ce-",
            &[("ce-time", AMQPValue::LongLongInt(1_790_000_000_000_000))],
            &data("microseconds"),
        ),
        member("both", "data_and_data_base64", "data_base64", json!("e30=")),
        member("null-data", "invalid_field", "data", json!(null)),
        member("text-data", "invalid_field", "data", json!("{}")),
        member(
            "avro-data",
            "unsupported_data",
            "datacontenttype",
            json!("application/avro"),
        ),
        member(
            "version",
            "unsupported_specversion",
            "specversion",
            json!("0.3"),
        ),
        unsupported("avro", "application/cloudevents+avro"),
        unsupported("xml", "application/cloudevents+xml"),
        unsupported("batch", "application/cloudevents-batch+json"),
        unsupported("text", "text/plain"),
        sections(
            "amqp-map",
            Refused("unsupported_body"),
            amqp_value(0xd1, &[0, 0, 0, 0]),
        ),
        sections(
            "amqp-plain",
            Refused("unsupported_body"),
            envelope("amqp-plain").to_string().into(),
        ),
        empty,
        json_body("no-object", Refused("not_a_cloud_event"), "[]"),
        json_body(
            "no-utf8",
            malformed,
            b"{\"specversion\":\"1.0\",\"id\":\"\xff\"}".to_vec(),
        ),
        json_body("nul", malformed, vec![0; 100]),
        json_body("bom", malformed, format!("\u{feff}{}", envelope("bom"))),
        json_body("utf16", malformed, utf16),
        json_body("deep", malformed, "[".repeat(100_000)),
        json_body("infinite", malformed, huge),
        json_body("large", Refused("too_large"), large.to_string()),
        binary("large-binary", Refused("too_large"), "ce-", &[], &large),
    ]
}

/// What no client writes. The names of contexts are in the bodies alone.
fn bytes() -> Vec<(&'static str, Comes, RawMessage)> {
    let usual = |name: &str| RawMessage {
        routing_key: KEY.into(),
        content_type: Some(STRUCTURED.into()),
        body: envelope(name).to_string().into(),
        ..RawMessage::default()
    };
    let binary = |name: &str, others: Vec<u8>| RawMessage {
        content_type: Some(b"application/json".into()),
        headers: Some(
            [
                header(b"ce-specversion", b"1.0"),
                header(b"ce-source", b"/tests"),
                header(b"ce-type", TYPE.as_bytes()),
                others,
            ]
            .concat(),
        ),
        body: data(name).to_string().into(),
        ..usual(name)
    };
    vec![
        (
            "bytes-type",
            Refused("unsupported_format"),
            RawMessage {
                content_type: Some(b"application/cloudevents\xff\xfe".into()),
                ..usual("x")
            },
        ),
        (
            "bytes-kind",
            Ready,
            RawMessage {
                kind: Some(b"amqp-1.0\xff".into()),
                ..usual("bytes-kind")
            },
        ),
        (
            "bytes-value",
            Refused("invalid_attribute"),
            binary("x", header(b"ce-id", b"\xff\xfe")),
        ),
        (
            "bytes-name",
            Ready,
            binary(
                "bytes-name",
                [header(b"ce-id", b"1"), header(b"ce-\xff", b"x")].concat(),
            ),
        ),
        (
            "nested",
            Refused("invalid_attribute"),
            binary(
                "x",
                [header(b"ce-id", b"2"), nested_header(b"ce-deep", 20_000)].concat(),
            ),
        ),
        (
            "bytes-key",
            Refused("routing_key_mismatch"),
            RawMessage {
                routing_key: b"context.updated.\xff".into(),
                ..usual("x")
            },
        ),
    ]
}

async fn publish(channel: &Channel, case: &Case) {
    let published = channel.basic_publish(
        "foreshow.events".into(),
        KEY.into(),
        BasicPublishOptions::default(),
        &case.body,
        case.properties.clone(),
    );
    let confirmed = published.await.expect("sent").await.expect("confirmed");
    assert!(confirmed.is_ack(), "{}", case.name);
}

async fn meets(upstream: &mut Upstream, name: &str, comes: Comes) {
    let end = upstream.next_end().await;
    match (&end.body, comes) {
        (ResultBody::Ready(ready), Ready) => {
            assert_eq!(ready.key.context.as_str(), name, "{end:?}");
        }
        (ResultBody::Rejected(rejected), Refused(code)) => {
            assert_eq!(rejected.code.as_str(), code, "{name}: {rejected:?}");
            assert!(!rejected.message.is_empty(), "{name}");
        }
        (body, comes) => panic!("{name}: {comes:?}, and it came to {body:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_dialect_is_read_and_each_trap_refused_by_name_and_the_queue_flows_on() {
    let foreshow = Foreshow::fleet().await;
    let _up = foreshow.up().await;
    let mut upstream = Upstream::connect(&foreshow).await;
    let vhost = foreshow.ground().vhost().expect("it stands on RabbitMQ");
    let url = vhost.amqp_url();
    let connected = Connection::connect(&url, ConnectionProperties::default()).await;
    let connection = connected.expect("the broker is there");
    let channel = connection.create_channel().await.expect("a channel");
    let confirm = channel.confirm_select(ConfirmSelectOptions::default());
    confirm.await.expect("confirms");

    let mut refused = Vec::new();
    for case in dialects().iter().chain(&traps()) {
        publish(&channel, case).await;
        meets(&mut upstream, case.name, case.comes).await;
        refused.extend(code(case.comes));
    }
    let raw = RawPublisher::connect(&url).await;
    let mut raw = raw.expect("the broker lets us in");
    for (name, comes, message) in bytes() {
        let published = raw.publish("foreshow.events", &message).await;
        published.unwrap_or_else(|error| panic!("{name}: {error:#}"));
        meets(&mut upstream, name, comes).await;
        refused.extend(code(comes));
    }
    upstream
        .publish(&update(&key("acme", "behind"), 1, "fine"))
        .await;
    assert_eq!(upstream.next_end().await.id, "acme/behind/1/updated/ready");

    let urls = AmqpUrl::parse_list(&url).expect("a URL");
    let broker = RabbitMqBroker::connect(RabbitMqOptions::new(urls)).await;
    let broker = broker.expect("the broker lets us in");
    let letters = dead_letters(&broker).await;
    let mut kept: Vec<_> = letters
        .into_iter()
        .map(|letter| letter.reason.expect("each has a reason").code)
        .collect();
    kept.sort();
    refused.sort();
    assert_eq!(kept, refused, "each is kept once, with its reason");
    broker.close().await;
    connection.close(200, "done".into()).await.expect("closed");
    foreshow.close().await;
}

fn code(comes: Comes) -> Option<String> {
    match comes {
        Ready => None,
        Refused(code) => Some(code.to_owned()),
    }
}
