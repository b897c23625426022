//! What follows from the facts: in which of five states the context is, and what that means.
//!
//! The state is read off the record alone, in this order: somebody holds the lease; somebody held it and went away; the
//! event waits for a time that is known; it was accepted and nobody has begun; or all that was accepted has ended.

use std::num::NonZeroU32;

use foreshow_contract::{
    ContextId, ContextKey, DeploymentId, Ordinal, OrdinalKind, ProviderName, Revision, TenantId,
    Timestamp,
};
use foreshow_engine::{
    ContextRecord, ContextSummary, Happening, HeldLease, HistoryEntry, SettledOutcome,
};
use foreshow_gateway::PreviewSummary;
use foreshow_providers::local;
use foreshow_runner::PreviewOrigin;
use serde::Serialize;

use super::facts::Facts;

/// What is told. Programs get it as it is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Account {
    pub(super) tenant_id: TenantId,
    pub(super) context_id: ContextId,
    /// `live`, `building`, `failed` or `ended`: what people see.
    pub(super) status: &'static str,
    /// What goes on.
    #[serde(flatten)]
    pub(super) state: State,
    /// When it was asked, by the store's clock.
    pub(super) asked_at: Timestamp,
    pub(super) shows: Option<Shows>,
    pub(super) wanted: Wanted,
    /// The deployment that was worked on last, while its event has not ended.
    pub(super) building: Option<Building>,
    pub(super) limits: Vec<Quota>,
    /// Builds that were cancelled one after another for something newer.
    pub(super) cancels: Option<Cancels>,
    /// How long a build of this context usually takes.
    pub(super) build_ms: Option<u64>,
    /// Deployments that are about to be removed: nobody may show them.
    pub(super) condemned: Vec<DeploymentId>,
    /// Deployments that were found at a provider, and stay until their event comes, or until then.
    pub(super) adopted: Vec<Adopted>,
    /// Whether anybody reads the queue of the newest event.
    pub(super) is_attended: Option<bool>,
    /// Whether the store has its whole memory.
    pub(super) store_remembers: bool,
    /// Oldest first.
    pub(super) history: Vec<Happened>,
}

/// What goes on: `state`, and who or what that is about.
#[derive(Debug, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(super) enum State {
    /// A worker is at it.
    Held { holder: Holder },
    /// A worker was, and went away without a word.
    Abandoned { holder: Holder },
    /// It waits for a known time.
    Waiting { waits: Waits },
    /// Accepted, and nobody is at it.
    Queued,
    /// All that was accepted has ended.
    AtRest,
}

/// What visitors see.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Shows {
    pub(super) revision: Revision,
    pub(super) provider: ProviderName,
    pub(super) deployment_id: DeploymentId,
    /// Its own address; `null` where another provider than the local one hosts it.
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
    pub(super) ended: Option<Ended>,
}

/// An event of the context.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Event {
    pub(super) kind: OrdinalKind,
    pub(super) revision: Revision,
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

impl Account {
    /// What follows from the facts. `origin` is where local previews are reached.
    pub(super) fn of(facts: Facts, origin: &PreviewOrigin) -> Self {
        let Facts {
            key,
            now,
            record,
            last,
            went_live,
            limits,
            is_attended,
            remembers,
            history,
        } = facts;
        let ContextKey { tenant, context } = &key;
        Self {
            tenant_id: tenant.clone(),
            context_id: context.clone(),
            status: record.status(last.as_ref()).word(),
            state: State::of(&record, last.as_ref(), now),
            asked_at: now,
            shows: shows(&key, &record, went_live.as_ref(), origin),
            wanted: Wanted {
                event: record.desired.into(),
                accepted_at: record.desired_at,
                stale_since: record.stale_since,
                ended: last.map(|settled| Ended {
                    outcome: settled.outcome.kind().short(),
                    at: settled.at,
                    detail: settled.outcome.detail(),
                }),
            },
            building: record.building.map(|building| Building {
                provider: building.provider,
                deployment_id: building.deployment,
            }),
            limits: limits
                .into_iter()
                .map(|(set, used, limit)| Quota {
                    set: set.word(),
                    used,
                    limit,
                })
                .collect(),
            cancels: record.cancels.map(|cancels| Cancels {
                in_a_row: cancels.in_a_row,
                last_at: cancels.last_at,
            }),
            build_ms: record.build_ms,
            condemned: record.condemned,
            adopted: record
                .adopted
                .into_iter()
                .map(|(deployment_id, until)| Adopted {
                    deployment_id,
                    until,
                })
                .collect(),
            is_attended,
            store_remembers: remembers,
            history: history.into_iter().rev().map(Happened::of).collect(),
        }
    }
}

impl State {
    fn of(record: &ContextRecord, last: Option<&SettledOutcome>, now: Timestamp) -> Self {
        if let Some(held) = &record.lease {
            let holder = Holder::of(held);
            // One that ran out stays in the record until the next claim.
            return if held.until > now {
                Self::Held { holder }
            } else {
                Self::Abandoned { holder }
            };
        }
        if let Some(waits) = &record.waits {
            let waits = Waits {
                event: waits.ordinal.into(),
                since: waits.since,
                until: waits.until,
                why: waits.why.clone(),
            };
            return Self::Waiting { waits };
        }
        let is_pending = match record.desired.kind {
            OrdinalKind::Update => record.stale_since.is_some(),
            // Its outcome is remembered for as long as the record is, where nothing is live.
            OrdinalKind::End => true,
        };
        if last.is_none() && is_pending {
            Self::Queued
        } else {
            Self::AtRest
        }
    }
}

fn shows(
    key: &ContextKey,
    record: &ContextRecord,
    went_live: Option<&SettledOutcome>,
    origin: &PreviewOrigin,
) -> Option<Shows> {
    let summary = ContextSummary {
        key: key.clone(),
        record: record.clone(),
        last: None,
    };
    let summary = PreviewSummary::of(summary, &local::NAME.into(), origin);
    Some(Shows {
        revision: summary.revision?,
        provider: summary.provider?,
        deployment_id: summary.deployment_id?,
        url: summary.url,
        alias_url: summary.alias_url,
        since: went_live.map(|settled| settled.at),
        expires_at: summary.expires_at,
    })
}

impl From<Ordinal> for Event {
    fn from(ordinal: Ordinal) -> Self {
        Self {
            kind: ordinal.kind,
            revision: ordinal.revision,
        }
    }
}

impl Holder {
    fn of(held: &HeldLease) -> Self {
        Self {
            worker: held.owner.worker().to_owned(),
            event: held.ordinal.into(),
            since: held.since,
            until: held.until,
        }
    }
}

impl Happened {
    fn of(entry: HistoryEntry) -> Self {
        let (worker, held_since) = entry.by.unzip();
        Self {
            at: entry.at,
            event: entry.ordinal.into(),
            what: match entry.what {
                Happening::Ended(outcome) => outcome.short(),
                what @ (Happening::HandedOver | Happening::Deferred) => what.word(),
            },
            detail: entry.detail,
            worker,
            held_since,
        }
    }
}
