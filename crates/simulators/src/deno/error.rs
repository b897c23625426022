//! What the API answers when it refuses.
//!
//! The published document promises `{"error": {"code", "message"}}`, while both official clients read a flat
//! `{"code", "message"}`. Which of them the wire uses is not known, so a client must read both, and
//! [`ErrorShape`](super::knobs::ErrorShape) chooses. Codes that were seen in live answers: `INVALID_TOKEN`, `MALFORMED_REQUEST`,
//! `CUSTOM_DOMAIN_LIMIT_EXCEEDED`, `REVISION_RETENTION_NOT_AVAILABLE`. The others are names of this simulator: only their status is
//! a fact, and a client that decides by them is mistaken.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::knobs::ErrorShape;

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{status} {code}: {message}")]
pub(crate) struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }

    /// The body or a parameter is not what the API takes.
    pub(crate) fn malformed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "MALFORMED_REQUEST", message)
    }

    /// A field is not what the API takes; the message ends with its path.
    pub(crate) fn invalid_at(path: &str) -> Self {
        Self::malformed(format!("Invalid input at {path}"))
    }

    pub(crate) fn not_found(what: &str, name: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "NOT_FOUND",
            format!("{what} '{name}' was not found"),
        )
    }

    pub(crate) fn method_not_allowed(method: &Method, path: &str) -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "METHOD_NOT_ALLOWED",
            format!("{method} is not a method of {path}"),
        )
    }

    pub(crate) fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, message)
    }

    pub(crate) fn invalid_token() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "INVALID_TOKEN",
            "The access token is missing, unknown, or not an organization token",
        )
    }

    pub(crate) fn too_large(limit_bytes: u64) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "PAYLOAD_TOO_LARGE",
            format!("The body is larger than the {limit_bytes} bytes that are allowed"),
        )
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn body(&self, shape: ErrorShape) -> Value {
        body(shape, self.code, &self.message)
    }
}

/// An error's body in the shape wanted.
pub(crate) fn body(shape: ErrorShape, code: &str, message: &str) -> Value {
    let flat = json!({ "code": code, "message": message });
    match shape {
        ErrorShape::Flat => flat,
        ErrorShape::Nested => json!({ "error": flat }),
    }
}
