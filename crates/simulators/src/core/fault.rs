//! What can go wrong with a call, as rules that are written down: in Rust, or as JSON for `POST /_simulator/faults`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Operation;

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Of which operation, e.g. `create_deployment`; absent = of all.
    #[serde(default)]
    pub operation: Option<String>,
    /// How many calls that fit are let through first.
    #[serde(default)]
    pub skip: u64,
    /// How many calls it is applied to; absent = until it is switched off.
    #[serde(default)]
    pub times: Option<u64>,
    /// What happens to them.
    pub what: FaultKind,
}

/// What happens to a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum FaultKind {
    /// A status with the vendor's error body.
    Status {
        /// The status.
        status: u16,
        /// The vendor's code; without, one that goes with the status.
        #[serde(default)]
        code: Option<String>,
        /// The message; without, any.
        #[serde(default)]
        message: Option<String>,
        /// Whether what was asked is done nevertheless.
        #[serde(default)]
        is_done: bool,
    },
    /// A status with a page in HTML, as a proxy in between answers.
    Html {
        /// The status.
        status: u16,
        /// Whether what was asked is done nevertheless.
        #[serde(default)]
        is_done: bool,
    },
    /// Too many calls.
    RateLimit(RateLimit),
    /// Never answers, and does nothing.
    Hang,
    /// Waits, then goes on as if nothing were.
    Slow {
        /// How long.
        ms: u64,
    },
    /// The connection is cut before anything is done.
    ResetBefore,
    /// What was asked is done; then the connection is cut without a byte of an answer.
    ResetAfter,
    /// What was asked is done; the answer is cut in the middle of its JSON, and looks complete to HTTP.
    MalformedJson,
    /// What was asked is done; the answer is JSON, and very long.
    HugeBody {
        /// How long.
        bytes: u64,
    },
}

/// Too many calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimit {
    /// How the caller is told when to come again.
    pub hint: RateHint,
    /// How many calls are let through in a window. 0 = none: all are refused.
    pub limit: u64,
    /// The window, in milliseconds.
    pub window_ms: u64,
}

impl Default for RateLimit {
    fn default() -> Self {
        Self {
            hint: RateHint::Vendor,
            limit: 0,
            window_ms: 60_000,
        }
    }
}

/// How the caller of a limited API is told when to come again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "style", rename_all = "snake_case", deny_unknown_fields)]
pub enum RateHint {
    /// Not at all.
    None,
    /// By `Retry-After` alone.
    RetryAfter {
        /// In so many seconds; absent = when the window has room again, rounded up.
        #[serde(default)]
        seconds: Option<u64>,
        /// As an HTTP date instead of seconds.
        #[serde(default)]
        as_date: bool,
    },
    /// In the vendor's own body and headers: when the window has room again.
    Vendor,
    /// In 24 hours, always, by `Retry-After` and in the vendor's own way: a hint that one should not believe.
    Far,
}

/// How far away "far" is.
pub(crate) const FAR: Duration = Duration::from_hours(24);

impl Fault {
    /// Of all operations, until it is switched off.
    pub fn new(what: FaultKind) -> Self {
        Self {
            operation: None,
            skip: 0,
            times: None,
            what,
        }
    }

    /// A status with the vendor's error body.
    pub fn status(status: u16) -> Self {
        Self::new(FaultKind::Status {
            status,
            code: None,
            message: None,
            is_done: false,
        })
    }

    /// Refuses every call as one too many.
    pub fn rate_limit(hint: RateHint) -> Self {
        Self::new(FaultKind::RateLimit(RateLimit {
            hint,
            ..RateLimit::default()
        }))
    }

    /// Only of one operation.
    pub fn on(mut self, operation: impl Operation) -> Self {
        self.operation = Some(operation.name().to_owned());
        self
    }

    /// Only for so many calls.
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// Only after so many calls that went well.
    pub fn after(mut self, skip: u64) -> Self {
        self.skip = skip;
        self
    }
}

impl FaultKind {
    /// Its name in the ledger.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Status { .. } => "status",
            Self::Html { .. } => "html",
            Self::RateLimit(_) => "rate_limit",
            Self::Hang => "hang",
            Self::Slow { .. } => "slow",
            Self::ResetBefore => "reset_before",
            Self::ResetAfter => "reset_after",
            Self::MalformedJson => "malformed_json",
            Self::HugeBody { .. } => "huge_body",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_readable_from_the_json_that_the_readme_shows() {
        let fault: Fault = serde_json::from_str(
            r#"{"operation": "upload_file", "times": 2, "what": {"kind": "rate_limit", "hint": {"style": "retry_after", "seconds": 3}}}"#,
        )
        .expect("it is a rule");
        assert!(matches!(
            fault.what,
            FaultKind::RateLimit(RateLimit { limit: 0, .. })
        ));
        assert!(serde_json::from_str::<Fault>(r#"{"what": {"kind": "hang"}, "tims": 1}"#).is_err());
    }
}
