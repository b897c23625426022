//! What went wrong with a call, and what follows.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use foreshow_contract::{ProviderName, Timestamp};
use foreshow_engine::{Failure, ProviderError, code};
use http::StatusCode;
use serde::de::DeserializeOwned;

use super::hints::DEFAULT_WAIT;
use super::{Dialect, Operation};

/// A call did not do what was asked. `Display` is for the log; [`public_message`](Self::public_message) for tenants.
#[derive(Debug)]
pub struct ApiError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    dialect: &'static Dialect,
    operation: &'static Operation,
    trouble: Trouble,
}

/// What happened.
#[derive(Debug)]
pub enum Trouble {
    /// No connection, or it broke: whether the call was heard is not known.
    Unreachable(reqwest::Error),
    /// No answer, or not all of it, in time: whether the call was heard is not known.
    TimedOut {
        /// The time it had.
        within: Duration,
    },
    /// The vendor said no.
    Refused(Refusal),
    /// The vendor said yes, in words that can't be read.
    Unreadable {
        /// The status.
        status: StatusCode,
        /// What is wrong with them, without quoting.
        why: String,
        /// The vendor's name of the request.
        request_id: Option<String>,
    },
    /// The answer goes on beyond its bound.
    TooLarge {
        /// The bound.
        limit_bytes: usize,
    },
    /// A file that is to be sent can't be read here.
    Unread(std::io::Error),
    /// It can't be asked so: a defect of ours, or a record that is damaged.
    NotAsked {
        /// Why not.
        why: String,
    },
}

/// An answer that is no success.
#[derive(Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The status.
    pub status: StatusCode,
    /// The vendor's code.
    pub code: Option<String>,
    /// The vendor's message, [scrubbed](super::scrub).
    pub message: Option<String>,
    /// The vendor's name of the request.
    pub request_id: Option<String>,
    /// How long it asks to wait.
    pub wait: Option<Duration>,
    /// When it was read.
    pub at: Timestamp,
    pub(super) body: Bytes,
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refusal")
            .field("status", &self.status)
            .field("code", &self.code)
            .field("message", &self.message)
            .field("request_id", &self.request_id)
            .field("wait", &self.wait)
            .finish_non_exhaustive()
    }
}

impl Refusal {
    /// Asked to wait: as long as the vendor says, or for a while.
    pub fn rate_limited(&self) -> Failure {
        let wait = self.wait.unwrap_or(DEFAULT_WAIT);
        Failure::RateLimited {
            until: self.at.saturating_add(wait),
        }
    }

    /// Whether the vendor's code is this one.
    pub fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    /// Whether the vendor itself said so, in its own form. A proxy, or another server at a wrong address, says it in other words.
    fn is_vendors(&self) -> bool {
        self.code.is_some() || self.message.is_some()
    }

    /// What else the error's body holds.
    pub fn json<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.body).ok()
    }

    fn failure(&self) -> Failure {
        match self.status.as_u16() {
            429 => self.rate_limited(),
            401 | 403 => Failure::Permanent(code::PROVIDER_UNAUTHORIZED),
            402 => Failure::Permanent(code::PROVIDER_PAYMENT_REQUIRED),
            413 => Failure::Permanent(code::TOO_LARGE_FOR_PROVIDER),
            // A redirect comes from something that stands in front of the API; 408 and 425 are said of a connection.
            ..=399 | 408 | 425 | 500.. => Failure::ProviderDown,
            404 | 410 if !self.is_vendors() => Failure::ProviderDown,
            400..=499 => Failure::Permanent(code::PROVIDER_REFUSED),
        }
    }
}

impl ApiError {
    pub(crate) fn new(
        dialect: &'static Dialect,
        operation: &'static Operation,
        trouble: Trouble,
    ) -> Self {
        Self(Box::new(Inner {
            dialect,
            operation,
            trouble,
        }))
    }

    /// What happened.
    pub fn trouble(&self) -> &Trouble {
        &self.0.trouble
    }

