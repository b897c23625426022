//! Why work under a lease stopped short of its end.

use std::num::NonZeroU32;

use foreshow_contract::{AttemptReport, FailureCode, Ordinal, ProviderName, Timestamp};

use crate::{Failure, ProviderError, lease::LeaseLost, worker::ShuttingDown};

/// Why work under a lease stopped.
#[derive(Debug)]
pub(super) enum Stop {
    /// Claim again.
    LeaseLost,
    /// Let go of it, its build still running: another replica goes on, or this one later.
    HandOver,
    /// Something newer won.
    Superseded(Ordinal),
    /// Something newer won, and the build was cancelled for it, or never begun.
    SteppedDown {
        /// The winner.
        by: Ordinal,
        /// What was stopped, for people.
        why: String,
    },
    /// Providers know of something newer than this event: give the lease back, and ask the store again.
    Overtaken,
    /// It failed; whether for good is the retry policy's to say.
    Failed(Box<Trouble>),
}

impl Stop {
    pub(super) fn failed(trouble: Trouble) -> Self {
        Self::Failed(Box::new(trouble))
    }

    /// Keeps the job at its provider: what was started there is to be adopted, not started again elsewhere.
    pub(super) fn kept_here(mut self) -> Self {
        if let Self::Failed(trouble) = &mut self {
            trouble.is_kept = true;
            match trouble.failure {
                Failure::ProviderDown => trouble.failure = Failure::Retryable { after: None },
                Failure::ProviderClosed { until } => {
                    trouble.failure = Failure::RateLimited { until };
                }
                Failure::Permanent(_) | Failure::Retryable { .. } | Failure::RateLimited { .. } => {
                }
            }
        }
        self
    }
}

impl From<ShuttingDown> for Stop {
    fn from(_: ShuttingDown) -> Self {
        Self::HandOver
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
    /// What happened, for the tenant too.
    pub(super) message: String,
    /// What lies beneath, for the log alone: it may tell of this machine.
    pub(super) cause: Option<String>,
    /// The last lines of a failed build's log.
    pub(super) log_tail: Vec<String>,
    /// What was begun at the provider is to be adopted: no other one takes the job.
    pub(super) is_kept: bool,
}

impl Trouble {
    pub(super) fn new(failure: Failure, message: impl Into<String>) -> Self {
        Self {
            failure,
            provider: None,
            message: message.into(),
            cause: None,
            log_tail: Vec::new(),
            is_kept: false,
        }
    }

    pub(super) fn at(mut self, provider: &ProviderName) -> Self {
        self.provider = Some(provider.clone());
        self
    }

    /// Remembers what lies beneath `error`.
    pub(super) fn because(mut self, error: &dyn std::error::Error) -> Self {
        let causes = std::iter::successors(error.source(), |cause| cause.source());
        let causes: Vec<_> = causes.map(ToString::to_string).collect();
        self.cause = (!causes.is_empty()).then(|| causes.join(": "));
        self
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
        let trouble = Trouble::new(error.failure.clone(), error.to_string())
            .at(&error.provider)
            .because(&error);
        Self::failed(trouble)
    }
}
