//! What a worker counts. Names and labels are all here; no label holds an id, so their number is bounded.
//!
//! Recorded through the `metrics` facade: whoever wants to see them installs a recorder, without one they cost nothing.

use std::time::Duration;

use foreshow_contract::{OutcomeKind, Timestamp, Timings};
use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

use crate::{
    Claimed, Closed, Failure, Outcome, Queue,
    sweep::{AGES, Audit, Swept},
};

const DELIVERIES: &str = "foreshow_deliveries_total";
const RUNNING: &str = "foreshow_jobs_running";
const CLAIMS: &str = "foreshow_claims_total";
const ENDS: &str = "foreshow_ends_total";
const FAILURES: &str = "foreshow_failures_total";
const RETRIES: &str = "foreshow_retries_total";
const READY: &str = "foreshow_ready_seconds";
const LEASES_LOST: &str = "foreshow_leases_lost_total";
const CANCELLED: &str = "foreshow_builds_cancelled_total";
const SWEPT: &str = "foreshow_swept_total";
const LEADS: &str = "foreshow_sweep_leads";
const COMPLETED: &str = "foreshow_sweep_completed_timestamp_seconds";
const UNENDED: &str = "foreshow_unended_contexts";
const UNENDED_OLDEST: &str = "foreshow_unended_oldest_seconds";
const FOUND: &str = "foreshow_sweep_found";
const GATES_CLOSED: &str = "foreshow_provider_closed_total";
const WAITING: &str = "foreshow_backend_waits_total";
const MOVED: &str = "foreshow_moved_to_backlog_total";

/// Tells the recorder what each name means.
pub fn describe() {
    describe_counter!(
        DELIVERIES,
        "Deliveries taken, by queue; a message that comes again counts again."
    );
    describe_gauge!(
        RUNNING,
        "Jobs begun and not ended, waiting or building, by queue."
    );
    describe_counter!(CLAIMS, "Claims of contexts, by the store's answer.");
    describe_counter!(
        ENDS,
        "Events that ended, by outcome; a repeat of an end counts again."
    );
    describe_counter!(
        FAILURES,
        "Previews that failed for good, by code. Superseded is not failed."
    );
    describe_counter!(
        RETRIES,
        "Attempts that failed and are tried again, by code."
    );
    describe_histogram!(
        READY,
        Unit::Seconds,
        "How long a ready preview took, by part: queued, prepared, uploaded, built, total."
    );
    describe_counter!(
        LEASES_LOST,
        "Leases that were lost while a job worked under them."
    );
    describe_counter!(
        CANCELLED,
        "Builds that were cancelled, or never begun, for a newer revision."
    );
    describe_counter!(
        SWEPT,
        "What sweeps put right, by kind: deployments deleted, contexts found, aliases moved, records mended, previews told of as expired."
    );
    describe_gauge!(
        LEADS,
        "1 while this worker leads the sweep; where it does not, what follows from it is 0."
    );
    describe_gauge!(
        COMPLETED,
        "When this worker last completed a sweep, seconds since 1970; the newest of all workers counts."
    );
    describe_gauge!(
        UNENDED,
        "Contexts whose newest accepted event has not ended, by how long ago it was accepted: up to 1m, 10m, 1h, older."
    );
    describe_gauge!(
        UNENDED_OLDEST,
        Unit::Seconds,
        "How long ago the oldest event that has not ended was accepted; 0 where there is none."
    );
    describe_gauge!(
        FOUND,
        "Deployments by what the sweep found: unrecorded (its context was not known), adopted (waiting for its event), gone (live in \
         its record and not there)."
    );
    describe_counter!(
        GATES_CLOSED,
        "How often this worker found that a provider is to be left alone, by reason: limited, down."
    );
    describe_counter!(
        WAITING,
        "Calls of broker or store that failed and were tried again."
    );
    describe_counter!(
        MOVED,
        "Deliveries beyond their tenant's share that this worker moved to the backlog."
    );
}

pub(crate) fn gate_closed(why: Closed) {
    counter!(GATES_CLOSED, "reason" => why.word()).increment(1);
}

pub(crate) fn delivery_taken(queue: Queue) {
    counter!(DELIVERIES, "queue" => queue.name()).increment(1);
}

