//! How an event ended, and the results that tell of it.
//!
//! An [`Outcome`] is what the store keeps: enough to publish the same result again under the same id. It holds
//! addresses, not URLs; those are made by the provider when a result is written.

use std::sync::Arc;

use foreshow_contract::{
    AttemptReport, ContextKey, DeploymentId, DomainReport, Envelope, EstimatedCost, EventKind,
    FailureReport, IncomingEvent, Ordinal, OutcomeKind, ProviderName, Revision, SizeReport,
    Timestamp, Timings,
};
use serde::{Deserialize, Serialize};

use crate::Address;

/// The end of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Outcome {
    /// The preview is live.
    Ready(Box<ReadyOutcome>),
    /// It failed.
    Failed {
        /// Why, and how each attempt went.
        report: Box<FailureReport>,
    },
    /// The context was cleaned up.
    Removed {
        /// Revisions that had been ready, where an expiry took them away: each gets a `removed` notice. Known when it is
        /// settled, by the store.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        expired: Vec<Revision>,
    },
    /// The context was reset, and is forgotten. Never kept as an event's end: the record itself tells of the last one.
    Reset {
        /// What was live, and the announced revisions kept beside it: each gets a `removed` notice. Known when it is settled,
        /// by the store.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        gone: Vec<Revision>,
    },
    /// Something newer won. Never kept by a store: an accepted order only grows, so the answer is always at hand.
    Superseded {
        /// The winner.
        by: Ordinal,
    },
}

/// What is told of a live preview.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReadyOutcome {
    /// Who hosts it.
    pub provider: ProviderName,
    /// The deployment that serves it.
    pub deployment: DeploymentId,
    /// Where this revision is reached.
    pub address: Address,
    /// Where the context is reached.
    pub alias_address: Address,
    /// Nothing had to be deployed.
    pub unchanged: bool,
    /// When the preview expires.
    pub expires_at: Timestamp,
    /// How long the steps took.
    pub timings: Timings,
    /// Bytes sent to the provider.
    pub bytes_uploaded: u64,
    /// Bytes that it already had.
    pub bytes_reused: u64,
    /// Attempts used, this one included.
    pub attempts: u32,
    /// What it is thought to cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<EstimatedCost>,
    /// The domains that were asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<DomainReport>,
    /// Where its bytes are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<SizeReport>,
    /// Announced revisions whose deployment made room: each gets a `removed` notice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaced: Vec<Revision>,
}

impl Outcome {
    /// Cleaned up.
    pub fn removed() -> Self {
        Self::Removed {
            expired: Vec::new(),
        }
    }

    /// Its word in results.
    pub fn kind(&self) -> OutcomeKind {
        match self {
            Self::Ready(_) => OutcomeKind::Ready,
            Self::Failed { .. } => OutcomeKind::Failed,
            Self::Removed { .. } | Self::Reset { .. } => OutcomeKind::Removed,
            Self::Superseded { .. } => OutcomeKind::Superseded,
        }
    }

    /// A few words for a history.
    pub fn detail(&self) -> String {
        match self {
            Self::Ready(ready) if ready.unchanged => {
                format!("unchanged, {} {}", ready.provider, ready.deployment)
            }
            Self::Ready(ready) => format!("{} {}", ready.provider, ready.deployment),
            Self::Failed { report } => {
                /// A line of a listing.
                const SHOWN: usize = 300;
                let message = report.message.lines().next().unwrap_or_default();
                let message: String = message.chars().take(SHOWN).collect();
                format!("{}: {message}", report.code)
            }
            Self::Removed { expired } if expired.is_empty() => String::new(),
            Self::Removed { .. } => "expired".to_owned(),
            Self::Reset { .. } => "reset".to_owned(),
            Self::Superseded { by } => format!("by {by}"),
        }
    }
}

/// How earlier attempts went, and how this one did: the history that a delayed delivery carries.
pub(crate) fn with_attempt(
    history: &[AttemptReport],
    attempt: AttemptReport,
) -> Vec<AttemptReport> {
    /// Attempts kept at most: rate limits use up none, so a history could grow for as long as an event may wait.
    const KEPT: usize = 20;
    let skip = (history.len() + 1).saturating_sub(KEPT);
    history
        .iter()
        .skip(skip)
        .cloned()
        .chain([attempt])
        .collect()
}

/// A context's event, as results name it.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) key: ContextKey,
    pub(crate) ordinal: Ordinal,
    pub(crate) kind: EventKind,
    /// Which life of it is told of: how often it was replayed from the dead letters.
    pub(crate) replay: u32,
    pub(crate) envelope: Arc<Envelope>,
}

impl Subject {
    /// The event's subject, replayed so often; `None` of a touch, which has no place in the order.
    pub(crate) fn of(incoming: &IncomingEvent, replay: u32) -> Option<Self> {
        Some(Self {
            key: incoming.event.key().clone(),
            ordinal: incoming.event.ordinal()?,
            kind: incoming.event.kind(),
            replay,
            envelope: Arc::new(incoming.envelope.clone()),
        })
    }

    /// The same event in another of its lives.
    pub(crate) fn in_life(&self, replay: u32) -> Self {
        Self {
            replay,
            ..self.clone()
        }
    }
}
