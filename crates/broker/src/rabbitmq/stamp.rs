//! What we write on a message that comes back: headers of our own.
//!
//! They hold no `x-` (brokers ignore or eat those) and only scalars (others vanish on the way to AMQP 1.0 clients). They
//! are believed where only we, or an operator, could have put the message: in what came through the default exchange,
//! as everything does that returns from a delay, and through the backlog's own. On an event that upstream published they say nothing, and a value that
//! can't be right says nothing anywhere. None of them is ever shown as a header of the message.

use std::{num::NonZeroU32, time::Duration};

use foreshow_contract::{AttemptReport, Timestamp};
use foreshow_engine::DeadLetterReason;
use lapin::types::{AMQPValue, FieldTable, ShortString};

use super::table::{entry_bytes, text_value, value};

/// Which attempt the delivery is, from 1.
pub(super) const ATTEMPT: &str = "foreshow-attempt";
/// How earlier attempts went: a JSON list.
pub(super) const HISTORY: &str = "foreshow-history";
/// When the broker first took the message, in microseconds since 1970.
pub(super) const ACCEPTED_AT: &str = "foreshow-accepted-at";
/// The routing key it was first published with.
pub(super) const ROUTING_KEY: &str = "foreshow-routing-key";
/// Whether it was out before.
pub(super) const REDELIVERED: &str = "foreshow-redelivered";
/// When a delayed message should come back, in microseconds since 1970. Measured, never acted on: clocks differ.
pub(super) const DUE_AT: &str = "foreshow-due-at";
/// How many milliseconds of its delay are left after this hop.
pub(super) const DELAY_LEFT: &str = "foreshow-delay-left-ms";
/// The user who published it, which the broker checks and so can't stay where it was.
pub(super) const USER_ID: &str = "foreshow-user-id";
/// Why a dead letter was given up, as a word.
pub(super) const REASON_CODE: &str = "foreshow-reason-code";
/// Why, in full: JSON.
pub(super) const REASON: &str = "foreshow-reason";
/// The queue that a dead letter was read from.
pub(super) const ORIGIN_QUEUE: &str = "foreshow-origin-queue";
/// When it was given up, in microseconds since 1970.
pub(super) const DIED_AT: &str = "foreshow-died-at";
/// How many bytes the body of a dead letter had, where the broker would not take it.
pub(super) const BODY_LEFT_OUT: &str = "foreshow-body-left-out-bytes";
/// How often an operator replayed it from the dead letters.
pub(super) const REPLAY: &str = "foreshow-replay";
/// How many headers did not fit beside ours.
pub(super) const HEADERS_LEFT_OUT: &str = "foreshow-headers-left-out";

const OURS: [&str; 15] = [
    ATTEMPT,
    HISTORY,
    ACCEPTED_AT,
    ROUTING_KEY,
    REDELIVERED,
    DUE_AT,
    DELAY_LEFT,
    USER_ID,
    REASON_CODE,
    REASON,
    ORIGIN_QUEUE,
    DIED_AT,
    BODY_LEFT_OUT,
    REPLAY,
    HEADERS_LEFT_OUT,
];

/// Whether a header is the sender's own: neither ours, nor the broker's note of where the message has been, nor what
/// would make a copy go elsewhere too.
pub(super) fn is_the_senders(name: &str) -> bool {
    let brokers = [
        "x-death",
        "x-delivery-count",
        "x-acquired-count",
        "CC",
        "BCC",
    ]
    .contains(&name)
        || ["x-first-death-", "x-last-death-", "x-opt-"]
            .iter()
            .any(|prefix| name.starts_with(prefix));
    !brokers && !OURS.contains(&name)
}

/// The most bytes that the history of attempts may take.
const HISTORY_BYTES: usize = 64 * 1024;

/// The least room that our headers are given, at the cost of the sender's.
const OUR_ROOM: usize = 4 * 1024;

/// What was written on a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) attempt: NonZeroU32,
    pub(super) history: Vec<AttemptReport>,
    pub(super) replay: u32,
    pub(super) accepted_at: Option<Timestamp>,
    pub(super) routing_key: Option<String>,
    pub(super) redelivered: bool,
    pub(super) due_at: Option<Timestamp>,
    pub(super) left: Duration,
    pub(super) user_id: Option<String>,
}

