//! From what the broker delivers to what the engine reads.

use std::{num::NonZeroU32, time::Duration};

use bytes::Bytes;
use foreshow_contract::{AttemptReport, HeaderValue, Timestamp};
use foreshow_engine::{Delivery, Message, Queue, Receipt};
use lapin::{BasicProperties, message::Delivery as Raw, types::ShortString};

use super::{app_properties, stamp::Stamp, table};

/// The oldest time of acceptance that is believed of a message that comes for the first time.
const OLDEST: Duration = Duration::from_hours(30 * 24);

/// What a faithful copy of a delivery needs, beside its body.
#[derive(Clone, Debug)]
pub(super) struct Original {
    /// Its properties, headers included, in the broker's own types.
    pub(super) properties: BasicProperties,
    /// The key it was first published with.
    pub(super) routing_key: String,
    /// Who published it, where the broker vouches for that.
    pub(super) user_id: Option<String>,
}

/// A message that was read.
pub(super) struct Incoming {
    pub(super) message: Message,
    pub(super) original: Original,
    pub(super) attempt: NonZeroU32,
    pub(super) history: Vec<AttemptReport>,
    pub(super) replay: u32,
    pub(super) accepted_at: Timestamp,
    pub(super) redelivered: bool,
    pub(super) due_at: Option<Timestamp>,
    /// How much of its delay is left: it has to go round again.
    pub(super) left: Duration,
}

impl Incoming {
    /// Reads a delivery; its body moves.
    pub(super) fn read(raw: &mut Raw, now: Timestamp) -> Self {
        let body = Bytes::from(std::mem::take(&mut raw.data));
        let properties = std::mem::take(&mut raw.properties);
        let headers = properties.headers().as_ref();
        // What came through the default exchange was put there by us: upstream may not write to it.
        let ours = raw.exchange.as_str().is_empty();
        let stamp = Stamp::read(headers, ours);
        let routing_key = stamp
            .routing_key
            .unwrap_or_else(|| raw.routing_key.to_string());
        let mut senders = table::headers(headers, super::stamp::is_the_senders);
        // A header's own word counts for more.
        for (name, value) in app_properties::read(headers) {
            if super::stamp::is_the_senders(&name) {
                senders.entry(name).or_insert(value);
            }
        }
        let message = Message {
            routing_key: routing_key.clone(),
            content_type: properties
                .content_type()
                .as_ref()
                .map(ShortString::to_string),
            message_type: properties.kind().as_ref().map(ShortString::to_string),
            headers: senders,
            body,
        };
        let accepted_at = match stamp.accepted_at {
            Some(at) => at.min(now),
            None => said_by_the_sender(&properties, now).unwrap_or(now),
        };
        Self {
            message,
            attempt: stamp.attempt,
            history: stamp.history,
            replay: stamp.replay,
            accepted_at,
            redelivered: raw.redelivered || stamp.redelivered,
            due_at: stamp.due_at,
            left: stamp.left,
            original: Original {
                user_id: properties
                    .user_id()
                    .as_ref()
                    .map(ShortString::to_string)
                    .or(stamp.user_id),
                properties,
                routing_key,
            },
        }
    }

    /// As the engine reads it.
    pub(super) fn delivery(self, queue: Queue, receipt: Receipt) -> (Delivery, Original) {
        let delivery = Delivery {
            message: self.message,
            queue,
            attempt: self.attempt,
            history: self.history,
            replay: self.replay,
            accepted_at: self.accepted_at,
            redelivered: self.redelivered,
            receipt,
        };
        (delivery, self.original)
    }
}

/// When the message was taken, by what came with it: the broker's own note (`timestamp_in_ms`, where its interceptor
/// makes one), our publisher's, or the property `timestamp`. The first that can be right.
fn said_by_the_sender(properties: &BasicProperties, now: Timestamp) -> Option<Timestamp> {
    let header = |name| {
        let number = properties.headers().as_ref()?.inner().get(name)?;
        match table::value(number) {
            HeaderValue::Integer(number) => Some(number),
            _ => None,
        }
    };
    let noted = header("timestamp_in_ms").map(|ms| ms.saturating_mul(1_000));
    let sent = header(super::stamp::ACCEPTED_AT);
    let property = (*properties.timestamp())
        .and_then(|seconds| i64::try_from(seconds).ok()?.checked_mul(1_000_000));
    [noted, sent, property]
        .into_iter()
        .flatten()
        .map(Timestamp::from_micros)
        .find(|at| *at <= now && now.saturating_since(*at) <= OLDEST)
}

#[cfg(test)]
mod tests {
    use lapin::types::{AMQPValue, FieldTable};

    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_790_000_000_500_000);

    fn raw(exchange: &str, properties: BasicProperties) -> Raw {
        let mut raw = Raw::mock(
            1,
            exchange.into(),
            "foreshow.deploy".into(),
            false,
            b"x".to_vec(),
        );
        raw.properties = properties;
        raw
    }

    fn accepted_at(properties: BasicProperties) -> Timestamp {
        Incoming::read(&mut raw("foreshow.events", properties), NOW).accepted_at
    }

    fn with(name: &str, value: AMQPValue) -> BasicProperties {
        let mut table = FieldTable::default();
        table.insert(name.into(), value);
        BasicProperties::default().with_headers(table)
    }

    #[test]
    fn a_first_delivery_was_accepted_when_it_says_so_if_that_can_be_right() {
        let second = Timestamp::from_micros(1_790_000_000_000_000);
        assert_eq!(accepted_at(BasicProperties::default()), NOW);
        let stamped = |at| BasicProperties::default().with_timestamp(at);
        assert_eq!(accepted_at(stamped(1_790_000_000)), second);
        for wrong in [0, 1_790_000_001, 1_780_000_000, u64::MAX] {
            assert_eq!(accepted_at(stamped(wrong)), NOW, "{wrong}");
        }
        let noted = |ms| with("timestamp_in_ms", AMQPValue::LongLongInt(ms));
        assert_eq!(
            accepted_at(noted(1_790_000_000_250)),
            Timestamp::from_micros(1_790_000_000_250_000)
        );
        assert_eq!(
            accepted_at(noted(1_790_000_000_250).with_timestamp(5)).as_micros() % 1_000_000,
            250_000
        );
        assert_eq!(
            accepted_at(noted(i64::MAX).with_timestamp(1_790_000_000)),
            second
        );
    }

    #[test]
    fn application_properties_of_amqp_1_0_are_headers_except_for_ours() {
        let map = b"\x00\x53\x74\xc1\x00\x00\xa1\x05ce-id\xa1\x01x\xa1\x10foreshow-attempt\x54\x07";
        let properties = with(
            "x-amqp-1.0-app-properties",
            AMQPValue::LongString(map[..].into()),
        );
        let incoming = Incoming::read(&mut raw("foreshow.events", properties), NOW);
        assert_eq!(incoming.message.headers["ce-id"], HeaderValue::from("x"));
        assert!(!incoming.message.headers.contains_key("foreshow-attempt"));
        assert_eq!(incoming.attempt.get(), 1);
    }

    #[test]
    fn our_headers_are_not_the_messages() {
        let mut raw = raw(
            "foreshow.events",
            with("foreshow-attempt", AMQPValue::LongUInt(4)),
        );
        let incoming = Incoming::read(&mut raw, NOW);
        assert!(incoming.message.headers.is_empty());
        assert_eq!(incoming.attempt.get(), 1);
    }
}
