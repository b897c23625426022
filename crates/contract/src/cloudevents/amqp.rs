//! A body that is still encoded for AMQP 1.0.
//!
//! RabbitMQ hands an AMQP 1.0 client's *data* section on as plain bytes. Anything else (a *value* section, which is what
//! many clients make of a string; before RabbitMQ 4 also several data sections) it passes on as it came, since RabbitMQ 4
//! together with the footer, and sets the property `type` to `amqp-1.0`. Read here is a text or bytes in one value
//! section, and data sections, whose bytes belong together; numbers, lists and maps hold no event. A footer is skipped.
//!
//! A section is a described type (AMQP 1.0, part 1.2): a zero byte, the descriptor, and a value that opens with its
//! type's code. Lengths are checked against what is there, nothing is allocated by their word, and nothing recurses.

use std::borrow::Cow;

use super::RawMessage;
use crate::RejectionCode;
use crate::rejection::Refusal;

/// What RabbitMQ sets the property `type` to.
const MESSAGE_TYPE: &str = "amqp-1.0";

// AMQP 1.0, part 1.6: types by the width of their length, in bits.
const BINARY_8: u8 = 0xa0;
const BINARY_32: u8 = 0xb0;
const TEXT_8: u8 = 0xa1;
const TEXT_32: u8 = 0xb1;
const SYMBOL_8: u8 = 0xa3;
const SYMBOL_32: u8 = 0xb3;
const MAP_8: u8 = 0xc1;
const MAP_32: u8 = 0xd1;

/// A message's body, out of AMQP 1.0's sections if it is in any.
pub(super) fn payload<'a>(message: &RawMessage<'a>) -> Result<Cow<'a, [u8]>, Refusal> {
    if message.message_type != Some(MESSAGE_TYPE) {
        return Ok(Cow::Borrowed(message.body));
    }
    sections(message.body).ok_or_else(|| {
        let message = "the message's type says that its body is encoded for AMQP 1.0, and it is neither a string nor \
                       binary: send it as data, or as a value that is a string";
        Refusal::new(RejectionCode::UnsupportedBody, message)
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Data,
    Value,
    Footer,
}

/// The bytes that the sections hold: one value, or any number of data.
fn sections(body: &[u8]) -> Option<Cow<'_, [u8]>> {
    let (first, bytes, mut rest) = section(body)?;
    let mut whole = match first {
        Section::Data | Section::Value => Cow::Borrowed(bytes),
        Section::Footer => return None,
    };
    while !rest.is_empty() {
        let (next, bytes, after) = section(rest)?;
        match (first, next) {
            (Section::Data, Section::Data) => whole.to_mut().extend_from_slice(bytes),
            (_, Section::Footer) if after.is_empty() => {}
            _ => return None,
        }
        rest = after;
    }
    Some(whole)
}

/// The first section, what it holds, and what comes after it.
fn section(body: &[u8]) -> Option<(Section, &[u8], &[u8])> {
    let (section, value) = descriptor(body.strip_prefix(&[0x00])?)?;
    let (&code, after_code) = value.split_first()?;
    let fits = match section {
        Section::Data => matches!(code, BINARY_8 | BINARY_32),
        Section::Value => matches!(
            code,
            BINARY_8 | BINARY_32 | TEXT_8 | TEXT_32 | SYMBOL_8 | SYMBOL_32
        ),
        Section::Footer => matches!(code, MAP_8 | MAP_32),
    };
    let (bytes, rest) = variable(code, after_code).filter(|_| fits)?;
    Some((section, bytes, rest))
}

/// Which section a descriptor names: by number, short or long, or by symbol.
fn descriptor(body: &[u8]) -> Option<(Section, &[u8])> {
    match body {
        [0x53, number, rest @ ..] | [0x80, 0, 0, 0, 0, 0, 0, 0, number, rest @ ..] => {
            match number {
                0x75 => Some((Section::Data, rest)),
                0x77 => Some((Section::Value, rest)),
                0x78 => Some((Section::Footer, rest)),
                _ => None,
            }
        }
        [code @ (SYMBOL_8 | SYMBOL_32), rest @ ..] => match variable(*code, rest)? {
            (b"amqp:data:binary", rest) => Some((Section::Data, rest)),
            (b"amqp:amqp-value:*", rest) => Some((Section::Value, rest)),
            (b"amqp:footer:map", rest) => Some((Section::Footer, rest)),
            _ => None,
        },
        _ => None,
    }
}