impl Stamp {
    /// Reads it, where it may be believed.
    pub(super) fn read(table: Option<&FieldTable>, believed: bool) -> Self {
        let header = |name: &str| {
            table
                .filter(|_| believed)
                .and_then(|table| table.inner().get(name))
                .map(value)
        };
        let text = |name| header(name).and_then(|header| Some(header.as_text()?.to_owned()));
        let number = |name| match header(name)? {
            foreshow_contract::HeaderValue::Integer(number) => Some(number),
            _ => None,
        };
        Self {
            attempt: number(ATTEMPT)
                .and_then(|number| NonZeroU32::new(u32::try_from(number).ok()?))
                .unwrap_or(NonZeroU32::MIN),
            history: text(HISTORY)
                .and_then(|json| serde_json::from_str(&json).ok())
                .unwrap_or_default(),
            replay: number(REPLAY)
                .and_then(|number| u32::try_from(number).ok())
                .unwrap_or_default(),
            accepted_at: number(ACCEPTED_AT).map(Timestamp::from_micros),
            routing_key: text(ROUTING_KEY),
            redelivered: header(REDELIVERED) == Some(foreshow_contract::HeaderValue::Boolean(true)),
            due_at: number(DUE_AT).map(Timestamp::from_micros),
            user_id: text(USER_ID),
            left: number(DELAY_LEFT)
                .and_then(|left| u64::try_from(left).ok())
                .map(Duration::from_millis)
                .unwrap_or_default(),
        }
    }
}

/// Headers for a copy: the sender's own, and ours. All of them fit one frame.
pub(super) struct Sheet {
    table: FieldTable,
    room: usize,
}

impl Sheet {
    /// Begins with the sender's headers. Where they leave us less than a little room, the longest of them stay behind,
    /// and their number is told.
    pub(super) fn of_the_senders(original: Option<&FieldTable>, limit_bytes: usize) -> Self {
        let mut kept: Vec<(&ShortString, &AMQPValue)> = original
            .into_iter()
            .flatten()
            .filter(|(name, _)| is_the_senders(name.as_str()))
            .collect();
        kept.sort_by_key(|(name, value)| entry_bytes(name.as_str(), value));
        let mut taken = 4;
        let mut table = FieldTable::default();
        let mut left_out = 0_u32;
        for (name, value) in kept {
            let bytes = entry_bytes(name.as_str(), value);
            if taken + bytes + OUR_ROOM > limit_bytes {
                left_out += 1;
            } else {
                taken += bytes;
                table.insert(name.clone(), value.clone());
            }
        }
        let mut sheet = Self {
            room: limit_bytes.saturating_sub(taken),
            table,
        };
        if left_out > 0 {
            sheet.put(HEADERS_LEFT_OUT, AMQPValue::LongUInt(left_out));
        }
        sheet
    }

    pub(super) fn put(&mut self, name: &str, value: AMQPValue) {
        self.room = self.room.saturating_sub(entry_bytes(name, &value));
        self.table.insert(name.into(), value);
    }

    pub(super) fn put_text(&mut self, name: &str, text: &str) {
        self.put(name, text_value(text));
    }

    pub(super) fn put_time(&mut self, name: &str, at: Timestamp) {
        self.put(name, AMQPValue::LongLongInt(at.as_micros()));
    }

    /// The newest attempts, as many as fit.
    pub(super) fn put_history(&mut self, history: &[AttemptReport]) {
        if !history.is_empty() {
            let limit = HISTORY_BYTES.min(self.room_for(HISTORY));
            self.put_text(HISTORY, &json(&newest(history, limit.saturating_sub(2))));
        }
    }

    /// Why it was given up: the message whole where that is possible, and the newest attempts.
    pub(super) fn put_reason(&mut self, reason: &DeadLetterReason) {
        self.put_text(REASON_CODE, clip(&reason.code, 200));
        let limit = HISTORY_BYTES.min(self.room_for(REASON) / 2);
        let mut short = DeadLetterReason {
            code: clip(&reason.code, 200).to_owned(),
            // A character takes up to six bytes once escaped.
            message: clip(&reason.message, limit / 12).to_owned(),
            attempts: Vec::new(),
        };
        let left = limit.saturating_sub(json(&short).len());
        short.attempts = newest(&reason.attempts, left);
        self.put_text(REASON, &json(&short));
    }

    fn room_for(&self, name: &str) -> usize {
        self.room.saturating_sub(entry_bytes(name, &text_value("")))
    }

    pub(super) fn table(self) -> FieldTable {
        self.table
    }
}

