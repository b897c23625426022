//! What is published, and how it looks on the wire.

use bytes::Bytes;
use foreshow_contract::{ResultEvent, STRUCTURED_JSON, Timestamp};
use foreshow_engine::{Attempts, DeadLetter, DeadLetterReason, Delay, Delivery, Message, Queue};
use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable, ShortString},
};

use super::{
    RabbitMqError, ResultsMode,
    dead_letters::life,
    incoming::Original,
    octave::Hop,
    properties::{self, PERSISTENT},
    publisher::{Outgoing, short},
    stamp::{self, Sheet},
    table,
    topology::Names,
};

/// What is left of a frame for headers, once the other properties had theirs.
const OTHER_PROPERTIES_BYTES: usize = 4 * 1024;

/// The most bytes that a message's headers may take: all properties travel in one frame.
pub(super) fn header_limit(frame_max: u32) -> usize {
    let frame = if frame_max == 0 {
        128 * 1024
    } else {
        frame_max
    };
    (frame as usize).saturating_sub(OTHER_PROPERTIES_BYTES)
}

/// A context event, as an upstream service would publish it.
pub(super) fn event(
    message: &Message,
    names: &Names,
    header_limit: usize,
    now: Timestamp,
) -> Result<Outgoing, RabbitMqError> {
    let mut headers = FieldTable::default();
    for (name, value) in &message.headers {
        if let Some(value) = table::amqp(value) {
            headers.insert(short("a header's name", name)?, value);
        }
    }
    headers.insert(
        stamp::ACCEPTED_AT.into(),
        AMQPValue::LongLongInt(now.as_micros()),
    );
    let bytes = table::encoded_bytes(&headers);
    if bytes > header_limit {
        return Err(RabbitMqError::TooLong {
            what: "the table of headers",
            bytes,
            limit_bytes: header_limit,
        });
    }
    let mut properties = BasicProperties::default()
        .with_headers(headers)
        .with_delivery_mode(PERSISTENT)
        .with_timestamp(seconds(now));
    if let Some(content_type) = &message.content_type {
        properties = properties.with_content_type(short("the content type", content_type)?);
    }
    if let Some(message_type) = &message.message_type {
        properties = properties.with_type(short("the message's type", message_type)?);
    }
    Ok(Outgoing {
        exchange: names.events(),
        routing_key: short("the routing key", &message.routing_key)?,
        properties,
        body: message.body.clone(),
    })
}

/// A result.
pub(super) fn result(
    result: &ResultEvent,
    names: &Names,
    mode: ResultsMode,
    now: Timestamp,
) -> Result<Outgoing, RabbitMqError> {
    let (content_type, headers, body) = match mode {
        ResultsMode::Binary => {
            let binary = result.to_binary();
            let mut headers = FieldTable::default();
            for (name, value) in &binary.headers {
                headers.insert(short("a header's name", name)?, table::text_value(value));
            }
            (binary.content_type, Some(headers), binary.body)
        }
        ResultsMode::Structured => (STRUCTURED_JSON.to_owned(), None, result.to_json()),
    };
    let mut properties = BasicProperties::default()
        .with_content_type(short("the content type", &content_type)?)
        .with_delivery_mode(PERSISTENT)
        .with_timestamp(seconds(now))
        .with_app_id("foreshow".into());
    if let Some(headers) = headers {
        properties = properties.with_headers(headers);
    }
    // The longest names make an id that this property can't hold; the event itself has it in any case.
    if let Ok(id) = ShortString::try_new(result.id.as_str()) {
        properties = properties.with_message_id(id);
    }
    Ok(Outgoing {
        exchange: names.results(),
        routing_key: short("the routing key", &result.routing_key())?,
        properties,
        body: body.into(),
    })
}

/// A delivery on its way into an octave.
pub(super) fn delayed(
    delivery: &Delivery,
    original: &Original,
    delay: &Delay,
    hop: Hop,
    due_at: Timestamp,
    names: &Names,
    header_limit: usize,
) -> Outgoing {
    let mut sheet = carried(delivery, original, header_limit);
    sheet.put(stamp::ATTEMPT, AMQPValue::LongUInt(delay.attempt.get()));
    sheet.put_time(stamp::DUE_AT, due_at);
    if !hop.left.is_zero() {
        let left_ms = hop.left.as_nanos().div_ceil(1_000_000);
        let left_ms = i64::try_from(left_ms).unwrap_or(i64::MAX);
        sheet.put(stamp::DELAY_LEFT, AMQPValue::LongLongInt(left_ms));
    }
    sheet.put_history(&delay.history);
    Outgoing {
        exchange: names.delay(hop.octave_s),
        routing_key: names.queue(delivery.queue).into(),
        properties: properties::copy(&original.properties, sheet.table())
            .with_expiration(hop.ttl_ms.to_string().into()),
        body: delivery.message.body.clone(),
    }
}