/// The bytes of a value whose length is not given by its type, and what comes after it.
fn variable(code: u8, body: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, body) = match code {
        BINARY_8 | TEXT_8 | SYMBOL_8 | MAP_8 => body
            .split_first()
            .map(|(length, body)| (u32::from(*length), body))?,
        BINARY_32 | TEXT_32 | SYMBOL_32 | MAP_32 => body
            .split_first_chunk()
            .map(|(length, body)| (u32::from_be_bytes(*length), body))?,
        _ => return None,
    };
    body.split_at_checked(usize::try_from(length).ok()?)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn value(code: u8, bytes: &[u8]) -> Vec<u8> {
        [&[code, u8::try_from(bytes.len()).unwrap()], bytes].concat()
    }

    fn long_value(code: u8, bytes: &[u8]) -> Vec<u8> {
        let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
        [&[code], &length[..], bytes].concat()
    }

    fn described(number: u8, value: &[u8]) -> Vec<u8> {
        [&[0x00, 0x53, number], value].concat()
    }

    #[test]
    fn a_string_or_bytes_in_a_value_section_is_the_body() {
        for code in [BINARY_8, TEXT_8, SYMBOL_8] {
            let body = described(0x77, &value(code, b"{}"));
            assert_eq!(sections(&body).as_deref(), Some(&b"{}"[..]), "{code:#x}");
        }
        for code in [BINARY_32, TEXT_32, SYMBOL_32] {
            let body = described(0x77, &long_value(code, b"{}"));
            assert_eq!(sections(&body).as_deref(), Some(&b"{}"[..]), "{code:#x}");
        }
    }

    #[test]
    fn a_descriptor_may_be_a_long_number_or_a_symbol() {
        let long = [
            &[0x00, 0x80, 0, 0, 0, 0, 0, 0, 0, 0x77],
            &value(TEXT_8, b"{}")[..],
        ]
        .concat();
        assert_eq!(sections(&long).as_deref(), Some(&b"{}"[..]));
        for symbol in [
            value(SYMBOL_8, b"amqp:data:binary"),
            long_value(SYMBOL_32, b"amqp:data:binary"),
        ] {
            let body = [&[0x00], &symbol[..], &value(BINARY_8, b"{}")].concat();
            assert_eq!(sections(&body).as_deref(), Some(&b"{}"[..]));
        }
    }

    #[test]
    fn a_footer_at_the_end_is_skipped() {
        let string = described(0x77, &value(TEXT_8, b"{}"));
        let footer = described(0x78, &value(MAP_8, &[0]));
        let both = [&string[..], &footer].concat();
        assert_eq!(sections(&both).as_deref(), Some(&b"{}"[..]));
        assert_eq!(sections(&footer), None);
        assert_eq!(sections(&[&both[..], &footer].concat()), None);
    }

    #[test]
    fn anything_else_is_no_body() {
        let string = described(0x77, &value(TEXT_8, b"{}"));
        let data = described(0x75, &value(BINARY_8, b"{}"));
        for (what, body) in [
            ("nothing", vec![]),
            ("plain JSON", b"{}".to_vec()),
            ("a value that is null", described(0x77, &[0x40])),
            ("a value that is a number", described(0x77, &[0x54, 7])),
            (
                "a value that is a map",
                described(0x77, &value(MAP_8, &[0])),
            ),
            ("a sequence", described(0x76, &value(0xc0, &[0]))),
            (
                "data that is a string",
                described(0x75, &value(TEXT_8, b"{}")),
            ),
            (
                "a section of properties",
                described(0x73, &value(0xc0, &[0])),
            ),
            (
                "a length that lies",
                described(0x77, &[TEXT_8, 3, b'{', b'}']),
            ),
            (
                "a long length that lies",
                described(0x77, &[TEXT_32, 0xff, 0xff, 0xff, 0xff, b'{']),
            ),
            ("two values", [&string[..], &string].concat()),
            ("data, then a value", [&data[..], &string].concat()),
            ("something after the value", [&string[..], b" "].concat()),
        ] {
            assert_eq!(sections(&body), None, "{what}");
        }
    }

    proptest! {
        #[test]
        fn data_sections_belong_together(parts in vec(vec(any::<u8>(), 0..40), 1..5), long in any::<bool>()) {
            let encode = |part: &Vec<u8>| {
                described(0x75, &if long { long_value(BINARY_32, part) } else { value(BINARY_8, part) })
            };
            let body: Vec<u8> = parts.iter().flat_map(encode).collect();
            prop_assert_eq!(sections(&body).unwrap().into_owned(), parts.concat());
        }

        #[test]
        fn rubbish_never_panics(
            opening in prop::sample::select(vec![&[][..], &[0], &[0, 0x53], &[0, 0x53, 0x77], &[0, 0x53, 0x75], &[0, 0xa3], &[0, 0x80]]),
            rest in vec(any::<u8>(), 0..60),
        ) {
            let body = [opening, &rest].concat();
            if let Some(read) = sections(&body) {
                prop_assert!(read.len() < body.len());
            }
        }

        #[test]
        fn a_cut_off_section_is_no_body(bytes in vec(any::<u8>(), 1..40), keep in any::<prop::sample::Index>()) {
            let body = described(0x77, &value(TEXT_8, &bytes));
            prop_assert_eq!(sections(&body[..keep.index(body.len())]), None);
        }
    }
}
