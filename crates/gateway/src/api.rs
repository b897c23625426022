//! How the API says no: `{"error":{"code","message"}}`, a stable code for programs and a sentence that says what to do.

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};

use crate::guard::Refusal;
use crate::pages;

/// What the API refuses to do, or can't.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) code: Cow<'static, str>,
    pub(crate) message: Cow<'static, str>,
    /// When asking again may help.
    pub(crate) retry_after_seconds: Option<u32>,
}

/// The same on the wire.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ErrorBody {
    pub(crate) error: ErrorText,
}

/// The code and the sentence.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ErrorText {
    pub(crate) code: String,
    pub(crate) message: String,
}

impl ApiError {
    pub(crate) fn new(
        status: StatusCode,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            status,
            code: code.into(),
            message: message.into(),
            retry_after_seconds: None,
        }
    }

    /// Trouble that passes.
    pub(crate) fn unavailable(message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            retry_after_seconds: Some(1),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message)
        }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.status, refusal.code, refusal.message)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = ErrorBody {
            error: ErrorText {
                code: self.code.into_owned(),
                message: self.message.into_owned(),
            },
        };
        let mut response = pages::json(&body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// Whether a path is the API's, where programs ask.
pub(crate) fn is_api(path: &str) -> bool {
    path.starts_with("/v1/")
}
