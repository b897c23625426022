//! What an account is made of.

use std::num::NonZeroU32;

use foreshow_contract::{
    DeploymentId, Ordinal, OrdinalKind, ProviderName, ResetId, Revision, Timestamp,
};
use foreshow_engine::{ContextRecord, Happening, HeldLease, HistoryEntry, Outcome, SettledOutcome};
use serde::Serialize;

/// The place of a reset in a context's order.
const GREATEST: Ordinal = Ordinal::end(Revision::MAX);

/// Revisions that are next to none: upstream counts by ones, or by microseconds.
const FEW: u64 = 1_000_000;

/// What visitors see.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Shows {
    pub(super) revision: Revision,
    pub(super) provider: ProviderName,
    pub(super) deployment_id: DeploymentId,
    /// Its own address; `null` where its provider is not configured here.
    pub(super) url: Option<String>,
    pub(super) alias_url: Option<String>,
    /// `null` where that is not remembered any more.
    pub(super) since: Option<Timestamp>,
    pub(super) expires_at: Option<Timestamp>,
}

/// What the newest event asks for.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Wanted {
    #[serde(flatten)]
    pub(super) event: Event,
    pub(super) accepted_at: Timestamp,
    /// Since when what is shown, if anything, is behind what was accepted.
    pub(super) stale_since: Option<Timestamp>,
    /// The reset that made the context new, where nothing has come since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reset: Option<Reset>,
    /// How many revisions are above the newest, where that is next to none: nothing newer can come, but by a reset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) revisions_left: Option<u64>,
    pub(super) ended: Option<Ended>,
}

/// A reset that is done.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Reset {
    pub(super) reset_id: ResetId,
    pub(super) at: Timestamp,
}

/// An event of the context.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Event {
    pub(super) kind: OrdinalKind,
    pub(super) revision: Revision,
    /// Not upstream's: an operator has the context forgotten.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_reset: bool,
}

/// How an event ended.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Ended {
    pub(super) outcome: &'static str,
    pub(super) at: Timestamp,
    pub(super) detail: String,
}

/// A lease.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Holder {
    pub(super) worker: String,
    #[serde(flatten)]
    pub(super) event: Event,
    pub(super) since: Timestamp,
    /// Unless it is renewed, which it is every few seconds.
    pub(super) until: Timestamp,
}

/// A deployment at a provider.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Building {
    pub(super) provider: ProviderName,
    pub(super) deployment_id: DeploymentId,
}

/// What an event waits for.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Waits {
    #[serde(flatten)]
    pub(super) event: Event,
    pub(super) since: Timestamp,
    pub(super) until: Timestamp,
    pub(super) why: String,
}

/// What a tenant uses of one thing, and may use.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Quota {
    pub(super) set: &'static str,
    pub(super) used: u64,
    /// `null` where there is none.
    pub(super) limit: Option<NonZeroU32>,
}

/// Builds cancelled one after another.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Cancels {
    pub(super) in_a_row: u32,
    pub(super) last_at: Timestamp,
}

/// A deployment that the sweeper found.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Adopted {
    pub(super) deployment_id: DeploymentId,
    pub(super) until: Timestamp,
}

/// Something that happened.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Happened {
    pub(super) at: Timestamp,
    #[serde(flatten)]
    pub(super) event: Event,
    pub(super) what: &'static str,
    pub(super) detail: String,
    pub(super) worker: Option<String>,
    /// Since when that worker held the context, where the store saw it.
    pub(super) held_since: Option<Timestamp>,
}

impl Event {
    /// The record's event of this place. A reset stands where an end of the greatest revision does.
    pub(super) fn of(ordinal: Ordinal, record: &ContextRecord) -> Self {
        Self {
            kind: ordinal.kind,
            revision: ordinal.revision,
            is_reset: ordinal == GREATEST && record.resetting.is_some(),
        }
    }
}

impl Wanted {
    pub(super) fn of(record: &ContextRecord, last: Option<&SettledOutcome>) -> Self {
        let reset = record.last_reset.as_ref().filter(|_| record.is_blank());
        Self {
            event: Event::of(record.desired, record),
            accepted_at: record.desired_at,
            stale_since: record.stale_since,
            reset: reset.map(|reset| Reset {
                reset_id: reset.id.clone(),
                at: reset.at,
            }),
            revisions_left: revisions_left(record),
            ended: last.map(|settled| Ended {
                outcome: settled.outcome.kind().short(),
                at: settled.at,
                detail: with_resets(&settled.outcome.detail()),
            }),
        }
    }
}

/// How many revisions are above the newest, where that is next to none and nobody is resetting the context.
fn revisions_left(record: &ContextRecord) -> Option<u64> {
    let left = Revision::MAX.get() - record.desired.revision.get();
    Some(left).filter(|left| *left <= FEW && record.resetting.is_none())
}

/// What is told of the place above all others, which is a reset's. An end of the greatest revision has it too.
fn with_resets(detail: &str) -> String {
    detail.replace(
        &GREATEST.to_string(),
        "a reset, or an end of the greatest revision,",
    )
}

impl Holder {
    pub(super) fn of(held: &HeldLease, record: &ContextRecord) -> Self {
        Self {
            worker: held.owner.worker().to_owned(),
            event: Event::of(held.ordinal, record),
            since: held.since,
            until: held.until,
        }
    }
}

impl Happened {
    pub(super) fn of(entry: HistoryEntry) -> Self {
        let (worker, held_since) = entry.by.unzip();
        let is_reset = entry.ordinal == GREATEST
            && entry.detail == (Outcome::Reset { gone: Vec::new() }).detail();
        Self {
            at: entry.at,
            event: Event {
                kind: entry.ordinal.kind,
                revision: entry.ordinal.revision,
                is_reset,
            },
            what: match entry.what {
                Happening::Ended(outcome) => outcome.short(),
                what @ (Happening::HandedOver | Happening::Deferred) => what.word(),
            },
            detail: with_resets(&entry.detail),
            worker,
            held_since,
        }
    }
}
