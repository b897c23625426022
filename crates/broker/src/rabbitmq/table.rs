//! AMQP's header tables, and ours.

use foreshow_contract::{HeaderValue, Headers};
use lapin::types::{AMQPValue, FieldTable};

/// A value as the contract types it.
pub(super) fn value(value: &AMQPValue) -> HeaderValue {
    let other = |other: &str| HeaderValue::Other {
        other: other.to_owned(),
    };
    match value {
        AMQPValue::Boolean(boolean) => HeaderValue::Boolean(*boolean),
        AMQPValue::ShortShortInt(number) => HeaderValue::Integer((*number).into()),
        AMQPValue::ShortShortUInt(number) => HeaderValue::Integer((*number).into()),
        AMQPValue::ShortInt(number) => HeaderValue::Integer((*number).into()),
        AMQPValue::ShortUInt(number) => HeaderValue::Integer((*number).into()),
        AMQPValue::LongInt(number) => HeaderValue::Integer((*number).into()),
        AMQPValue::LongUInt(number) => HeaderValue::Integer((*number).into()),
        AMQPValue::LongLongInt(number) => HeaderValue::Integer(*number),
        AMQPValue::Timestamp(timestamp) => HeaderValue::Timestamp {
            timestamp: *timestamp,
        },
        AMQPValue::ShortString(text) => HeaderValue::Text(text.to_string()),
        AMQPValue::LongString(bytes) => match std::str::from_utf8(bytes.as_bytes()) {
            Ok(text) => HeaderValue::from(text),
            Err(_) => other("binary"),
        },
        AMQPValue::ByteArray(_) => other("binary"),
        AMQPValue::Float(_) | AMQPValue::Double(_) => other("a floating-point number"),
        AMQPValue::DecimalValue(_) => other("a decimal number"),
        AMQPValue::FieldArray(_) => other("an array"),
        AMQPValue::FieldTable(_) => other("a table"),
        AMQPValue::Void => other("nothing"),
    }
}

/// A value for the broker; none for what is known by its kind alone.
pub(super) fn amqp(value: &HeaderValue) -> Option<AMQPValue> {
    match value {
        HeaderValue::Text(text) => Some(text_value(text)),
        HeaderValue::Integer(number) => Some(AMQPValue::LongLongInt(*number)),
        HeaderValue::Boolean(boolean) => Some(AMQPValue::Boolean(*boolean)),
        HeaderValue::Timestamp { timestamp } => Some(AMQPValue::Timestamp(*timestamp)),
        HeaderValue::Other { .. } => None,
    }
}

pub(super) fn text_value(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.as_bytes().into())
}

/// The headers that `keep` wants.
pub(super) fn headers(table: Option<&FieldTable>, keep: impl Fn(&str) -> bool) -> Headers {
    table
        .into_iter()
        .flatten()
        .filter(|(name, _)| keep(name.as_str()))
        .map(|(name, header)| (name.to_string(), value(header)))
        .collect()
}

/// How many bytes a table takes on the wire.
pub(super) fn encoded_bytes(table: &FieldTable) -> usize {
    4 + table
        .inner()
        .iter()
        .map(|(name, value)| entry_bytes(name.as_str(), value))
        .sum::<usize>()
}

/// How many bytes one header takes in its table.
pub(super) fn entry_bytes(name: &str, value: &AMQPValue) -> usize {
    1 + name.len() + value_bytes(value)
}

fn value_bytes(value: &AMQPValue) -> usize {
    1 + match value {
        AMQPValue::Void => 0,
        AMQPValue::Boolean(_) | AMQPValue::ShortShortInt(_) | AMQPValue::ShortShortUInt(_) => 1,
        AMQPValue::ShortInt(_) | AMQPValue::ShortUInt(_) => 2,
        AMQPValue::LongInt(_) | AMQPValue::LongUInt(_) | AMQPValue::Float(_) => 4,
        AMQPValue::DecimalValue(_) => 5,
        AMQPValue::LongLongInt(_) | AMQPValue::Double(_) | AMQPValue::Timestamp(_) => 8,
        AMQPValue::ShortString(text) => 1 + text.as_str().len(),
        AMQPValue::LongString(bytes) => 4 + bytes.len(),
        AMQPValue::ByteArray(bytes) => 4 + bytes.len(),
        AMQPValue::FieldArray(array) => 4 + array.as_slice().iter().map(value_bytes).sum::<usize>(),
        AMQPValue::FieldTable(table) => encoded_bytes(table),
    }
}

#[cfg(test)]
mod tests {
    use lapin::types::FieldArray;

    use super::*;

    #[test]
    fn what_the_contract_can_say_survives_the_wire() {
        for header in [
            HeaderValue::from("ü"),
            HeaderValue::Integer(i64::MIN),
            HeaderValue::Boolean(true),
            HeaderValue::Timestamp { timestamp: 7 },
        ] {
            assert_eq!(value(&amqp(&header).unwrap()), header);
        }
    }

    #[test]
    fn what_it_cannot_say_is_named() {
        let named = |header: AMQPValue| match value(&header) {
            HeaderValue::Other { other } => other,
            plain => panic!("{plain:?}"),
        };
        assert_eq!(
            named(AMQPValue::FieldArray(FieldArray::default())),
            "an array"
        );
        assert_eq!(named(AMQPValue::Double(0.5)), "a floating-point number");
        assert_eq!(named(AMQPValue::LongString(vec![0xFF].into())), "binary");
        assert_eq!(named(AMQPValue::Void), "nothing");
    }
}
