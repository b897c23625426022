//! What can go wrong beyond a call that was refused, and what follows for the job.

use foreshow_contract::ProviderName;
use foreshow_engine::{Failure, ProviderError, code};

use super::{config::ConfigError, env::EnvError};
use crate::http::{ApiError, ClientError, Trouble};

/// The Deno provider did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum DenoError {
    /// No client can be made of the settings.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A call of the API.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The app cannot be hosted as it is.
    #[error(transparent)]
    App(#[from] AppError),
    /// The organization has an app of this name, with other labels.
    #[error(
        "the app {slug} at Deno Deploy does not carry this installation's labels: it was made by hand or by another installation with \
         the same key; rename or remove it there"
    )]
    NotOurs {
        /// The app's slug.
        slug: String,
    },
    /// The name is taken by something that cannot be seen.
    #[error(
        "the name {slug} is taken at Deno Deploy, and no app of that name is there: a deleted app can keep its name for 30 days; have \
         support free it, or use another provider for this context"
    )]
    SlugKept {
        /// The app's slug.
        slug: String,
    },
    /// Something was asked for and not seen to happen.
    #[error("{what} was asked for and not confirmed in time")]
    NotConfirmed {
        /// What was asked for.
        what: &'static str,
        /// What was answered last.
        #[source]
        source: Option<Box<ApiError>>,
    },
    /// The files could not be read.
    #[error("the files could not be read: check the disk and the temporary folder of this worker")]
    Files {
        /// What lies beneath.
        #[source]
        source: std::io::Error,
    },
}

/// What a tenant can mend.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AppError(String);

impl From<ConfigError> for DenoError {
    fn from(error: ConfigError) -> Self {
        Self::App(AppError(error.to_string()))
    }
}

impl From<EnvError> for DenoError {
    fn from(error: EnvError) -> Self {
        Self::App(AppError(error.to_string()))
    }
}

impl DenoError {
    /// What follows for the job.
    pub fn failure(&self) -> Failure {
        match self {
            Self::Client(_) => Failure::Permanent(code::INTERNAL),
            Self::Api(error) => error.failure(),
            Self::App(_) | Self::NotOurs { .. } | Self::SlugKept { .. } => {
                Failure::Permanent(code::PROVIDER_REFUSED)
            }
            Self::NotConfirmed { .. } | Self::Files { .. } => Failure::Retryable { after: None },
        }
    }

    /// Whether the API says that it exists already.
    pub(super) fn is_conflict(&self) -> bool {
        matches!(self, Self::Api(error) if error.is_status(409))
    }

    /// Whether it may have been done all the same.
    pub(super) fn is_ambiguous(&self) -> bool {
        let Self::Api(error) = self else {
            return false;
        };
        match error.trouble() {
            Trouble::Unreachable(_)
            | Trouble::TimedOut { .. }
            | Trouble::Unreadable { .. }
            | Trouble::TooLarge { .. } => true,
            Trouble::Refused(refusal) => refusal.status.is_server_error(),
            Trouble::NotAsked { .. } | Trouble::Unread(_) => false,
        }
    }

    /// What happened, for a tenant. `Display`, for the log, names our things there.
    fn public_message(&self) -> String {
        match self {
            Self::Client(_) => "its settings can't be used; an operator can mend it".to_owned(),
            Self::Api(error) => error.public_message(),
            Self::App(error) => error.to_string(),
            Self::NotOurs { .. } | Self::SlugKept { .. } => {
                "the preview's name is taken there; an operator can mend it".to_owned()
            }
            Self::NotConfirmed { what, .. } => format!("{what} was not confirmed in time"),
            Self::Files { .. } => "the files could not be read by the worker".to_owned(),
        }
    }

    pub(super) fn while_doing(self, operation: &'static str) -> ProviderError {
        match self {
            Self::Api(error) => error.into_provider_error(),
            other => ProviderError {
                provider: ProviderName::from(super::NAME),
                operation,
                message: other.public_message(),
                failure: other.failure(),
                source: Some(Box::new(other)),
            },
        }
    }
}

/// For `map_err`: what was asked, and why it was not done.
pub(super) fn failed(operation: &'static str) -> impl FnOnce(DenoError) -> ProviderError {
    move |error| error.while_doing(operation)
}
