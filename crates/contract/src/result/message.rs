//! A result as a message: written in binary mode, read in either.

use super::event::body;
use super::{OutcomeKind, ResultDecodeError, ResultEvent};
use crate::cloudevents::{Opened, open};
use crate::{BinaryMessage, RawMessage};

impl ResultEvent {
    /// The event in binary mode: every attribute that is set as a `ce-` header, [`data_json`](Self::data_json) as the
    /// body. For structured mode see [`to_json`](Self::to_json).
    pub fn to_binary(&self) -> BinaryMessage {
        let owned = |text: &str| text.to_owned();
        BinaryMessage::json(
            [
                ("id", Some(self.id.clone())),
                ("source", Some(self.source.clone())),
                ("type", Some(self.outcome().event_type().to_owned())),
                ("subject", self.subject().map(owned)),
                ("time", Some(self.time.to_string())),
                ("sequence", self.sequence()),
                ("partitionkey", self.partitionkey().map(owned)),
                ("traceparent", self.traceparent.clone()),
                ("tracestate", self.tracestate.clone()),
            ],
            self.data_json(),
        )
    }

    /// Reads a message in either mode: what [`to_binary`](Self::to_binary) or [`to_json`](Self::to_json) wrote, or a
    /// later version that added attributes or fields.
    ///
    /// # Errors
    /// [`ResultDecodeError`].
    pub fn from_message(message: RawMessage<'_>) -> Result<Self, ResultDecodeError> {
        match open(message).map_err(ResultDecodeError::Message)? {
            Opened::Structured(json) => Self::from_json(&json),
            Opened::Binary(event) => {
                let Some(outcome) = OutcomeKind::from_event_type(&event.r#type) else {
                    return Err(ResultDecodeError::UnknownType(event.r#type));
                };
                Ok(Self {
                    id: event.id,
                    source: event.source,
                    time: event.time,
                    traceparent: event.traceparent,
                    tracestate: event.tracestate,
                    body: body(outcome, event.data)?,
                })
            }
        }
    }
}
