//! The closed vocabulary of outcomes.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How an event ended, or that it is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OutcomeKind {
    /// The preview answers, at this revision.
    Ready,
    /// It could not be made.
    Failed,
    /// A newer event took its place. No failure.
    Superseded,
    /// It is gone.
    Removed,
    /// It is being made. Not an end.
    Building,
    /// The event itself could not be taken.
    Rejected,
}

impl OutcomeKind {
    /// Every outcome.
    pub const ALL: [Self; 6] = [
        Self::Ready,
        Self::Failed,
        Self::Superseded,
        Self::Removed,
        Self::Building,
        Self::Rejected,
    ];

    /// The two words that a routing key opens with.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ready => "preview.ready",
            Self::Failed => "preview.failed",
            Self::Superseded => "preview.superseded",
            Self::Removed => "preview.removed",
            Self::Building => "preview.building",
            Self::Rejected => "event.rejected",
        }
    }

    /// The word in ids and in prose.
    pub const fn short(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Failed => "failed",
            Self::Superseded => "superseded",
            Self::Removed => "removed",
            Self::Building => "building",
            Self::Rejected => "rejected",
        }
    }

    /// The CloudEvents `type`.
    pub const fn event_type(self) -> &'static str {
        match self {
            Self::Ready => "dev.foreshow.preview.ready.v1",
            Self::Failed => "dev.foreshow.preview.failed.v1",
            Self::Superseded => "dev.foreshow.preview.superseded.v1",
            Self::Removed => "dev.foreshow.preview.removed.v1",
            Self::Building => "dev.foreshow.preview.building.v1",
            Self::Rejected => "dev.foreshow.event.rejected.v1",
        }
    }

    /// The outcome that a CloudEvents `type` names.
    pub fn from_event_type(event_type: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|outcome| outcome.event_type() == event_type)
    }
}

impl fmt::Display for OutcomeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// An outcome with what tells two of its kind apart in a result's id. Rejections have [another kind of
/// id](crate::rejected_id).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OutcomeMark {
    /// Ready.
    Ready,
    /// Failed.
    Failed,
    /// Superseded.
    Superseded,
    /// Removed, and why.
    Removed(RemovalReason),
    /// Building: the how-manieth progress report of this revision.
    Building(u64),
}

impl OutcomeMark {
    /// The outcome alone.
    pub const fn outcome(self) -> OutcomeKind {
        match self {
            Self::Ready => OutcomeKind::Ready,
            Self::Failed => OutcomeKind::Failed,
            Self::Superseded => OutcomeKind::Superseded,
            Self::Removed(_) => OutcomeKind::Removed,
            Self::Building(_) => OutcomeKind::Building,
        }
    }
}

/// Why a preview was removed. Only `ended` is an event's end; the others are notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RemovalReason {
    /// Its context ended.
    Ended,
    /// Its retention was over.
    Expired,
    /// Its place was needed, by the quota's policy.
    Quota,
    /// The sweeper found that nobody can want it.
    Swept,
    /// A newer revision is live, and no more revisions are kept.
    Replaced,
}

impl RemovalReason {
    /// Every reason.
    pub const ALL: [Self; 5] = [
        Self::Ended,
        Self::Expired,
        Self::Quota,
        Self::Swept,
        Self::Replaced,
    ];

    /// The word in ids and data.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::Expired => "expired",
            Self::Quota => "quota",
            Self::Swept => "swept",
            Self::Replaced => "replaced",
        }
    }
}

impl fmt::Display for RemovalReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// How far a revision has come.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum BuildingState {
    /// Waiting for its turn.
    Queued,
    /// Its files are fetched, unpacked and digested.
    Preparing,
    /// The provider gets the files that it lacks.
    Uploading,
    /// The provider builds.
    Building,
    /// It is built; its URL is asked until it answers at this revision.
    Probing,
}

impl BuildingState {
    /// Every state, in the order in which a revision goes through them.
    pub const ALL: [Self; 5] = [
        Self::Queued,
        Self::Preparing,
        Self::Uploading,
        Self::Building,
        Self::Probing,
    ];

    /// The word in data.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Preparing => "preparing",
            Self::Uploading => "uploading",
            Self::Building => "building",
            Self::Probing => "probing",
        }
    }
}

impl fmt::Display for BuildingState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_made_of_the_words() {
        for outcome in OutcomeKind::ALL {
            assert_eq!(
                outcome.event_type(),
                format!("dev.foreshow.{}.v1", outcome.word())
            );
            assert_eq!(outcome.word().split('.').next_back(), Some(outcome.short()));
            assert_eq!(
                OutcomeKind::from_event_type(outcome.event_type()),
                Some(outcome)
            );
        }
    }

    #[test]
    fn words_and_serde_agree() {
        for reason in RemovalReason::ALL {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.word());
        }
        for state in BuildingState::ALL {
            assert_eq!(serde_json::to_value(state).unwrap(), state.word());
        }
    }
}
