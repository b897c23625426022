//! What may go wrong with a job, as a closed type: it decides what happens next, in one place ([`crate::retry`]).

use std::time::Duration;

use foreshow_contract::Timestamp;

/// What follows from an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Trying again cannot help: the event ends as failed, with this code.
    Permanent(&'static str),
    /// Trying again may help, at the earliest after this long where it is known.
    Retryable {
        /// The wait that was asked for.
        after: Option<Duration>,
    },
    /// Asked to wait until then. Uses up no attempt.
    RateLimited {
        /// When it may be tried again.
        until: Timestamp,
    },
    /// The provider is not well: another may take the job within the same attempt.
    ProviderDown,
    /// The whole fleet leaves the provider alone. Another may take the job within the same attempt; where none can, it waits, which
    /// uses up no attempt.
    ProviderClosed {
        /// When it may be tried again.
        until: Timestamp,
    },
}

/// Stable codes of failures, as they appear in `preview.failed` and among the dead letters.
///
/// Codes of bad files and bundles come from [`foreshow_bundle::BundleError::code`].
pub mod code {
    /// The build ended with an error; the log's last lines come with it.
    pub const BUILD_FAILED: &str = "build_failed";
    /// The build did not end in time.
    pub const BUILD_TIMEOUT: &str = "build_timeout";
    /// The provider called it ready, but its URL did not answer with this revision in time.
    pub const NOT_REACHABLE: &str = "not_reachable";
    /// A hard quota of the tenant is used up.
    pub const QUOTA_EXCEEDED: &str = "quota_exceeded";
    /// No configured provider can host this app, or none of those that the event allows.
    pub const NO_SUITABLE_PROVIDER: &str = "no_suitable_provider";
    /// The event's bundle has a URL of a kind that is not fetched.
    pub const BUNDLE_UNSUPPORTED: &str = "bundle_unsupported";
    /// The event's bundle is not where it should be.
    pub const BUNDLE_MISSING: &str = "bundle_missing";
    /// Whoever has the event's bundle does not give it to us: its URL may have expired.
    pub const BUNDLE_FORBIDDEN: &str = "bundle_forbidden";
    /// Whoever has the event's bundle refuses what is asked of it, or sends people elsewhere.
    pub const BUNDLE_REFUSED: &str = "bundle_refused";
    /// The provider could not be used, attempt after attempt.
    pub const PROVIDER_UNAVAILABLE: &str = "provider_unavailable";
    /// The provider refused the installation's credentials, or they lack a right: an operator has to mend it.
    pub const PROVIDER_UNAUTHORIZED: &str = "provider_unauthorized";
    /// The provider wants the installation's account to be paid for, or to be on another plan.
    pub const PROVIDER_PAYMENT_REQUIRED: &str = "provider_payment_required";
    /// The provider refused what was asked of it; its message, where it is about the app, comes with it.
    pub const PROVIDER_REFUSED: &str = "provider_refused";
    /// The files are larger, or more, than the provider takes.
    pub const TOO_LARGE_FOR_PROVIDER: &str = "too_large_for_provider";
    /// Trying again did not help.
    pub const ATTEMPTS_EXHAUSTED: &str = "attempts_exhausted";
    /// The event waited longer than events may.
    pub const TOO_OLD: &str = "too_old";
    /// The job's code panicked: a defect of Foreshow's.
    pub const INTERNAL: &str = "internal_error";
}

impl Failure {
    /// The code to report where this failure ends the event after the last attempt.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Permanent(code) => code,
            Self::Retryable { .. } | Self::RateLimited { .. } => code::ATTEMPTS_EXHAUSTED,
            Self::ProviderDown | Self::ProviderClosed { .. } => code::PROVIDER_UNAVAILABLE,
        }
    }
}
