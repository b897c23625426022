//! What the store tells of itself. No ids among the labels.

use std::time::Duration;

use metrics::{counter, gauge, histogram};

/// Histogram, seconds: a call to the store, by `operation`, however it ended.
pub const CALL_SECONDS: &str = "foreshow_store_call_seconds";
/// Counter: calls that failed, by `operation`.
pub const ERRORS: &str = "foreshow_store_errors_total";
/// Counter: connections made, by `connection`: `commands` or `notices`.
pub const CONNECTS: &str = "foreshow_store_connects_total";
/// Gauge: 1 while there is a connection for commands.
pub const CONNECTED: &str = "foreshow_store_connected";
/// Counter: writes to the index that were given up; the sweep makes up for them.
pub const INDEX_DROPPED: &str = "foreshow_store_index_writes_dropped_total";

pub(super) fn called(operation: &'static str, took: Duration, failed: bool) {
    histogram!(CALL_SECONDS, "operation" => operation).record(took.as_secs_f64());
    if failed {
        counter!(ERRORS, "operation" => operation).increment(1);
    }
}

pub(super) fn connected(connection: &'static str) {
    counter!(CONNECTS, "connection" => connection).increment(1);
}

pub(super) fn is_connected(connected: bool) {
    gauge!(CONNECTED).set(if connected { 1.0 } else { 0.0 });
}

pub(super) fn index_dropped(writes: usize) {
    counter!(INDEX_DROPPED).increment(writes as u64);
}

/// Tells the recorder what each name means.
pub fn describe() {
    metrics::describe_histogram!(
        CALL_SECONDS,
        metrics::Unit::Seconds,
        "How long the store's steps took, by operation."
    );
    metrics::describe_counter!(ERRORS, "Steps of the store that failed, by operation.");
    metrics::describe_counter!(
        CONNECTS,
        "Connections to Redis that were made, by what for."
    );
    metrics::describe_gauge!(CONNECTED, "Whether there is a connection to Redis: 1 or 0.");
    metrics::describe_counter!(
        INDEX_DROPPED,
        "Writes of the index that were given up; the sweep makes up for them."
    );
}
