//! What this adapter measures. Names and labels are a closed set; no label holds an id.

use std::time::Duration;

use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

/// Seconds from handing a message to the client until it was confirmed, by `kind`.
pub const CONFIRM_SECONDS: &str = "foreshow_broker_confirm_seconds";
/// Messages published, by `kind` and `result`.
pub const PUBLISHES: &str = "foreshow_broker_publishes_total";
/// Connections opened after the first one, by `role`.
pub const RECONNECTS: &str = "foreshow_broker_reconnects_total";
/// 1 while there is a connection, by `role`.
pub const CONNECTED: &str = "foreshow_broker_connected";
/// 1 while the broker blocks publishers.
pub const BLOCKED: &str = "foreshow_broker_blocked";
/// Seconds between when a delayed message was due and when it came back.
pub const DELAY_LATENESS_SECONDS: &str = "foreshow_broker_delay_lateness_seconds";
/// Consumers that were built anew because the broker ended them, by `queue`.
pub const CONSUMERS_REBUILT: &str = "foreshow_broker_consumers_rebuilt_total";

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Event,
    Result,
    Delay,
    Move,
    DeadLetter,
    Replay,
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Result => "result",
            Self::Delay => "delay",
            Self::Move => "move",
            Self::DeadLetter => "dead_letter",
            Self::Replay => "replay",
        }
    }
}

/// How a publish came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Published {
    Confirmed,
    Returned,
    Refused,
    Unknown,
}

impl Published {
    const fn word(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Returned => "returned",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }
}

/// Says what the names mean, to whatever exports them. Once per process is enough.
pub fn describe() {
    describe_histogram!(
        CONFIRM_SECONDS,
        Unit::Seconds,
        "Time until RabbitMQ confirmed a message"
    );
    describe_counter!(
        PUBLISHES,
        "Messages handed to RabbitMQ, by how that came out"
    );
    describe_counter!(
        RECONNECTS,
        "Connections to RabbitMQ opened after the first one"
    );
    describe_gauge!(CONNECTED, "1 while there is a connection to RabbitMQ");
    describe_gauge!(
        BLOCKED,
        "1 while RabbitMQ blocks publishers for lack of memory or disk"
    );
    describe_histogram!(
        DELAY_LATENESS_SECONDS,
        Unit::Seconds,
        "How much later than asked a delayed message came back"
    );
    describe_counter!(
        CONSUMERS_REBUILT,
        "Consumers that RabbitMQ ended and that were built anew"
    );
}

pub(super) fn published(kind: Kind, result: Published, messages: usize, took: Duration) {
    counter!(PUBLISHES, "kind" => kind.word(), "result" => result.word())
        .increment(messages as u64);
    if result == Published::Confirmed {
        histogram!(CONFIRM_SECONDS, "kind" => kind.word()).record(took.as_secs_f64());
    }
}

pub(super) fn connected(role: &'static str, connected: bool) {
    gauge!(CONNECTED, "role" => role).set(f64::from(u8::from(connected)));
}

pub(super) fn reconnected(role: &'static str) {
    counter!(RECONNECTS, "role" => role).increment(1);
}

pub(super) fn blocked(blocked: bool) {
    gauge!(BLOCKED).set(f64::from(u8::from(blocked)));
}

pub(super) fn came_back(late: Duration) {
    histogram!(DELAY_LATENESS_SECONDS).record(late.as_secs_f64());
}

pub(super) fn consumer_rebuilt(queue: &'static str) {
    counter!(CONSUMERS_REBUILT, "queue" => queue).increment(1);
}
