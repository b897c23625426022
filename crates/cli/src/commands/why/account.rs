//! What follows from the facts: in which of five states the context is, and what that means.
//!
//! The state is read off the record alone, in this order: somebody holds the lease; somebody held it and went away; the
//! event waits for a time that is known; it was accepted and nobody has begun; or all that was accepted has ended.

use foreshow_contract::{ContextId, ContextKey, DeploymentId, TenantId, Timestamp};
use foreshow_engine::{ContextRecord, ContextSummary, SettledOutcome};
use serde::Serialize;

use super::facts::Facts;
use super::parts::{
    Adopted, Building, Cancels, Event, Happened, Holder, Quota, Shows, Waits, Wanted,
};
use crate::wiring::PreviewUrls;

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

impl Account {
    /// What follows from the facts. `urls` is where previews are reached.
    pub(super) fn of(facts: Facts, urls: &PreviewUrls) -> Self {
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
            shows: shows(&key, &record, went_live.as_ref(), urls),
            wanted: Wanted::of(&record, last.as_ref()),
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
            let holder = Holder::of(held, record);
            // One that ran out stays in the record until the next claim.
            return if held.until > now {
                Self::Held { holder }
            } else {
                Self::Abandoned { holder }
            };
        }
        if let Some(waits) = &record.waits {
            let waits = Waits {
                event: Event::of(waits.ordinal, record),
                since: waits.since,
                until: waits.until,
                why: waits.why.clone(),
            };
            return Self::Waiting { waits };
        }
        if record.is_unended(last) {
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
    urls: &PreviewUrls,
) -> Option<Shows> {
    let summary = ContextSummary {
        key: key.clone(),
        record: record.clone(),
        last: None,
    };
    let summary = urls.summary(summary);
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
