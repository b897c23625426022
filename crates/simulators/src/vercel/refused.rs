//! Refusals in Vercel's words: `{"error": {"code", "message", …}}`.

use std::time::Duration;

use axum::response::Response;
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::{Map, Value, json};

use crate::core::{self, Refusal};

/// Why a call is refused.
#[derive(Clone, Debug)]
pub(super) struct Refused {
    status: StatusCode,
    error: Map<String, Value>,
    limit: Option<Limit>,
}

/// A limit as Vercel tells it.
#[derive(Clone, Copy, Debug)]
struct Limit {
    total: u64,
    reset_ms: u64,
}

impl Refused {
    pub(super) fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        let mut error = Map::new();
        error.insert("code".to_owned(), code.into());
        error.insert("message".to_owned(), message.into().into());
        Self {
            status,
            error,
            limit: None,
        }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    pub(super) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    pub(super) fn conflict(code: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, message)
    }

    /// One more than the account's limit of that name.
    pub(super) fn limited(name: &str, total: u64, reset_ms: u64) -> Self {
        let message =
            format!("Resource is limited - try again later (more than {total}, code: \"{name}\").");
        let mut refused = Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", message)
            .with("name", name.into());
        refused.limit = Some(Limit { total, reset_ms });
        refused
    }

    /// With another field beside code and message.
    pub(super) fn with(mut self, name: &str, value: Value) -> Self {
        self.error.insert(name.to_owned(), value);
        self
    }

    pub(super) fn into_response(mut self) -> Response {
        if let Some(limit) = self.limit {
            let told = json!({
                "remaining": 0,
                "reset": limit.reset_ms.div_ceil(1000),
                "resetMs": limit.reset_ms,
                "total": limit.total,
            });
            self.error.insert("limit".to_owned(), told);
        }
        let mut response = core::json(self.status, &json!({"error": self.error}));
        if let Some(limit) = self.limit {
            let mut tell = |name, value: u64| {
                response
                    .headers_mut()
                    .insert(HeaderName::from_static(name), HeaderValue::from(value));
            };
            tell("x-ratelimit-limit", limit.total);
            tell("x-ratelimit-remaining", 0);
            tell("x-ratelimit-reset", limit.reset_ms.div_ceil(1000));
        }
        response
    }
}

/// Words what `core` refuses.
pub(super) fn refuse(refusal: Refusal, now_ms: u64) -> Response {
    match refusal {
        Refusal::UnknownCall { .. } => {
            Refused::not_found("The requested API endpoint was not found.")
        }
        Refusal::TooLarge { .. } => too_large(),
        Refusal::Status {
            status,
            code,
            message,
        } => {
            let code = code.unwrap_or_else(|| code_of(status).to_owned());
            let message = message.unwrap_or_else(|| "An unexpected error happened.".to_owned());
            Refused::new(status, &code, message)
        }
        Refusal::RateLimited {
            limit,
            reset_after: Some(after),
        } => Refused::limited("api-simulated", limit, now_ms + millis(after)),
        Refusal::RateLimited {
            reset_after: None, ..
        } => Refused::new(
            StatusCode::TOO_MANY_REQUESTS,
            "rate_limited",
            "The rate limit of this endpoint was exceeded.",
        ),
    }
    .into_response()
}

pub(super) fn too_large() -> Refused {
    Refused::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "request_entity_too_large",
        "The request body is too large.",
    )
}

fn code_of(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "not_authorized",
        402 => "payment_failed",
        403 => "forbidden",
        404 => "not_found",
        409 => "conflict",
        410 => "gone",
        429 => "rate_limited",
        500..=599 => "internal_server_error",
        _ => "bad_request",
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
