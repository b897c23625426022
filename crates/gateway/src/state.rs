//! Why a label has no site to show, as a closed type: it decides status, words and when to look again.
//!
//! An alias shows what [`PreviewHost`](foreshow_runner::PreviewHost) has it show: that is the one source of truth, and an
//! alias goes with its deployment. Only where it shows nothing the context's record is asked why.

use foreshow_contract::{HostLabel, Timestamp};
use foreshow_engine::{ContextRecord, ContextStatus, Outcome, SettledOutcome, Store, StoreError};
use foreshow_runner::DeploymentState;
use http::StatusCode;

/// Why there is nothing to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PreviewState {
    /// It is being made.
    Building,
    /// It could not be made.
    Failed {
        /// The stable code.
        code: String,
        /// What happened.
        message: String,
        /// The last lines of the build's log.
        log_tail: Vec<String>,
    },
    /// It was there.
    Removed,
    /// Its record says that it is live, but its deployment is not in the folder: somebody deleted or exchanged that.
    ///
    /// 503 rather than 410, although only a new publication is sure to bring it back: the context was not ended, and a
    /// folder that was not mounted may come again. But nothing is under way, so nobody is told to wait for it: no
    /// `Retry-After`, and the page doesn't load itself again.
    Lost,
    /// Nobody knows it.
    Unknown,
    /// It can't be told just now.
    Unavailable,
}

impl PreviewState {
    /// What the record says about the context with this alias, which shows nothing; `None` where no context has it.
    pub(crate) async fn of_alias(
        store: &dyn Store,
        alias: &HostLabel,
        now: Timestamp,
    ) -> Result<Option<Self>, StoreError> {
        let Some(key) = store.resolve_alias(alias).await? else {
            return Ok(None);
        };
        let Some(record) = store.context(&key).await? else {
            return Ok(None);
        };
        let last = store.outcome(&key, record.desired).await?;
        Ok(Some(match record.status(last.as_ref()) {
            ContextStatus::Live if !is_coming(&record, last.as_ref(), now) => Self::Lost,
            // Live in the record, and the alias is about to follow.
            ContextStatus::Live | ContextStatus::Building => Self::Building,
            ContextStatus::Ended | ContextStatus::Expired => Self::Removed,
            ContextStatus::Failed => match last.map(|settled| settled.outcome) {
                Some(Outcome::Failed { report }) => Self::Failed {
                    code: report.code.to_string(),
                    message: report.message.clone(),
                    log_tail: report.log_tail.clone(),
                },
                Some(
                    Outcome::Ready(_)
                    | Outcome::Removed { .. }
                    | Outcome::Reset { .. }
                    | Outcome::Superseded { .. },
                )
                | None => Self::Building,
            },
        }))
    }

    /// What a deployment's build says; `None` where it serves.
    pub(crate) fn of_build(state: &DeploymentState) -> Option<Self> {
        match state {
            DeploymentState::Ready => None,
            DeploymentState::Building { .. } => Some(Self::Building),
            DeploymentState::Failed { log_tail } => Some(Self::Failed {
                code: foreshow_engine::code::BUILD_FAILED.to_owned(),
                message: "The build of this revision failed.".to_owned(),
                log_tail: log_tail.clone(),
            }),
        }
    }

    /// Its word in JSON.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Building => "building",
            Self::Failed { .. } => "failed",
            Self::Removed => "removed",
            Self::Unknown => "unknown",
            Self::Lost | Self::Unavailable => "unavailable",
        }
    }

    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Building | Self::Lost | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Failed { .. } => StatusCode::BAD_GATEWAY,
            Self::Removed => StatusCode::GONE,
            Self::Unknown => StatusCode::NOT_FOUND,
        }
    }

    /// Seconds after which a client should ask again; sent as `Retry-After`.
    pub(crate) fn retry_after_seconds(&self) -> Option<u32> {
        match self {
            Self::Building => Some(1),
            Self::Unavailable => Some(5),
            Self::Failed { .. } | Self::Removed | Self::Lost | Self::Unknown => None,
        }
    }

    /// Seconds after which the page loads itself again: a failed or ended context may get its next update any time.
    pub(crate) fn reload_seconds(&self) -> Option<u32> {
        match self {
            Self::Building => Some(1),
            Self::Failed { .. } | Self::Unavailable => Some(5),
            Self::Removed | Self::Unknown => Some(15),
            Self::Lost => None,
        }
    }

    pub(crate) fn title(&self) -> &'static str {
        match self {
            Self::Building => "Your preview is being built",
            Self::Failed { .. } => "This preview failed",
            Self::Removed => "This preview has ended",
            Self::Lost => "This preview's files are gone",
            Self::Unknown => "No such preview",
            Self::Unavailable => "Just a moment",
        }
    }

    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Building => "It will appear here by itself, usually within moments.",
            Self::Failed { message, .. } => message,
            Self::Removed => {
                "Its session is over, nobody used it for as long as it was kept, or a newer revision took its place. The address stays reserved for it."
            }
            Self::Lost => "It is unavailable. Publish it again to bring it back to this address.",
            Self::Unknown => {
                "Nothing was ever shown at this address, or it is long gone. Check it for typing errors."
            }
            Self::Unavailable => {
                "Foreshow could not look up this preview right now. It tries again by itself."
            }
        }
    }
}

/// Whether the context's next site is on its way. Somebody works on it, or an update above the live one waits: for its
/// next attempt, or for a worker. Without the comparison an outcome that is no longer remembered would look the same.
fn is_coming(record: &ContextRecord, last: Option<&SettledOutcome>, now: Timestamp) -> bool {
    let is_held = record.lease.as_ref().is_some_and(|lease| lease.until > now);
    let is_newer = record
        .live
        .as_ref()
        .is_none_or(|live| record.desired.revision > live.revision);
    is_held || (is_newer && last.is_none())
}
