//! Dead letters: what was given up, with all that a replay needs.

use std::num::NonZeroU32;

use foreshow_contract::{AttemptReport, HeaderValue, Timestamp};
use foreshow_engine::{DeadLetterReason, Message, Queue};
use lapin::{Channel, message::Delivery as Raw, options::BasicGetOptions};

use super::{RabbitMqError, incoming::Incoming, stamp, table, topology::Names};

/// A message that was given up, or that no binding took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The message as it was published.
    pub message: Message,
    /// The queue it came from; none where it never reached one.
    pub queue: Option<Queue>,
    /// Which attempt was the last.
    pub attempt: NonZeroU32,
    /// How the attempts before that went.
    pub history: Vec<AttemptReport>,
    /// When the broker first took the message, or about that.
    pub accepted_at: Timestamp,
    /// Why it was given up; none where the broker put it here.
    pub reason: Option<DeadLetterReason>,
    /// When.
    pub died_at: Option<Timestamp>,
    /// How many bytes the body had, where it was left out because the broker would not take it.
    pub body_left_out_bytes: Option<u64>,
}

/// The oldest dead letters. They are looked at and put back, as the channel closes.
pub(super) async fn oldest(
    channel: Channel,
    names: &Names,
    limit: u32,
) -> Result<Vec<DeadLetter>, RabbitMqError> {
    let mut letters = Vec::new();
    while letters.len() < limit as usize {
        let got = channel.basic_get(names.dead_letters().into(), BasicGetOptions::default());
        let Some(mut got) = got.await? else {
            break;
        };
        letters.push(read(&mut got.delivery, names));
    }
    Ok(letters)
}

fn read(raw: &mut Raw, names: &Names) -> DeadLetter {
    // Only we write to that exchange, and the broker, as the events' alternate.
    let given_up = raw.exchange.as_str() == names.dead_letters();
    let headers = raw.properties.headers().clone();
    let header = |name: &str| {
        let headers = headers.as_ref().filter(|_| given_up)?;
        headers.inner().get(name).map(table::value)
    };
    let text = |name| header(name).and_then(|value| Some(value.as_text()?.to_owned()));
    let number = |name| match header(name)? {
        HeaderValue::Integer(number) => Some(number),
        HeaderValue::Text(_)
        | HeaderValue::Boolean(_)
        | HeaderValue::Timestamp { .. }
        | HeaderValue::Other { .. } => None,
    };
    let reason = text(stamp::REASON_CODE).map(|code| {
        text(stamp::REASON)
            .and_then(|json| serde_json::from_str(&json).ok())
            .unwrap_or(DeadLetterReason {
                code,
                message: String::new(),
                attempts: Vec::new(),
            })
    });
    if given_up {
        // As if it came back from a delay: then what we wrote on it is believed.
        raw.exchange = "".into();
    }
    let incoming = Incoming::read(raw, Timestamp::now());
    DeadLetter {
        message: incoming.message,
        queue: text(stamp::ORIGIN_QUEUE).and_then(|name| names.queue_called(&name)),
        attempt: incoming.attempt,
        history: incoming.history,
        accepted_at: incoming.accepted_at,
        reason,
        died_at: number(stamp::DIED_AT).map(Timestamp::from_micros),
        body_left_out_bytes: number(stamp::BODY_LEFT_OUT)
            .and_then(|bytes| u64::try_from(bytes).ok()),
    }
}
