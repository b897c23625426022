//! What can go wrong, and what follows for the job.
//!
//! A tenant hears `Display`; the log has the chain below it too. Neither ever has more of a URL than its host: the rest may be
//! a signature. Addresses are in the guard's own log line.
//!
//! What is a matter of *the request* is final: asking again gives the same answer. What is a matter of *the server* passes.
//! Trouble with TLS counts among the latter, a certificate of another name too: it is mended without anybody's publishing
//! again, and no client can tell a server that is being set up from one that never will be.

use std::error::Error;
use std::io;
use std::time::Duration;

use foreshow_contract::Sha256;
use foreshow_egress::{Egress, Refused};
use foreshow_engine::{BundlesError, Failure, code};
use http::StatusCode;

/// Why a bundle could not be fetched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("the bundle is not fetched: {0}")]
    Refused(Refused),
    #[error(
        "{host} redirects more than {limit} times: give the URL that the bundle has in the end"
    )]
    Redirects { host: String, limit: usize },
    #[error("{host} answered with {status}{}", advice(*.status))]
    Status {
        host: String,
        status: StatusCode,
        after: Option<Duration>,
    },
    #[error(
        "{host} could not be reached, or broke off: check that it serves the bundle to the public"
    )]
    Unreachable {
        host: String,
        #[source]
        source: reqwest::Error,
    },
    #[error("{host} did not begin to answer within {within:?}")]
    NoAnswer { host: String, within: Duration },
    #[error("{host} stopped sending the bundle: nothing came for {within:?}")]
    Stalled { host: String, within: Duration },
    #[error("{host} sent {received_bytes} bytes of the bundle and ended there")]
    EndedEarly { host: String, received_bytes: u64 },
    #[error("{host} continued the bundle in another place, or with another one")]
    WrongPart { host: String },
    #[error(
        "the bundle did not arrive within {within:?}: serve it from a faster host, make it smaller, or raise \
         bundles.fetch_timeout_seconds"
    )]
    TooSlow { within: Duration },
    #[error(
        "the bundle has more than {limit_bytes} bytes, more than a context within the limits can have: leave files out, or \
         raise the limits (bundle.total_bytes)"
    )]
    TooLarge { limit_bytes: u64 },
    #[error(
        "what {host} sent has the SHA-256 {actual}, and the event says {expected}, twice: publish the event with the \
         digest of the file that is there"
    )]
    DigestMismatch {
        host: String,
        expected: Sha256,
        actual: Sha256,
    },
    #[error("the bundle could not be written by the worker")]
    Disk(#[source] io::Error),
}

impl FetchError {
    /// Why a request, or the stream of its answer, failed.
    pub(crate) fn of(host: &str, error: reqwest::Error) -> Self {
        match Egress::refusal(&error) {
            Some(refused) => Self::Refused(refused.clone()),
            None => Self::Unreachable {
                host: host.to_owned(),
                source: error.without_url(),
            },
        }
    }

    pub(crate) fn failure(&self) -> Failure {
        match self {
            Self::Refused(refused) => Failure::Permanent(refused.code()),
            Self::Redirects { .. } => Failure::Permanent(code::BUNDLE_REFUSED),
            Self::Status { status, after, .. } => match *status {
                status if is_passing(status) => Failure::Retryable { after: *after },
                StatusCode::NOT_FOUND | StatusCode::GONE => {
                    Failure::Permanent(code::BUNDLE_MISSING)
                }
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                    Failure::Permanent(code::BUNDLE_FORBIDDEN)
                }
                _ => Failure::Permanent(code::BUNDLE_REFUSED),
            },
            Self::Unreachable { .. }
            | Self::NoAnswer { .. }
            | Self::Stalled { .. }
            | Self::EndedEarly { .. }
            | Self::WrongPart { .. }
            | Self::TooSlow { .. }
            | Self::Disk(_) => Failure::Retryable { after: None },
            Self::TooLarge { .. } => Failure::Permanent("bundle_too_large"),
            Self::DigestMismatch { .. } => Failure::Permanent("bundle_digest_mismatch"),
        }
    }

    /// Whether the transfer may go on in place, and after which wait at least: `None` where the job as a whole has to come
    /// back, or to end.
    pub(crate) fn goes_on_after(&self) -> Option<Duration> {
        match self {
            Self::Status { status, after, .. } if is_passing(*status) => {
                Some(after.unwrap_or_default())
            }
            Self::Unreachable { .. }
            | Self::NoAnswer { .. }
            | Self::Stalled { .. }
            | Self::EndedEarly { .. }
            | Self::WrongPart { .. } => Some(Duration::ZERO),
            Self::Refused(_)
            | Self::Redirects { .. }
            | Self::Status { .. }
            | Self::TooSlow { .. }
            | Self::TooLarge { .. }
            | Self::DigestMismatch { .. }
            | Self::Disk(_) => None,
        }
    }
}

/// Answers of a server that may answer otherwise in a moment.
fn is_passing(status: StatusCode) -> bool {
    status.is_server_error()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
        )
}

fn advice(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND | StatusCode::GONE => {
            ": there is no bundle at this URL (any more); publish the event again once it is there"
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            ": it does not let us have the bundle; the URL may have expired: sign it for longer"
        }
        status if is_passing(status) => "",
        _ => ", which brings no bundle: give a URL that answers a GET with the file",
    }
}

impl From<FetchError> for BundlesError {
    fn from(error: FetchError) -> Self {
        let (message, failure) = (error.to_string(), error.failure());
        let source: Option<Box<dyn Error + Send + Sync>> = match error {
            FetchError::Unreachable { source, .. } => Some(Box::new(source)),
            FetchError::Disk(source) => Some(Box::new(source)),
            FetchError::Refused(_)
            | FetchError::Redirects { .. }
            | FetchError::Status { .. }
            | FetchError::NoAnswer { .. }
            | FetchError::Stalled { .. }
            | FetchError::EndedEarly { .. }
            | FetchError::WrongPart { .. }
            | FetchError::TooSlow { .. }
            | FetchError::TooLarge { .. }
            | FetchError::DigestMismatch { .. } => None,
        };
        Self {
            message,
            failure,
            source,
        }
    }
}
