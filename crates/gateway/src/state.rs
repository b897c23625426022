//! Why a label has no site to show, as a closed type: it decides status, words and when to look again.
//!
//! An alias shows what [`PreviewHost`](foreshow_runner::PreviewHost) has it show: that is the one source of truth, and an
//! alias goes with its deployment. Only where it shows nothing the context's record is asked why.

use foreshow_contract::HostLabel;
use foreshow_engine::{ContextStatus, Outcome, Store, StoreError};
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
    /// Nobody knows it.
    Unknown,
    /// It can't be told just now.
    Unavailable,
}

impl PreviewState {
    /// What the record says about the context with this alias; `None` where no context has it.
    pub(crate) async fn of_alias(
        store: &dyn Store,
        alias: &HostLabel,
    ) -> Result<Option<Self>, StoreError> {
        let Some(key) = store.resolve_alias(alias).await? else {
            return Ok(None);
        };
        let Some(record) = store.context(&key).await? else {
            return Ok(None);
        };
        let last = store.outcome(&key, record.desired).await?;
        Ok(Some(match record.status(last.as_ref()) {
            // Live in the record, and the alias is about to follow.
            ContextStatus::Live | ContextStatus::Building => Self::Building,
            ContextStatus::Ended => Self::Removed,
            ContextStatus::Failed => match last.map(|settled| settled.outcome) {
                Some(Outcome::Failed { report }) => Self::Failed {
                    code: report.code.to_string(),
                    message: report.message.clone(),
                    log_tail: report.log_tail.clone(),
                },
                Some(Outcome::Ready(_) | Outcome::Removed | Outcome::Superseded { .. }) | None => {
                    Self::Building
                }
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
            Self::Unavailable => "unavailable",
        }
    }

    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Building | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
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
            Self::Failed { .. } | Self::Removed | Self::Unknown => None,
        }
    }

    /// Seconds after which the page loads itself again: a failed or ended context may get its next update any time.
    pub(crate) fn reload_seconds(&self) -> u32 {
        match self {
            Self::Building => 1,
            Self::Failed { .. } | Self::Unavailable => 5,
            Self::Removed | Self::Unknown => 15,
        }
    }

    pub(crate) fn title(&self) -> &'static str {
        match self {
            Self::Building => "Your preview is being built",
            Self::Failed { .. } => "This preview failed",
            Self::Removed => "This preview has ended",
            Self::Unknown => "No such preview",
            Self::Unavailable => "Just a moment",
        }
    }

    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Building => "It will appear here by itself, usually within moments.",
            Self::Failed { message, .. } => message,
            Self::Removed => {
                "Its session is over, or a newer revision took its place. The address stays reserved for it."
            }
            Self::Unknown => {
                "Nothing was ever shown at this address, or it is long gone. Check it for typing errors."
            }
            Self::Unavailable => {
                "Foreshow could not look up this preview right now. It tries again by itself."
            }
        }
    }
}
