//! What can go wrong, and what follows for the job.

use foreshow_contract::ProviderName;
use foreshow_engine::{Failure, ProviderError, code};
use foreshow_runner::PreviewError;

/// The local provider did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// The HTTP client that asks the gateway could not be made.
    #[error(
        "no HTTP client can be made to ask the gateway: check the TLS and network set-up of this machine"
    )]
    Client {
        /// What lies beneath.
        #[source]
        source: reqwest::Error,
    },
    /// The gateway did not answer.
    #[error(
        "the gateway at {url} did not answer: check that it runs and serves the same folder of previews"
    )]
    Unreachable {
        /// Where it was asked.
        url: String,
        /// What lies beneath.
        #[source]
        source: reqwest::Error,
    },
    /// A page of the inventory was asked for that no page gave.
    #[error("no page of deployments gave the one that was asked for: begin at the first page")]
    NoSuchPage,
    /// The folder of previews did not do its part.
    #[error(transparent)]
    Previews(PreviewError),
}

impl LocalError {
    /// What follows for the job.
    pub fn failure(&self) -> Failure {
        const LATER: Failure = Failure::Retryable { after: None };
        match self {
            Self::Client { .. } | Self::Unreachable { .. } => LATER,
            Self::NoSuchPage => Failure::Permanent(code::INTERNAL),
            Self::Previews(error) => match error {
                // Somebody may make room, free the lock or remount the disk; the files may come again with the bundle.
                PreviewError::Index(_)
                | PreviewError::Full { .. }
                | PreviewError::NotWritable { .. }
                | PreviewError::Io { .. }
                | PreviewError::Source { .. }
                | PreviewError::BlobMissing { .. }
                | PreviewError::Interrupted => LATER,
                // The same labels and the same index give the same answer next time.
                PreviewError::LabelTaken { .. } | PreviewError::Unreadable { .. } => {
                    Failure::Permanent(code::INTERNAL)
                }
            },
        }
    }

    /// What happened, for a tenant: nothing about this machine. `Display`, for the log, says where, and what to do.
    fn public_message(&self) -> String {
        match self {
            Self::Client { .. } => "the gateway could not be asked".to_owned(),
            Self::Unreachable { .. } => "the gateway did not answer".to_owned(),
            Self::NoSuchPage => "there is no such page of deployments".to_owned(),
            Self::Previews(error) => error.public_message(),
        }
    }

    pub(super) fn into_provider_error(self) -> ProviderError {
        self.while_doing("probe a deployment")
    }

    pub(super) fn while_doing(self, operation: &'static str) -> ProviderError {
        ProviderError {
            provider: ProviderName::from(super::NAME),
            operation,
            failure: self.failure(),
            message: self.public_message(),
            source: Some(Box::new(self)),
        }
    }
}

/// For `map_err`: what was asked, and why it was not done.
pub(super) fn refused(operation: &'static str) -> impl FnOnce(PreviewError) -> ProviderError {
    move |error| LocalError::Previews(error).while_doing(operation)
}
