//! What can go wrong with Vercel, and what follows.

use std::time::Duration;

use foreshow_contract::{ProviderName, Timestamp};
use foreshow_engine::{Failure, ProviderError, code};
use http::HeaderMap;
use serde_json::Value;

use super::NAME;
use crate::http::{ClientError, Dialect, Operation, Refusal, Words};

/// The provider can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum VercelError {
    /// A setting is wrong.
    #[error("vercel.{key} {what}")]
    Settings {
        /// Which one.
        key: &'static str,
        /// What is wrong with it, and how to mend it.
        what: &'static str,
    },
    /// The client can't be made.
    #[error("the client of Vercel's API can't be made")]
    Client(#[from] ClientError),
}

/// How Vercel speaks.
pub(super) static DIALECT: Dialect = Dialect {
    provider: NAME,
    request_id: "x-vercel-id",
    words: |body| body.get("error").map(Words::of).unwrap_or_default(),
    wait,
    failure,
};

/// `error.limit.reset` in seconds, or the header that some endpoints have instead.
fn wait(headers: &HeaderMap, body: Option<&Value>, now: Timestamp) -> Option<Duration> {
    let in_body = body.and_then(|body| body.get("error")?.get("limit")?.get("reset")?.as_f64());
    let in_header = || {
        let reset = headers.get("x-ratelimit-reset")?.to_str().ok()?;
        reset.trim().parse().ok()
    };
    let reset_seconds: f64 = in_body.or_else(in_header)?;
    let since_epoch = Duration::try_from_secs_f64(reset_seconds).ok()?;
    let at = Timestamp::from_micros(0).checked_add(since_epoch)?;
    Some(at.saturating_since(now))
}

/// Where a code says more than its status. Statuses differ between endpoints and years: codes do not.
fn failure(_: &Operation, refusal: &Refusal) -> Option<Failure> {
    match refusal.code.as_deref()? {
        "rate_limited" | "builds_rate_limited" | "too_many_requests" => {
            Some(refusal.rate_limited())
        }
        "too_many_files" | "size_limit_exceeded" | "body_too_large" => {
            Some(Failure::Permanent(code::TOO_LARGE_FOR_PROVIDER))
        }
        "payment_failed" | "upgrade_required" | "too_many_projects" => {
            Some(Failure::Permanent(code::PROVIDER_PAYMENT_REQUIRED))
        }
        "forbidden" | "not_authorized" | "team_unauthorized" => {
            Some(Failure::Permanent(code::PROVIDER_UNAUTHORIZED))
        }
        // Only just not: the deployment ends its build, a certificate is made, or what was uploaded is not seen everywhere yet.
        "deployment_not_ready" | "cert_missing" | "missing_files" => Some(Failure::Retryable {
            after: refusal.wait,
        }),
        "internal_server_error" => Some(Failure::ProviderDown),
        _ => None,
    }
}

/// An error that no answer of Vercel's is behind.
pub(super) fn error(
    operation: &'static str,
    failure: Failure,
    message: impl Into<String>,
) -> ProviderError {
    ProviderError {
        provider: ProviderName::from(NAME),
        operation,
        message: message.into(),
        failure,
        source: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_limits_end_is_read_from_the_body_or_else_from_the_header() {
        let now = Timestamp::from_micros(1_000_000_000);
        let body =
            json!({"error": {"code": "rate_limited", "limit": {"reset": 1_060, "total": 1}}});
        let mut headers = HeaderMap::new();
        headers.insert("x-ratelimit-reset", "1010".parse().unwrap());
        let seconds = |wait: Option<Duration>| wait.map(|wait| wait.as_secs());
        assert_eq!(seconds(wait(&headers, Some(&body), now)), Some(60));
        assert_eq!(seconds(wait(&headers, Some(&json!({})), now)), Some(10));
        assert_eq!(wait(&HeaderMap::new(), None, now), None);
        let past = json!({"error": {"limit": {"reset": 5}}});
        assert_eq!(seconds(wait(&headers, Some(&past), now)), Some(0));
        let nonsense = json!({"error": {"limit": {"reset": -1e300}}});
        assert_eq!(wait(&HeaderMap::new(), Some(&nonsense), now), None);
    }
}
