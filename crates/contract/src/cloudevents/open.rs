//! Reading any CloudEvent that is no context event: as far as the envelope goes.

use std::borrow::Cow;

use serde_json::Value;

use super::attributes::Carrier;
use super::mode::Mode;
use super::{RawMessage, amqp, unread};
use crate::rejection::Refusal;
use crate::{Rejection, Timestamp};

/// A message whose mode is known.
pub(crate) enum Opened<'a> {
    /// The document that holds all of it.
    Structured(Cow<'a, [u8]>),
    /// The attributes and the data.
    Binary(BinaryEvent),
}

/// An event of binary mode that has a time.
pub(crate) struct BinaryEvent {
    pub(crate) id: String,
    pub(crate) source: String,
    pub(crate) r#type: String,
    pub(crate) time: Timestamp,
    pub(crate) traceparent: Option<String>,
    pub(crate) tracestate: Option<String>,
    pub(crate) data: Value,
}

/// Tells the mode, and in binary mode puts the event together.
pub(crate) fn open(message: RawMessage<'_>) -> Result<Opened<'_>, Box<Rejection>> {
    let opened = || {
        let body = amqp::payload(&message)?;
        match Mode::of(&message)? {
            Mode::Structured => Ok(Opened::Structured(body)),
            Mode::Binary(headers) => {
                let carrier = Carrier::Headers(&headers);
                carrier.check()?;
                let text = |name| Ok::<_, Refusal>(carrier.text(name)?.map(Cow::into_owned));
                Ok(Opened::Binary(BinaryEvent {
                    id: carrier.required("id")?.into_owned(),
                    source: carrier.required("source")?.into_owned(),
                    r#type: carrier.required("type")?.into_owned(),
                    time: carrier.required_time()?.time.at,
                    traceparent: text("traceparent")?,
                    tracestate: text("tracestate")?,
                    data: headers.data(message.content_type, &body)?,
                }))
            }
        }
    };
    opened().map_err(|refusal| unread(refusal, &message))
}
