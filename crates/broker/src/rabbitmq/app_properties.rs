//! The application properties of AMQP 1.0's clients, where the broker did not make headers of them.
//!
//! RabbitMQ 4 does; the plugin of 3.10 passes them on in one header, as they came: a described map (AMQP 1.0, part 3.2.5). CloudEvents'
//! attributes are in there, so they are read as what they would have been. A timestamp has milliseconds there, and is told as an
//! integer, which keeps them. What nests, and what is cut off, ends the reading: those that came before count.

use foreshow_contract::{HeaderValue, Headers};
use lapin::types::{AMQPValue, FieldTable};

/// The header that has them.
const NAME: &str = "x-amqp-1.0-app-properties";

/// A described type with the descriptor of application properties.
const DESCRIPTOR: [u8; 3] = [0x00, 0x53, 0x74];

/// The application properties of a message, by name.
pub(super) fn read(table: Option<&FieldTable>) -> Headers {
    let mut found = Headers::new();
    if let Some(AMQPValue::LongString(bytes)) = table.and_then(|table| table.inner().get(NAME)) {
        let bytes = bytes.as_bytes().strip_prefix(&DESCRIPTOR);
        _ = bytes.and_then(|map| collect(map, &mut found));
    }
    found
}

/// Reads a map's entries, in pairs of a name and a value.
fn collect(map: &[u8], found: &mut Headers) -> Option<()> {
    // A short map counts its bytes and its values in one byte each, a long one in four.
    let ([0xc1, _, _, rest @ ..] | [0xd1, _, _, _, _, _, _, _, _, rest @ ..]) = map else {
        return None;
    };
    let mut rest = rest;
    while !rest.is_empty() {
        let (name, after) = value(rest)?;
        let (value, after) = value(after)?;
        if let HeaderValue::Text(name) = name {
            found.insert(name, value);
        }
        rest = after;
    }
    Some(())
}

/// A value that nests nothing, and what comes after it.
fn value(bytes: &[u8]) -> Option<(HeaderValue, &[u8])> {
    let (&code, rest) = bytes.split_first()?;
    let (width, rest) = match code {
        // The high digit tells how many bytes there are, or how many tell that (part 1.2).
        0x40..=0x4f => (0, rest),
        0x50..=0x5f => (1, rest),
        0x60..=0x6f => (2, rest),
        0x70..=0x7f => (4, rest),
        0x80..=0x8f => (8, rest),
        0x90..=0x9f => (16, rest),
        0xa0..=0xaf => rest
            .split_first()
            .map(|(width, rest)| (usize::from(*width), rest))?,
        0xb0..=0xbf => {
            let (width, rest) = rest.split_first_chunk()?;
            (usize::try_from(u32::from_be_bytes(*width)).ok()?, rest)
        }
        _ => return None,
    };
    let (bytes, rest) = rest.split_at_checked(width)?;
    let value = match code {
        0x40 => HeaderValue::nothing(),
        0x41 => HeaderValue::Boolean(true),
        0x42 => HeaderValue::Boolean(false),
        0x56 => HeaderValue::Boolean(bytes != [0]),
        0x43 | 0x44 => HeaderValue::Integer(0),
        0x50 | 0x52 | 0x53 | 0x60 | 0x70 | 0x80 => match i64::try_from(unsigned(bytes)) {
            Ok(number) => HeaderValue::Integer(number),
            Err(_) => HeaderValue::from(unsigned(bytes).to_string()),
        },
        0x51 | 0x54 | 0x55 | 0x61 | 0x71 | 0x81 | 0x83 => HeaderValue::Integer(signed(bytes)),
        0xa1 | 0xa3 | 0xb1 | 0xb3 => match std::str::from_utf8(bytes) {
            Ok(text) => HeaderValue::from(text),
            Err(_) => HeaderValue::other("binary"),
        },
        0xa0 | 0xb0 => HeaderValue::other("binary"),
        0x72 | 0x82 => HeaderValue::other("a floating-point number"),
        0x74 | 0x84 | 0x94 => HeaderValue::other("a decimal number"),
        _ => HeaderValue::other("of another type"),
    };
    Some((value, rest))
}