/// A delivery on its way to the end of another queue, whose exchange has its name.
pub(super) fn moved(
    delivery: &Delivery,
    original: &Original,
    exchange: String,
    header_limit: usize,
) -> Outgoing {
    let mut sheet = carried(delivery, original, header_limit);
    sheet.put(stamp::ATTEMPT, AMQPValue::LongUInt(delivery.attempt.get()));
    sheet.put_history(&delivery.history);
    Outgoing {
        exchange,
        routing_key: ShortString::try_new(original.routing_key.as_str()).unwrap_or_default(),
        properties: properties::copy(&original.properties, sheet.table()),
        body: delivery.message.body.clone(),
    }
}

/// A delivery that is given up.
pub(super) fn dead_letter(
    delivery: &Delivery,
    original: &Original,
    reason: &DeadLetterReason,
    now: Timestamp,
    names: &Names,
    header_limit: usize,
) -> Outgoing {
    let mut sheet = carried(delivery, original, header_limit);
    sheet.put(stamp::ATTEMPT, AMQPValue::LongUInt(delivery.attempt.get()));
    sheet.put_text(stamp::ORIGIN_QUEUE, &names.queue(delivery.queue));
    sheet.put_time(stamp::DIED_AT, now);
    sheet.put_reason(reason);
    sheet.put_history(&delivery.history);
    Outgoing {
        exchange: names.dead_letters(),
        // What it was published with, so that a list of dead letters reads like one of events.
        routing_key: ShortString::try_new(original.routing_key.as_str()).unwrap_or_default(),
        properties: properties::copy(&original.properties, sheet.table()),
        body: delivery.message.body.clone(),
    }
}

/// The same without its body, for a broker that takes none of that size.
pub(super) fn without_body(mut letter: Outgoing) -> Outgoing {
    let bytes = i64::try_from(letter.body.len()).unwrap_or(i64::MAX);
    let mut headers = letter.properties.headers().clone().unwrap_or_default();
    headers.insert(stamp::BODY_LEFT_OUT.into(), AMQPValue::LongLongInt(bytes));
    letter.properties = letter.properties.with_headers(headers);
    letter.body = Bytes::new();
    letter
}

/// A dead letter on its way back into its queue, through the default exchange: what is written on it is believed.
pub(super) fn replayed(
    letter: &DeadLetter,
    original: &Original,
    attempts: Attempts,
    queue: Queue,
    now: Timestamp,
    names: &Names,
    header_limit: usize,
) -> Outgoing {
    let (attempt, history, accepted_at) = life(letter, attempts, now);
    let common = Common {
        accepted_at,
        // Its last life may have got anywhere.
        redelivered: true,
        replay: letter.next_life(),
    };
    let mut sheet = stamped(&common, original, header_limit);
    sheet.put(stamp::ATTEMPT, AMQPValue::LongUInt(attempt.get()));
    sheet.put_history(history);
    Outgoing {
        exchange: String::new(),
        routing_key: names.queue(queue).into(),
        properties: properties::copy(&original.properties, sheet.table()),
        body: letter.message.body.clone(),
    }
}

/// What every copy has in common.
struct Common {
    accepted_at: Timestamp,
    redelivered: bool,
    replay: u32,
}

/// The beginning of a copy of a delivery.
fn carried(delivery: &Delivery, original: &Original, header_limit: usize) -> Sheet {
    let common = Common {
        accepted_at: delivery.accepted_at,
        redelivered: delivery.redelivered,
        replay: delivery.replay,
    };
    stamped(&common, original, header_limit)
}

fn stamped(common: &Common, original: &Original, header_limit: usize) -> Sheet {
    let mut sheet = Sheet::of_the_senders(original.properties.headers().as_ref(), header_limit);
    sheet.put_time(stamp::ACCEPTED_AT, common.accepted_at);
    sheet.put_text(stamp::ROUTING_KEY, &original.routing_key);
    if common.redelivered {
        sheet.put(stamp::REDELIVERED, AMQPValue::Boolean(true));
    }
    if common.replay > 0 {
        sheet.put(stamp::REPLAY, AMQPValue::LongUInt(common.replay));
    }
    if let Some(user) = &original.user_id {
        sheet.put_text(stamp::USER_ID, user);
    }
    sheet
}

fn seconds(at: Timestamp) -> u64 {
    u64::try_from(at.as_micros() / 1_000_000).unwrap_or(0)
}
