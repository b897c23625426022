//! Context events out: what [`decode`](crate::decode) reads back unchanged.

use std::num::NonZeroU64;
use std::time::Duration;

use serde::Serialize;

use super::BinaryMessage;
use crate::wire::{
    AppData, BundleData, EndedData, ExpiredData, FileData, ResetData, RetentionData, RoutingData,
    TouchedData, UpdatedData,
};
use crate::{Content, ContextEvent, ContextUpdated, Envelope, IncomingEvent, Timestamp};

#[derive(Serialize)]
struct Structured<'a> {
    specversion: &'static str,
    id: &'a str,
    source: &'a str,
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<Timestamp>,
    datacontenttype: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tracestate: Option<&'a str>,
    data: Data,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Data {
    Updated(Box<UpdatedData>),
    Ended(EndedData),
    Touched(TouchedData),
    Expired(ExpiredData),
    Reset(ResetData),
}

/// Writes an event in structured mode, as [`STRUCTURED_JSON`](crate::STRUCTURED_JSON).
///
/// The revision is always written out. A retention that is no whole number of seconds is rounded up. Env values are in
/// the output as they are.
pub fn encode(event: &IncomingEvent) -> Vec<u8> {
    let envelope = &event.envelope;
    let structured = Structured {
        specversion: "1.0",
        id: &envelope.id,
        source: &envelope.source,
        r#type: event.event.kind().event_type(),
        subject: envelope.subject.as_deref(),
        time: envelope.time,
        datacontenttype: super::binary::JSON,
        traceparent: envelope.traceparent.as_deref(),
        tracestate: envelope.tracestate.as_deref(),
        data: data(&event.event),
    };
    serde_json::to_vec(&structured)
        .expect("strings, numbers and maps with string keys are always JSON")
}

/// Writes an event in binary mode: `ce-` headers, and the data as the body. Otherwise as [`encode`].
pub fn encode_binary(event: &IncomingEvent) -> BinaryMessage {
    let Envelope {
        id,
        source,
        subject,
        time,
        traceparent,
        tracestate,
    } = &event.envelope;
    let body = serde_json::to_vec(&data(&event.event))
        .expect("strings, numbers and maps with string keys are always JSON");
    BinaryMessage::json(
        [
            ("id", Some(id.clone())),
            ("source", Some(source.clone())),
            ("type", Some(event.event.kind().event_type().to_owned())),
            ("subject", subject.clone()),
            ("time", time.map(|time| time.to_string())),
            ("traceparent", traceparent.clone()),
            ("tracestate", tracestate.clone()),
        ],
        body,
    )
}

fn data(event: &ContextEvent) -> Data {
    let key = event.key();
    let (context_id, tenant_id) = (key.context.to_string(), key.tenant.to_string());
    let revision = event.revision().map(|revision| revision.get().into());
    match event {
        ContextEvent::Updated(update) => Data::Updated(Box::new(UpdatedData {
            context_id,
            tenant_id,
            revision,
            ..updated(update)
        })),
        ContextEvent::Ended(end) => Data::Ended(EndedData {
            context_id,
            tenant_id,
            revision,
            reason: end.reason.clone(),
        }),
        ContextEvent::Touched(_) => Data::Touched(TouchedData {
            context_id,
            tenant_id,
        }),
        ContextEvent::Expired(_) => Data::Expired(ExpiredData {
            context_id,
            tenant_id,
            revision,
        }),
        ContextEvent::Reset(reset) => Data::Reset(ResetData {
            context_id,
            tenant_id,
            reset_id: reset.reset.to_string(),
        }),
    }
}

fn updated(update: &ContextUpdated) -> UpdatedData {
    let (files, bundle) = match &update.content {
        Content::Files(files) => {
            let file = |file: &crate::InlineFile| FileData {
                path: file.path.clone(),
                content: file.content.clone(),
                encoding: Some(file.encoding)
                    .filter(|encoding| *encoding != crate::Encoding::default()),
            };
            (Some(files.iter().map(file).collect()), None)
        }
        Content::Bundle(bundle) => (
            None,
            Some(BundleData {
                url: bundle.url.clone(),
                sha256: bundle.sha256.to_hex(),
            }),
        ),
    };
    let app = AppData {
        framework: Some(update.app.framework.word().to_owned()),
        entrypoint: update.app.entrypoint.clone(),
        build_command: update.app.build_command.clone(),
        output_directory: update.app.output_directory.clone(),
        spa_fallback: update.app.spa_fallback.then_some(true),
    };
    let routing = RoutingData {
        providers: non_empty(
            update
                .routing
                .providers
                .iter()
                .map(ToString::to_string)
                .collect(),
        ),
        strategy: update.routing.strategy,
    };
    let retention = RetentionData {
        ttl_seconds: update.retention.ttl.map(whole_seconds),
        keep_revisions: update.retention.keep_revisions,
    };
    UpdatedData {
        context_id: String::new(),
        tenant_id: String::new(),
        revision: None,
        files,
        bundle,
        env: Some(update.env.clone()).filter(|env| !env.is_empty()),
        app: Some(app),
        routing: Some(routing)
            .filter(|routing| routing.providers.is_some() || routing.strategy.is_some()),
        retention: Some(retention)
            .filter(|keep| keep.ttl_seconds.is_some() || keep.keep_revisions.is_some()),
        domains: non_empty(update.domains.clone()),
        variant: update.variant.clone(),
        labels: Some(update.labels.clone()).filter(|labels| !labels.is_empty()),
    }
}

fn non_empty(items: Vec<String>) -> Option<Vec<String>> {
    Some(items).filter(|items| !items.is_empty())
}

fn whole_seconds(ttl: Duration) -> NonZeroU64 {
    let seconds = ttl
        .as_secs()
        .saturating_add(u64::from(ttl.subsec_nanos() > 0));
    NonZeroU64::new(seconds).unwrap_or(NonZeroU64::MIN)
}
