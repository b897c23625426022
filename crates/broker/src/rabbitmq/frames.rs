//! Frames that the client library can't read, made readable on their way in.
//!
//! AMQP's short strings have no encoding, and RabbitMQ passes on whatever bytes somebody put there: into a content type, the name of a
//! header, a routing key. The library takes anything but UTF-8 for a broken connection, and ends it; the broker then delivers the
//! message again, for ever, to every worker in turn, and nothing behind it. Header tables nested a few thousand deep exhaust the
//! stack of the library's parser, which ends the process. One message of a single upstream service could stop a fleet.
//!
//! So what goes to the library is looked at first. Nothing changes its length, and so nothing has to be written anew: a byte that is no
//! UTF-8 becomes `?`, and a table or an array too deep inside others becomes the byte array that it is laid out as. Such a message
//! is then rejected by its name like any other that can't be read. What isn't understood here is passed on as it came.
//!
//! Layouts: AMQP 0-9-1, sections 2.3.5 (frames), 4.2.5 (tables), and RabbitMQ's errata for the types of values.

/// What precedes a frame's payload: type, channel, length; and what ends it.
const FRAME_HEAD: usize = 7;
const FRAME_END: usize = 1;
const METHOD: u8 = 1;
const HEADER: u8 = 2;
const LAST_KIND: u8 = 8;

/// The largest frame of a message's properties that is looked at. The broker ends them at its own `frame_max`, 128 KiB by default.
const LARGEST: usize = 4 << 20;

/// How deep tables and arrays may lie in each other.
const DEEPEST: usize = 16;

/// Takes bytes as they come, and hands them out once they were looked at.
#[derive(Debug, Default)]
pub(super) struct Frames {
    bytes: Vec<u8>,
    /// Handed out already.
    taken: usize,
    /// May be handed out.
    clean: usize,
    /// Of a frame that needs no look, or of one that is no frame: how much is still to come.
    passing: usize,
}

impl Frames {
    /// Adds what was read.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.taken);
        self.clean -= self.taken;
        self.taken = 0;
        self.bytes.extend_from_slice(bytes);
        while self.step() {}
    }

    /// Moves what was looked at, as much as fits.
    pub(super) fn take(&mut self, into: &mut [u8]) -> usize {
        let ready = &self.bytes[self.taken..self.clean];
        let count = ready.len().min(into.len());
        into[..count].copy_from_slice(&ready[..count]);
        self.taken += count;
        count
    }

    /// Looks at the next frame; `false` where there is not enough of it yet.
    fn step(&mut self) -> bool {
        let rest = self.bytes.len() - self.clean;
        if self.passing > 0 {
            let count = self.passing.min(rest);
            self.clean += count;
            self.passing -= count;
            return count > 0;
        }
        let frame = &mut self.bytes[self.clean..];
        let &mut [kind, _, _, a, b, c, d, ..] = frame else {
            return false;
        };
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        match kind {
            METHOD | HEADER if length <= LARGEST => {
                let whole = FRAME_HEAD + length + FRAME_END;
                let Some(payload) = frame.get_mut(FRAME_HEAD..whole) else {
                    return false;
                };
                let cursor = &mut Cursor(&mut payload[..length]);
                // Cut off, or of a kind that is not known: the library says what it thinks of it.
                _ = if kind == METHOD {
                    method(cursor)
                } else {
                    properties(cursor)
                };
                self.clean += whole;
            }
            ..=LAST_KIND => self.passing = FRAME_HEAD + length + FRAME_END,
            // No frame: a server that speaks another protocol says which.
            _ => self.passing = usize::MAX,
        }
        true
    }
}

/// The short strings of the methods that bring a message.
fn method(cursor: &mut Cursor<'_>) -> Option<()> {
    match (cursor.u16()?, cursor.u16()?) {
        // basic.return: code, text, exchange, routing key.
        (60, 50) => {
            cursor.skip(2)?;
            cursor.short_string()?;
        }
        // basic.deliver: consumer, tag, redelivered, exchange, routing key.
        (60, 60) => {
            cursor.short_string()?;
            cursor.skip(9)?;
        }
        // basic.get-ok: tag, redelivered, exchange, routing key.
        (60, 71) => cursor.skip(9)?,
        _ => return None,
    }
    cursor.short_string()?;
    cursor.short_string()
}