#[expect(clippy::cast_precision_loss, reason = "jobs of one process are few")]
pub(crate) fn jobs_running(queue: Queue, jobs: usize) {
    gauge!(RUNNING, "queue" => queue.name()).set(jobs as f64);
}

pub(crate) fn claimed(claimed: &Claimed) {
    let answer = match claimed {
        Claimed::Finished(_) => "finished",
        Claimed::Stale { .. } => "stale",
        Claimed::Conflict => "conflict",
        Claimed::Held { .. } => "held",
        Claimed::Moot => "moot",
        Claimed::Granted { .. } => "granted",
    };
    counter!(CLAIMS, "answer" => answer).increment(1);
}

pub(crate) fn ended(outcome: &Outcome) {
    counter!(ENDS, "outcome" => outcome.kind().word()).increment(1);
    match outcome {
        Outcome::Ready(ready) => took(&ready.timings),
        Outcome::Failed { report } => {
            // Only our own codes come here, a closed set.
            counter!(FAILURES, "code" => report.code.to_string()).increment(1);
        }
        Outcome::Removed { .. } | Outcome::Reset { .. } | Outcome::Superseded { .. } => {}
    }
}

pub(crate) fn rejected() {
    counter!(ENDS, "outcome" => OutcomeKind::Rejected.word()).increment(1);
}

pub(crate) fn tried_again(failure: &Failure) {
    counter!(RETRIES, "code" => failure.code()).increment(1);
}

pub(crate) fn lease_lost() {
    counter!(LEASES_LOST).increment(1);
}

pub(crate) fn cancelled() {
    counter!(CANCELLED).increment(1);
}

pub(crate) fn swept(swept: &Swept) {
    counter!(SWEPT, "kind" => "deployment_deleted").increment(swept.deleted);
    counter!(SWEPT, "kind" => "context_found").increment(swept.seeded);
    counter!(SWEPT, "kind" => "alias_moved").increment(swept.aliases_moved);
    counter!(SWEPT, "kind" => "record_mended").increment(swept.mended);
}

/// Whether this worker leads the sweep. Who does not counts nothing: sums over all workers are right.
pub(crate) fn leads(leads: bool) {
    gauge!(LEADS).set(f64::from(u8::from(leads)));
    if !leads {
        audited(&Audit::default());
        found(&Swept::default());
    }
}

#[expect(clippy::cast_precision_loss, reason = "contexts are fewer than 2^53")]
pub(crate) fn audited(audit: &Audit) {
    let ages = AGES.iter().map(|(age, _)| *age).chain(["older"]);
    for (age, contexts) in ages.zip(audit.unended) {
        gauge!(UNENDED, "age" => age).set(contexts as f64);
    }
    gauge!(UNENDED_OLDEST).set(audit.oldest.as_secs_f64());
    gauge!(FOUND, "kind" => "adopted").set(audit.adopted as f64);
}

/// What the last sweep found.
#[expect(
    clippy::cast_precision_loss,
    reason = "deployments are fewer than 2^53"
)]
pub(crate) fn found(swept: &Swept) {
    gauge!(FOUND, "kind" => "unrecorded").set(swept.unrecorded as f64);
    gauge!(FOUND, "kind" => "gone").set(swept.mended as f64);
}

#[expect(
    clippy::cast_precision_loss,
    reason = "seconds since 1970 are fewer than 2^53"
)]
pub(crate) fn completed(at: Timestamp) {
    gauge!(COMPLETED).set(at.as_micros() as f64 / 1_000_000.0);
}

/// A preview whose retention is over was told of.
pub(crate) fn expired() {
    counter!(SWEPT, "kind" => "preview_expired").increment(1);
}

pub(crate) fn waits_for_backend() {
    counter!(WAITING).increment(1);
}

pub(crate) fn moved_to_backlog() {
    counter!(MOVED).increment(1);
}

fn took(timings: &Timings) {
    let parts = [
        ("queued", timings.queued_ms),
        ("prepared", timings.prepared_ms),
        ("uploaded", timings.uploaded_ms),
        ("built", timings.built_ms),
        ("total", timings.total_ms),
    ];
    for (part, ms) in parts {
        histogram!(READY, "part" => part).record(Duration::from_millis(ms));
    }
}