    /// What was asked.
    pub fn operation(&self) -> &'static Operation {
        self.0.operation
    }

    /// The vendor's refusal, where it answered with one.
    pub fn refusal(&self) -> Option<&Refusal> {
        match &self.0.trouble {
            Trouble::Refused(refusal) => Some(refusal),
            Trouble::Unreachable(_)
            | Trouble::TimedOut { .. }
            | Trouble::Unreadable { .. }
            | Trouble::TooLarge { .. }
            | Trouble::Unread(_)
            | Trouble::NotAsked { .. } => None,
        }
    }

    /// Whether it was refused with this status.
    pub fn is_status(&self, status: u16) -> bool {
        self.refusal()
            .is_some_and(|refusal| refusal.status.as_u16() == status)
    }

    /// Whether the vendor said that what was asked about is not there. Records are dropped on its word, so nobody else's counts.
    pub fn is_not_there(&self) -> bool {
        (self.is_status(404) || self.is_status(410))
            && self.refusal().is_some_and(Refusal::is_vendors)
    }

    /// Whether it was refused with this code of the vendor's.
    pub fn is_code(&self, code: &str) -> bool {
        self.refusal().is_some_and(|refusal| refusal.is(code))
    }

    /// What follows for the job.
    pub fn failure(&self) -> Failure {
        match &self.0.trouble {
            Trouble::Unreachable(_)
            | Trouble::TimedOut { .. }
            | Trouble::Unreadable { .. }
            | Trouble::TooLarge { .. } => Failure::ProviderDown,
            Trouble::Unread(_) => Failure::Retryable { after: None },
            Trouble::NotAsked { .. } => Failure::Permanent(code::INTERNAL),
            Trouble::Refused(refusal) => (self.0.dialect.failure)(self.0.operation, refusal)
                .unwrap_or_else(|| refusal.failure()),
        }
    }

    /// Whether the same call may do better in a moment.
    pub(super) fn is_passing(&self) -> bool {
        match &self.0.trouble {
            Trouble::Unreachable(_) | Trouble::TimedOut { .. } => true,
            Trouble::Refused(refusal) => {
                matches!(refusal.status.as_u16(), 500 | 502 | 503 | 504) && refusal.wait.is_none()
            }
            Trouble::Unreadable { .. }
            | Trouble::TooLarge { .. }
            | Trouble::Unread(_)
            | Trouble::NotAsked { .. } => false,
        }
    }

    /// What happened, for a tenant: nothing of the operator's account, and the vendor's words only where they are about what
    /// the tenant sent.
    pub fn public_message(&self) -> String {
        let refusal = match &self.0.trouble {
            Trouble::Unreachable(_) => return "it could not be reached".to_owned(),
            Trouble::TimedOut { .. } => return "it did not answer in time".to_owned(),
            Trouble::Unreadable { .. } | Trouble::TooLarge { .. } => {
                return "its answer could not be understood".to_owned();
            }
            Trouble::Unread(_) => return "a file could not be read by the worker".to_owned(),
            Trouble::NotAsked { .. } => return "it could not be asked".to_owned(),
            Trouble::Refused(refusal) => refusal,
        };
        let status = refusal.status.as_u16();
        match (self.failure(), &refusal.code) {
            (Failure::Permanent(code::PROVIDER_UNAUTHORIZED), _) => {
                "it refused this installation's credentials; an operator can mend it".to_owned()
            }
            (Failure::Permanent(code::PROVIDER_PAYMENT_REQUIRED), _) => {
                "this installation's account needs attention there; an operator can mend it"
                    .to_owned()
            }
            (Failure::Permanent(code::TOO_LARGE_FOR_PROVIDER), _) => {
                "the files are larger, or more, than it takes".to_owned()
            }
            (Failure::RateLimited { .. }, _) => "it asks to wait".to_owned(),
            (Failure::ProviderDown | Failure::ProviderClosed { .. }, _) => {
                format!("it answered with status {status}")
            }
            (Failure::Permanent(_) | Failure::Retryable { .. }, code) => {
                let said = code.clone().unwrap_or_else(|| format!("status {status}"));
                match &refusal.message {
                    Some(message) if self.0.operation.concerns_tenant => {
                        format!("{message} ({said})")
                    }
                    _ => format!("it refused ({said})"),
                }
            }
        }
    }

    /// The port's error: the message for tenants, with this beneath it for the log.
    pub fn into_provider_error(self) -> ProviderError {
        ProviderError {
            provider: ProviderName::from(self.0.dialect.provider),
            operation: self.0.operation.does,
            message: self.public_message(),
            failure: self.failure(),
            source: Some(Box::new(self)),
        }
    }
}

impl From<ApiError> for ProviderError {
    fn from(error: ApiError) -> Self {
        error.into_provider_error()
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner {
            operation, trouble, ..
        } = &*self.0;
        write!(f, "{} {} ", operation.method, operation.path)?;
        match trouble {
            Trouble::Unreachable(_) => f.write_str("was not answered"),
            Trouble::TimedOut { within } => write!(f, "was not answered within {within:?}"),
            Trouble::TooLarge { limit_bytes } => {
                write!(f, "was answered with more than {limit_bytes} bytes")
            }
            Trouble::Unread(_) => f.write_str("could not be sent: a file can't be read"),
            Trouble::NotAsked { why } => write!(f, "was not asked: {why}"),
            Trouble::Unreadable {
                status,
                why,
                request_id,
            } => {
                write!(f, "was answered {} with {why}", status.as_u16())?;
                named(f, request_id.as_deref())
            }
            Trouble::Refused(refusal) => {
                write!(f, "was answered {}", refusal.status.as_u16())?;
                if let Some(code) = &refusal.code {
                    write!(f, " {code}")?;
                }
                if let Some(message) = &refusal.message {
                    write!(f, ": {message}")?;
                }
                if let Some(wait) = refusal.wait {
                    write!(f, " (wait {} s)", wait.as_secs())?;
                }
                named(f, refusal.request_id.as_deref())
            }
        }
    }
}

fn named(f: &mut fmt::Formatter<'_>, request_id: Option<&str>) -> fmt::Result {
    match request_id {
        Some(id) => write!(f, " [request {id}]"),
        None => Ok(()),
    }
}

impl std::error::Error for ApiError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0.trouble {
            Trouble::Unreachable(source) => Some(source),
            Trouble::Unread(source) => Some(source),
            Trouble::TimedOut { .. }
            | Trouble::Refused(_)
            | Trouble::Unreadable { .. }
            | Trouble::TooLarge { .. }
            | Trouble::NotAsked { .. } => None,
        }
    }
}
