//! A result as a CloudEvent.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    OutcomeKind, Rejected, RemovalReason, ResultBody, rejected_id, result_id, routing_key,
};
use crate::{ContextId, ContextKey, Envelope, EventKind, Rejection, Revision, TenantId, Timestamp};

/// The `source` of every result.
pub const RESULT_SOURCE: &str = "/foreshow";

/// A result and its envelope.
///
/// What the envelope repeats from the body (`type`, `subject`, `sequence`, `partitionkey`) is taken from there when
/// writing, and not believed when reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultEvent {
    /// The same for every repeat: see [`result_id`] and [`rejected_id`].
    pub id: String,
    /// Who says so: [`RESULT_SOURCE`].
    pub source: String,
    /// When it was made; a repeat may have another.
    pub time: Timestamp,
    /// The trace context of the event that it is about.
    pub traceparent: Option<String>,
    /// The vendors' part of the trace context.
    pub tracestate: Option<String>,
    /// What it says.
    pub body: ResultBody,
}

/// The bytes are not a result.
#[derive(Debug, thiserror::Error)]
pub enum ResultDecodeError {
    /// The message is no CloudEvent that is read here.
    #[error("the result's message can't be read")]
    Message(#[source] Box<Rejection>),
    /// Not JSON, or not an envelope.
    #[error("the result's envelope can't be read")]
    Envelope(#[source] serde_json::Error),
    /// A type that this version does not know.
    #[error("`{0}` is not the type of a result")]
    UnknownType(String),
    /// The data is not what the type promises.
    #[error("the result's data can't be read")]
    Data(#[source] serde_path_to_error::Error<serde_json::Error>),
}

impl ResultEvent {
    /// The result of an event of `kind`, under its deterministic id.
    ///
    /// `replay` is as in [`result_id`]. For a rejected event use [`rejected`](Self::rejected): from here it would be
    /// named by its context alone, and two of them would be taken for one.
    pub fn of(kind: EventKind, replay: u32, body: ResultBody, time: Timestamp) -> Option<Self> {
        let key = ContextKey {
            tenant: body.tenant()?.clone(),
            context: body.context()?.clone(),
        };
        let id = result_id(&key, body.revision()?, kind, body.mark()?, replay);
        Some(Self::with_id(id, body, time))
    }

    /// The result of an event that could not be taken.
    pub fn rejected(rejection: &Rejection, time: Timestamp) -> Self {
        let id = rejected_id(&rejection.event);
        Self::with_id(id, ResultBody::Rejected(Rejected::from(rejection)), time)
    }

    fn with_id(id: String, body: ResultBody, time: Timestamp) -> Self {
        Self {
            id,
            source: RESULT_SOURCE.to_owned(),
            time,
            traceparent: None,
            tracestate: None,
            body,
        }
    }

    /// Carries on the trace of the event that it is about.
    pub fn traced_by(mut self, envelope: &Envelope) -> Self {
        self.traceparent.clone_from(&envelope.traceparent);
        self.tracestate.clone_from(&envelope.tracestate);
        self
    }

    /// Which outcome it is.
    pub fn outcome(&self) -> OutcomeKind {
        self.body.outcome()
    }

    /// The context it is about; a rejected event may not have said.
    pub fn key(&self) -> Option<ContextKey> {
        Some(ContextKey {
            tenant: self.body.tenant()?.clone(),
            context: self.body.context()?.clone(),
        })
    }

    /// The revision it is about; a rejected event may not have said.
    pub fn revision(&self) -> Option<Revision> {
        self.body.revision()
    }

    /// Whether it is an event's end, of which each event has exactly one: neither progress, nor the removal of what
    /// had been ready.
    pub fn is_end(&self) -> bool {
        match &self.body {
            ResultBody::Ready(_)
            | ResultBody::Failed(_)
            | ResultBody::Superseded(_)
            | ResultBody::Rejected(_) => true,
            ResultBody::Removed(removed) => removed.reason == RemovalReason::Ended,
            ResultBody::Building(_) => false,
        }
    }

    /// The key it is published under.
    pub fn routing_key(&self) -> String {
        routing_key(self.outcome(), self.body.tenant(), self.body.context())
    }

    /// The CloudEvents `subject`: the context's id, as upstream gave it.
    pub fn subject(&self) -> Option<&str> {
        self.body.context().map(ContextId::as_str)
    }

    /// The CloudEvents `sequence`: the revision, with leading zeros to 20 digits, so that text order is its order.
    pub fn sequence(&self) -> Option<String> {
        self.revision().map(Revision::padded)
    }

    /// The CloudEvents `partitionkey`: the context's id, as upstream gave it.
    pub fn partitionkey(&self) -> Option<&str> {
        self.subject()
    }

    /// The tenant it is for; a rejected event may not have said.
    pub fn tenant(&self) -> Option<&TenantId> {
        self.body.tenant()
    }

    /// The data alone, as JSON: the body of binary mode.
    pub fn data_json(&self) -> Vec<u8> {
        serde_json::to_vec(&self.body).expect("strings, numbers and lists are always JSON")
    }

    /// The whole event in structured mode, as [`STRUCTURED_JSON`](crate::STRUCTURED_JSON).
    pub fn to_json(&self) -> Vec<u8> {
        let sequence = self.sequence();
        let structured = Written {
            specversion: "1.0",
            id: &self.id,
            source: &self.source,
            r#type: self.outcome().event_type(),
            subject: self.subject(),
            time: self.time,
            datacontenttype: "application/json",
            sequence: sequence.as_deref(),
            partitionkey: self.partitionkey(),
            traceparent: self.traceparent.as_deref(),
            tracestate: self.tracestate.as_deref(),
            data: &self.body,
        };
        serde_json::to_vec(&structured).expect("strings, numbers and lists are always JSON")
    }

    /// Reads what [`to_json`](Self::to_json) wrote, or a later version that added fields.
    ///
    /// # Errors
    /// [`ResultDecodeError`].
    pub fn from_json(json: &[u8]) -> Result<Self, ResultDecodeError> {
        let read: Read = serde_json::from_slice(json).map_err(ResultDecodeError::Envelope)?;
        let Some(outcome) = OutcomeKind::from_event_type(&read.r#type) else {
            return Err(ResultDecodeError::UnknownType(read.r#type));
        };
        let body = body(outcome, read.data)?;
        let Read {
            id,
            source,
            time,
            traceparent,
            tracestate,
            ..
        } = read;
        Ok(Self {
            id,
            source,
            time,
            traceparent,
            tracestate,
            body,
        })
    }
}

/// Reads the data of an outcome.
pub(super) fn body(outcome: OutcomeKind, data: Value) -> Result<ResultBody, ResultDecodeError> {
    fn read<T: DeserializeOwned>(data: Value) -> Result<T, ResultDecodeError> {
        serde_path_to_error::deserialize(data).map_err(ResultDecodeError::Data)
    }
    Ok(match outcome {
        OutcomeKind::Ready => ResultBody::Ready(read(data)?),
        OutcomeKind::Failed => ResultBody::Failed(read(data)?),
        OutcomeKind::Superseded => ResultBody::Superseded(read(data)?),
        OutcomeKind::Removed => ResultBody::Removed(read(data)?),
        OutcomeKind::Building => ResultBody::Building(read(data)?),
        OutcomeKind::Rejected => ResultBody::Rejected(read(data)?),
    })
}

#[derive(Serialize)]
struct Written<'a> {
    specversion: &'static str,
    id: &'a str,
    source: &'a str,
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    time: Timestamp,
    datacontenttype: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    partitionkey: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tracestate: Option<&'a str>,
    data: &'a ResultBody,
}

#[derive(Deserialize)]
struct Read {
    r#type: String,
    id: String,
    source: String,
    time: Timestamp,
    traceparent: Option<String>,
    tracestate: Option<String>,
    data: Value,
}