/// A message's properties: flags, and those that they say are there.
fn properties(cursor: &mut Cursor<'_>) -> Option<()> {
    // Class, weight, length of the body.
    cursor.skip(2 + 2 + 8)?;
    let flags = cursor.u16()?;
    if flags & 1 != 0 {
        return None;
    }
    for bit in (2..16).rev().filter(|bit| flags >> bit & 1 == 1) {
        match bit {
            13 => cursor.table(0)?,
            // Delivery mode and priority.
            12 | 11 => cursor.skip(1)?,
            // Timestamp.
            6 => cursor.skip(8)?,
            _ => cursor.short_string()?,
        }
    }
    Some(())
}

/// What is left to look at.
struct Cursor<'a>(&'a mut [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Option<&'a mut [u8]> {
        let (taken, rest) = std::mem::take(&mut self.0).split_at_mut_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        self.take(count).map(drop)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2)
            .map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    /// What has its length in front.
    fn long(&mut self) -> Option<&'a mut [u8]> {
        let length = self.take(4)?;
        let length = u32::from_be_bytes([length[0], length[1], length[2], length[3]]);
        self.take(usize::try_from(length).ok()?)
    }

    fn short_string(&mut self) -> Option<()> {
        let length = self.u8()?;
        make_utf8(self.take(length.into())?);
        Some(())
    }

    fn table(&mut self, depth: usize) -> Option<()> {
        let mut inner = Cursor(self.long()?);
        while !inner.0.is_empty() {
            inner.short_string()?;
            inner.value(depth)?;
        }
        Some(())
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        let mut inner = Cursor(self.long()?);
        while !inner.0.is_empty() {
            inner.value(depth)?;
        }
        Some(())
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        let [kind] = self.take(1)? else { return None };
        match *kind {
            b'A' | b'F' if depth == DEEPEST => {
                *kind = b'x';
                self.long().map(drop)
            }
            b'A' => self.array(depth + 1),
            b'F' => self.table(depth + 1),
            b'S' | b'x' => self.long().map(drop),
            b't' | b'b' | b'B' => self.skip(1),
            b's' | b'U' | b'u' => self.skip(2),
            b'I' | b'i' | b'f' => self.skip(4),
            b'D' => self.skip(5),
            b'L' | b'l' | b'd' | b'T' => self.skip(8),
            b'V' => Some(()),
            _ => None,
        }
    }
}

