//! The language-neutral cases under `vectors/`, run against this implementation.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests; only the tests themselves are exempt"
)]

use foreshow_contract::{
    Content, ContextEvent, ContextId, ContextKey, EventKind, InstallationKey, OutcomeKind,
    OutcomeMark, RawMessage, RejectedEvent, RemovalReason, ResultEvent, Revision, Sha256, TenantId,
    decode, decode_routed, encode, escape, event_routing_key, rejected_id, result_id, routing_key,
    unescape,
};
use serde_json::Value;

fn vectors(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

fn cases<'a>(vectors: &'a Value, list: &str) -> &'a [Value] {
    let cases = vectors[list].as_array().unwrap();
    assert!(!cases.is_empty());
    cases
}

fn text<'a>(case: &'a Value, field: &str) -> &'a str {
    case[field]
        .as_str()
        .unwrap_or_else(|| panic!("{field} in {case}"))
}

fn key(case: &Value) -> ContextKey {
    ContextKey::try_new(text(case, "tenantId"), text(case, "contextId")).unwrap()
}

fn event_kind(case: &Value) -> EventKind {
    serde_json::from_value(case["eventKind"].clone()).unwrap()
}

#[test]
fn names_are_escaped_as_published() {
    let vectors = vectors(include_str!("../vectors/escape.json"));
    for case in cases(&vectors, "cases") {
        let (raw, escaped) = (text(case, "raw"), text(case, "escaped"));
        assert_eq!(escape(raw), escaped);
        assert_eq!(unescape(escaped).unwrap(), raw);
    }
    for bad in cases(&vectors, "notEscaped") {
        assert!(unescape(bad.as_str().unwrap()).is_err(), "{bad}");
    }
}

#[test]
fn names_fit_or_are_refused_as_published() {
    let vectors = vectors(include_str!("../vectors/ids.json"));
    for case in cases(&vectors, "names") {
        let checked = ContextKey::try_new(text(case, "tenantId"), text(case, "contextId"));
        assert_eq!(
            checked.err().map(|error| error.code().as_str()),
            case["code"].as_str(),
            "{case}"
        );
    }
}

#[test]
fn results_have_the_published_ids() {
    let vectors = vectors(include_str!("../vectors/ids.json"));
    for case in cases(&vectors, "results") {
        let mark = match text(case, "outcome") {
            "ready" => OutcomeMark::Ready,
            "failed" => OutcomeMark::Failed,
            "superseded" => OutcomeMark::Superseded,
            "removed" => OutcomeMark::Removed(
                serde_json::from_value::<RemovalReason>(case["reason"].clone()).unwrap(),
            ),
            "building" => OutcomeMark::Building(case["counter"].as_u64().unwrap()),
            other => panic!("{other}"),
        };
        let revision = Revision::try_new(case["revision"].as_u64().unwrap()).unwrap();
        let replay = u32::try_from(case["replay"].as_u64().unwrap_or(0)).unwrap();
        assert_eq!(
            result_id(&key(case), revision, event_kind(case), mark, replay),
            text(case, "id")
        );
    }
    for case in cases(&vectors, "rejected") {
        let event = RejectedEvent {
            source: case["source"].as_str().map(str::to_owned),
            id: case["eventId"].as_str().map(str::to_owned),
            body_digest: Sha256::of(text(case, "body").as_bytes()).to_hex(),
            ..RejectedEvent::default()
        };
        assert_eq!(rejected_id(&event), text(case, "id"), "{case}");
    }
}

#[test]
fn routing_keys_are_as_published_and_fit_the_protocol() {
    let vectors = vectors(include_str!("../vectors/ids.json"));
    for case in cases(&vectors, "resultRoutingKeys") {
        let outcome = OutcomeKind::ALL
            .into_iter()
            .find(|kind| kind.word() == text(case, "outcome"))
            .unwrap();
        let tenant: Option<TenantId> = case["tenantId"].as_str().map(|raw| raw.parse().unwrap());
        let context: Option<ContextId> = case["contextId"].as_str().map(|raw| raw.parse().unwrap());
        let key = routing_key(outcome, tenant.as_ref(), context.as_ref());
        assert_eq!(key, text(case, "routingKey"));
        assert!(key.len() <= 255, "AMQP's short strings end there");
    }
    for case in cases(&vectors, "eventRoutingKeys") {
        let tenant = text(case, "tenantId").parse().unwrap();
        assert_eq!(
            event_routing_key(event_kind(case), &tenant),
            text(case, "routingKey")
        );
    }
}

#[test]
fn labels_are_as_published() {
    let vectors = vectors(include_str!("../vectors/labels.json"));
    let secret = InstallationKey::from_hex(text(&vectors, "keyHex")).unwrap();
    for case in cases(&vectors, "cases") {
        let label = match case["revision"].as_u64() {
            Some(revision) => {
                secret.revision_label(&key(case), Revision::try_new(revision).unwrap())
            }
            None => secret.alias_label(&key(case)),
        };
        assert_eq!(label.as_str(), text(case, "label"), "{case}");
    }
}

#[test]
fn accepted_events_are_read_as_published() {
    are_accepted(&vectors(include_str!("../vectors/envelopes.json")));
}