/// The newest attempts whose JSON takes at most so many bytes, oldest first.
fn newest(history: &[AttemptReport], limit_bytes: usize) -> Vec<AttemptReport> {
    let mut taken = 0;
    let mut kept: Vec<AttemptReport> = history
        .iter()
        .rev()
        .take_while(|report| {
            taken += json(report).len() + 1;
            taken <= limit_bytes
        })
        .cloned()
        .collect();
    kept.reverse();
    kept
}

fn json<T: serde::Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("strings, numbers and lists are always JSON")
}

/// The beginning of a text, in whole characters.
fn clip(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

#[cfg(test)]
mod tests {
    use foreshow_contract::FailureCode;

    use super::*;
    use crate::rabbitmq::table::encoded_bytes;

    fn report(number: u32, message: String) -> AttemptReport {
        AttemptReport {
            number,
            at: Timestamp::from_micros(number.into()),
            provider: None,
            code: FailureCode::from("provider_error"),
            message,
        }
    }

    fn table(entries: &[(&str, AMQPValue)]) -> FieldTable {
        let mut table = FieldTable::default();
        for (name, value) in entries {
            table.insert((*name).into(), value.clone());
        }
        table
    }

    #[test]
    fn what_is_malformed_says_nothing() {
        let fresh = Stamp::read(None, true);
        assert_eq!((fresh.attempt.get(), fresh.redelivered), (1, false));
        for (name, bad) in [
            (ATTEMPT, AMQPValue::LongLongInt(0)),
            (ATTEMPT, AMQPValue::LongLongInt(-3)),
            (ATTEMPT, AMQPValue::LongLongInt(i64::MAX)),
            (ATTEMPT, text_value("2")),
            (HISTORY, text_value("[{]")),
            (HISTORY, AMQPValue::LongString(vec![0xFF].into())),
            (ACCEPTED_AT, text_value("yesterday")),
            (REDELIVERED, AMQPValue::LongInt(1)),
            (DELAY_LEFT, AMQPValue::LongLongInt(-1)),
            (REPLAY, AMQPValue::LongLongInt(-1)),
            (REPLAY, AMQPValue::LongLongInt(1 << 32)),
        ] {
            assert_eq!(
                Stamp::read(Some(&table(&[(name, bad)])), true),
                fresh,
                "{name}"
            );
        }
    }

    #[test]
    fn what_upstream_wrote_there_is_not_believed() {
        let forged = table(&[
            (ATTEMPT, AMQPValue::LongLongInt(9)),
            (REPLAY, AMQPValue::LongUInt(3)),
        ]);
        let read = |believed| {
            let stamp = Stamp::read(Some(&forged), believed);
            (stamp.attempt.get(), stamp.replay)
        };
        assert_eq!(read(true), (9, 3));
        assert_eq!(read(false), (1, 0));
    }

    #[test]
    fn a_long_history_keeps_its_newest_part() {
        let history: Vec<_> = (1..100).map(|n| report(n, "ü".repeat(2_000))).collect();
        let mut sheet = Sheet::of_the_senders(None, 120_000);
        sheet.put_history(&history);
        let table = sheet.table();
        assert!(encoded_bytes(&table) < HISTORY_BYTES + 100);
        let kept = Stamp::read(Some(&table), true).history;
        assert!(kept.len() > 10, "{}", kept.len());
        assert_eq!(kept, history[history.len() - kept.len()..]);
    }

    #[test]
    fn headers_never_outgrow_their_frame() {
        let long = |length| text_value(&"x".repeat(length));
        let senders = table(&[
            ("short", long(10)),
            ("middle", long(50_000)),
            ("long", long(69_000)),
            ("x-death", long(10)),
        ]);
        let mut sheet = Sheet::of_the_senders(Some(&senders), 120_000);
        let history: Vec<_> = (1..50).map(|n| report(n, "\u{1}".repeat(3_000))).collect();
        sheet.put_history(&history);
        sheet.put_reason(&DeadLetterReason {
            code: "c".repeat(1_000),
            message: "\u{1}".repeat(200_000),
            attempts: history,
        });
        let table = sheet.table();
        assert!(
            encoded_bytes(&table) <= 120_000,
            "{}",
            encoded_bytes(&table)
        );
        assert!(table.contains_key("short") && table.contains_key("middle"));
        assert!(!table.contains_key("long") && !table.contains_key("x-death"));
        assert_eq!(
            table.inner().get(HEADERS_LEFT_OUT),
            Some(&AMQPValue::LongUInt(1))
        );
    }
}