/// Puts `?` in the place of each byte that is no UTF-8.
fn make_utf8(bytes: &mut [u8]) {
    let mut at = 0;
    while let Err(error) = std::str::from_utf8(&bytes[at..]) {
        let bad = at + error.valid_up_to();
        let end = error.error_len().map_or(bytes.len(), |length| bad + length);
        bytes[bad..end].fill(b'?');
        at = end;
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&[kind, 0, 1], &length[..], payload, &[0xCE]].concat()
    }

    fn short(bytes: &[u8]) -> Vec<u8> {
        [&[u8::try_from(bytes.len()).unwrap()], bytes].concat()
    }

    fn long(kind: u8, bytes: &[u8]) -> Vec<u8> {
        let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
        [&[kind], &length[..], bytes].concat()
    }

    /// Of these flags.
    fn header(flags: u16, properties: &[u8]) -> Vec<u8> {
        let mut payload = vec![0, 60, 0, 0];
        payload.extend(5_u64.to_be_bytes());
        payload.extend(flags.to_be_bytes());
        payload.extend(properties);
        frame(HEADER, &payload)
    }

    fn deliver(key: &[u8]) -> Vec<u8> {
        let payload = [
            &[0, 60, 0, 60][..],
            &short(b"tag"),
            &[0; 9],
            &short(b"foreshow.events"),
            &short(key),
        ];
        frame(METHOD, &payload.concat())
    }

    fn passed(bytes: &[u8], pieces: usize) -> Vec<u8> {
        let mut frames = Frames::default();
        let mut out = Vec::new();
        let mut buffer = [0; 7];
        for piece in bytes.chunks(pieces.max(1)) {
            frames.feed(piece);
            loop {
                let count = frames.take(&mut buffer);
                if count == 0 {
                    break;
                }
                out.extend(&buffer[..count]);
            }
        }
        out
    }

    #[test]
    fn what_is_no_utf8_becomes_question_marks_and_all_else_stays() {
        let table = [&short(b"n\xffme")[..], &long(b'S', b"v\xfflue")].concat();
        let table = &long(0, &table)[1..];
        let properties = |kind: &[u8], table: &[u8]| {
            [
                &short(kind)[..],
                table,
                &[2],
                &short("ü".as_bytes()),
                &short(kind),
            ]
            .concat()
        };
        let flags = 1 << 15 | 1 << 13 | 1 << 12 | 1 << 10 | 1 << 5;
        let given = header(flags, &properties(b"text/\xf0\x9f\x9a", table));
        let mut clean_table = table.to_vec();
        clean_table[6] = b'?';
        let expected = header(flags, &properties(b"text/???", &clean_table));
        assert_eq!(passed(&given, usize::MAX), expected);
        assert_eq!(
            passed(&deliver(b"context.updated.\xc3("), 5),
            deliver(b"context.updated.?(")
        );
    }

    #[test]
    fn what_lies_too_deep_is_bytes() {
        let mut value = long(b'S', b"deep");
        for _ in 0..20_000 {
            value = long(b'A', &value);
        }
        let table = [&short(b"nested")[..], &value].concat();
        let given = header(1 << 13, &long(0, &table)[1..]);
        let read = passed(&given, usize::MAX);
        let differ: Vec<_> = (0..given.len())
            .filter(|at| given[*at] != read[*at])
            .collect();
        assert_eq!((read.len(), differ.len()), (given.len(), 1));
        assert_eq!((given[differ[0]], read[differ[0]]), (b'A', b'x'));
    }

    #[test]
    fn another_protocol_is_passed_on() {
        assert_eq!(
            passed(b"HTTP/1.1 400 Bad Request\r\n\r\n", 3),
            b"HTTP/1.1 400 Bad Request\r\n\r\n"
        );
        assert_eq!(passed(b"AMQP\0\0\x09\x01", 8), b"AMQP\0\0\x09\x01");
    }

    proptest! {
        #[test]
        fn bodies_and_lengths_stay_whatever_comes(
            payloads in vec((1..=8_u8, vec(any::<u8>(), 0..60)), 0..6),
            pieces in 1..40_usize,
        ) {
            let given: Vec<u8> = payloads.iter().flat_map(|(kind, payload)| frame(*kind, payload)).collect();
            let read = passed(&given, pieces);
            prop_assert_eq!(read.len(), given.len());
            let mut at = 0;
            for (kind, payload) in &payloads {
                let end = at + frame(*kind, payload).len();
                if !matches!(*kind, METHOD | HEADER) {
                    prop_assert_eq!(&read[at..end], &given[at..end]);
                }
                at = end;
            }
        }

        #[test]
        fn what_is_utf8_already_is_not_touched(kind in "\\PC{0,20}", key in "\\PC{0,20}") {
            let given = [header(1 << 15, &short(kind.as_bytes())), deliver(key.as_bytes())].concat();
            prop_assert_eq!(passed(&given, 11), given);
        }

        #[test]
        fn any_short_string_is_utf8_afterwards(bytes in vec(any::<u8>(), 0..200)) {
            let mut made = bytes.clone();
            make_utf8(&mut made);
            let text = std::str::from_utf8(&made);
            prop_assert!(text.is_ok());
            if let Ok(text) = std::str::from_utf8(&bytes) {
                prop_assert_eq!(text.as_bytes(), &made);
            }
        }
    }
}