/// Big-endian, of at most eight bytes.
fn unsigned(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The same in two's complement.
fn signed(bytes: &[u8]) -> i64 {
    let sign = match bytes.first() {
        Some(first) if *first >= 0x80 => -1,
        _ => 0,
    };
    bytes
        .iter()
        .fold(sign, |number: i64, byte| number << 8 | i64::from(*byte))
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn of(bytes: &[u8]) -> Headers {
        let mut table = FieldTable::default();
        table.insert(NAME.into(), AMQPValue::LongString(bytes.into()));
        read(Some(&table))
    }

    fn map(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut list = Vec::new();
        for (name, value) in entries {
            list.extend(
                [
                    &[0xa1, u8::try_from(name.len()).unwrap()],
                    name.as_bytes(),
                    value,
                ]
                .concat(),
            );
        }
        let length = u32::try_from(list.len() + 4).unwrap().to_be_bytes();
        let count = u32::try_from(entries.len() * 2).unwrap().to_be_bytes();
        [&DESCRIPTOR[..], &[0xd1], &length, &count, &list].concat()
    }

    #[test]
    fn each_type_is_read_as_the_header_that_it_would_have_been() {
        let mut time = vec![0x83];
        time.extend(1_790_000_000_123_i64.to_be_bytes());
        let read = of(&map(&[
            ("cloudEvents_id", b"\xa1\x02e1"),
            ("cloudEvents:source", b"\xb1\0\0\0\x02/s"),
            ("symbol", b"\xa3\x01x"),
            ("time", &time),
            ("before", b"\x81\xff\xff\xff\xff\xff\xff\xff\xfe"),
            ("small", b"\x54\xff"),
            ("unsigned", b"\x53\xff"),
            ("most", b"\x80\xff\xff\xff\xff\xff\xff\xff\xff"),
            ("none", b"\x40"),
            ("zero", b"\x43"),
            ("yes", b"\x41"),
            ("no", b"\x56\0"),
            ("half", b"\x72\0\0\0\0"),
            ("bytes", b"\xa0\x01x"),
        ]));
        let expected: Headers = [
            ("cloudEvents_id", HeaderValue::from("e1")),
            ("cloudEvents:source", HeaderValue::from("/s")),
            ("symbol", HeaderValue::from("x")),
            ("time", HeaderValue::Integer(1_790_000_000_123)),
            ("before", HeaderValue::Integer(-2)),
            ("small", HeaderValue::Integer(-1)),
            ("unsigned", HeaderValue::Integer(255)),
            ("most", HeaderValue::from("18446744073709551615")),
            ("none", HeaderValue::nothing()),
            ("zero", HeaderValue::Integer(0)),
            ("yes", HeaderValue::Boolean(true)),
            ("no", HeaderValue::Boolean(false)),
            ("half", HeaderValue::other("a floating-point number")),
            ("bytes", HeaderValue::other("binary")),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
        assert_eq!(read, expected);
    }

    #[test]
    fn what_nests_or_ends_early_ends_the_reading() {
        let read = of(&map(&[
            ("a", b"\x41"),
            ("b", b"\xc0\x01\0"),
            ("c", b"\x41"),
        ]));
        assert_eq!(read.keys().collect::<Vec<_>>(), ["a"]);
        assert_eq!(of(b"not that"), Headers::new());
        assert_eq!(self::read(None), Headers::new());
    }

    proptest! {
        #[test]
        fn rubbish_is_no_more_than_it_has_room_for(bytes in vec(any::<u8>(), 0..80)) {
            let bytes = [&DESCRIPTOR[..], &[0xc1, 0, 0], &bytes].concat();
            prop_assert!(of(&bytes).len() <= bytes.len() / 2);
        }
    }
}
