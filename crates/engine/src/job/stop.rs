//! Why work under a lease stopped short of its end.

use std::num::NonZeroU32;

use foreshow_contract::{AttemptReport, FailureCode, Ordinal, ProviderName, Timestamp};

use crate::{Failure, ProviderError, lease::LeaseLost, worker::ShuttingDown};

/// Why work under a lease stopped.
#[derive(Debug)]
pub(super) enum Stop {
    /// Claim again.
    LeaseLost,
    /// Hand over to another replica.
    ShuttingDown,
    /// Something newer won.
    Superseded(Ordinal),
    /// It failed; whether for good is the retry policy's to say.
    Failed(Box<Trouble>),
}

impl Stop {
    pub(super) fn failed(trouble: Trouble) -> Self {
        Self::Failed(Box::new(trouble))
    }
}

impl From<ShuttingDown> for Stop {
    fn from(_: ShuttingDown) -> Self {
        Self::ShuttingDown
    }
}

impl From<LeaseLost> for Stop {
    fn from(_: LeaseLost) -> Self {
        Self::LeaseLost
    }
}

/// A failure with everything that a report of it tells.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    pub(super) failure: Failure,
    pub(super) provider: Option<ProviderName>,
    pub(super) message: String,
    pub(super) log_tail: Vec<String>,
}

impl Trouble {
    pub(super) fn new(failure: Failure, message: impl Into<String>) -> Self {
        Self {
            failure,
            provider: None,
            message: message.into(),
            log_tail: Vec::new(),
        }
    }

    pub(super) fn at(mut self, provider: &ProviderName) -> Self {
        self.provider = Some(provider.clone());
        self
    }

    /// Keeps the job at its provider: what was started there is to be adopted, not started again elsewhere.
    pub(super) fn keep_here(&mut self) {
        if self.failure == Failure::ProviderDown {
            self.failure = Failure::Retryable { after: None };
        }
    }

    pub(super) fn report(&self, number: NonZeroU32, at: Timestamp) -> AttemptReport {
        AttemptReport {
            number: number.get(),
            at,
            provider: self.provider.clone(),
            code: FailureCode::from(self.failure.code()),
            message: self.message.clone(),
        }
    }
}

impl From<ProviderError> for Stop {
    fn from(error: ProviderError) -> Self {
        let mut message = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            message = format!("{message}: {cause}");
            source = cause.source();
        }
        Self::failed(Trouble::new(error.failure, message).at(&error.provider))
    }
}