#[test]
fn refused_events_are_refused_as_published() {
    are_refused(&vectors(include_str!("../vectors/envelopes.json")));
}

#[test]
fn what_foreshow_tells_itself_is_read_and_refused_alike() {
    let vectors = vectors(include_str!("../vectors/internal.json"));
    are_accepted(&vectors);
    are_refused(&vectors);
}

fn are_accepted(vectors: &Value) {
    for case in cases(vectors, "accepted") {
        let (name, expect) = (text(case, "name"), &case["expect"]);
        let incoming = decode(RawMessage::structured(
            case["contentType"].as_str(),
            case["event"].to_string().as_bytes(),
        ))
        .unwrap_or_else(|rejection| panic!("{name}: {rejection}"));
        assert_eq!(incoming.event.kind().word(), text(expect, "kind"), "{name}");
        assert_eq!(*incoming.event.key(), key(expect), "{name}");
        assert_eq!(
            incoming.event.revision().map(Revision::get),
            expect["revision"].as_u64(),
            "{name}"
        );
        for (attribute, value) in [
            ("traceparent", &incoming.envelope.traceparent),
            ("tracestate", &incoming.envelope.tracestate),
        ] {
            if let Some(expected) = expect.get(attribute) {
                assert_eq!(value.as_deref(), expected.as_str(), "{name}");
            }
        }
        if let Some(files) = expect.get("files") {
            let ContextEvent::Updated(update) = &incoming.event else {
                panic!("{name}")
            };
            let Content::Files(inline) = &update.content else {
                panic!("{name}")
            };
            for file in inline {
                assert_eq!(
                    Sha256::of(&file.decoded().unwrap()).to_hex(),
                    text(files, &file.path),
                    "{name}"
                );
            }
        }
        if let Some(encoded) = expect.get("encoded") {
            assert_eq!(
                serde_json::from_slice::<Value>(&encode(&incoming)).unwrap(),
                *encoded,
                "{name}"
            );
        }
        let again = decode(RawMessage::structured(
            Some(foreshow_contract::STRUCTURED_JSON),
            &encode(&incoming),
        ))
        .unwrap();
        assert_eq!(again, incoming, "{name}");
    }
}

fn are_refused(vectors: &Value) {
    for case in cases(vectors, "refused") {
        let name = text(case, "name");
        let body = case["body"]
            .as_str()
            .map_or_else(|| case["event"].to_string(), str::to_owned);
        let rejection = decode(RawMessage::structured(
            case["contentType"].as_str(),
            body.as_bytes(),
        ))
        .map(|_| panic!("{name} was accepted"))
        .unwrap_err();
        assert_eq!(
            rejection.code.as_str(),
            text(case, "code"),
            "{name}: {rejection}"
        );
        assert_eq!(
            rejection.path.as_deref(),
            case["path"].as_str(),
            "{name}: {rejection}"
        );
        assert_eq!(
            rejection.event.body_digest,
            Sha256::of(body.as_bytes()).to_hex()
        );
        assert!(
            !rejection.message.contains("12345678"),
            "{name} quotes a value: {rejection}"
        );
        if let Some(read) = case.get("read") {
            let event = &rejection.event;
            assert_eq!(event.id.as_deref(), read["id"].as_str(), "{name}");
            assert_eq!(event.source.as_deref(), read["source"].as_str(), "{name}");
            assert_eq!(
                event.tenant.as_ref().map(TenantId::as_str),
                read["tenantId"].as_str(),
                "{name}"
            );
            assert_eq!(
                event.context.as_ref().map(ContextId::as_str),
                read["contextId"].as_str(),
                "{name}"
            );
            assert_eq!(
                event.revision.map(Revision::get),
                read["revision"].as_u64(),
                "{name}"
            );
            assert_eq!(
                event.kind.map(EventKind::word),
                read["kind"].as_str(),
                "{name}"
            );
        }
    }
}

#[test]
fn results_are_written_as_published() {
    let vectors = vectors(include_str!("../vectors/envelopes.json"));
    for case in cases(&vectors, "results") {
        let result = ResultEvent::from_json(case["event"].to_string().as_bytes()).unwrap();
        assert_eq!(
            serde_json::from_slice::<Value>(&result.to_json()).unwrap(),
            case["event"]
        );
        assert_eq!(
            serde_json::from_slice::<Value>(&result.data_json()).unwrap(),
            case["event"]["data"]
        );
        assert_eq!(result.routing_key(), text(case, "routingKey"));
        assert_eq!(result.is_end(), case["isEnd"].as_bool().unwrap());
    }
}

#[test]
fn events_are_held_against_their_routing_keys_as_published() {
    let vectors = vectors(include_str!("../vectors/envelopes.json"));
    for case in cases(&vectors, "routed") {
        let body = case["event"].to_string();
        let message = RawMessage::structured(None, body.as_bytes());
        let read = decode_routed(text(case, "routingKey"), message);
        let told = read.err();
        let code = told.as_ref().map(|rejection| rejection.code.as_str());
        assert_eq!(code, case["code"].as_str(), "{case}");
        if let Some(rejection) = told {
            let tenant = rejection.event.tenant.as_ref().map(TenantId::as_str);
            assert_eq!(tenant, case["toldTo"].as_str(), "{case}");
        }
    }
}
