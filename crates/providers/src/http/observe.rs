//! What calls of providers cost, counted. Providers, operations and classes are closed sets: their number is bounded.

use std::time::Duration;

use http::StatusCode;
use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};

use super::Operation;

const CALLS: &str = "foreshow_provider_calls_total";
const TOOK: &str = "foreshow_provider_call_seconds";

/// Tells the recorder what each name means.
pub fn describe() {
    describe_counter!(
        CALLS,
        "Calls of providers' APIs, by provider, operation and class of the answer: 2xx to 5xx, 429, or none."
    );
    describe_histogram!(
        TOOK,
        Unit::Seconds,
        "How long a call of a provider's API took until its answer was read, by provider and operation."
    );
}

pub(super) fn called(
    provider: &'static str,
    operation: &'static Operation,
    status: Option<StatusCode>,
    took: Duration,
) {
    counter!(CALLS, "provider" => provider, "operation" => operation.name, "answer" => class(status))
        .increment(1);
    histogram!(TOOK, "provider" => provider, "operation" => operation.name)
        .record(took.as_secs_f64());
}

fn class(status: Option<StatusCode>) -> &'static str {
    match status.map(|status| status.as_u16()) {
        Some(429) => "429",
        Some(..=299) => "2xx",
        Some(300..=399) => "3xx",
        Some(400..=499) => "4xx",
        Some(500..) => "5xx",
        None => "none",
    }
}
