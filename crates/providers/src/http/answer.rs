//! What a vendor answered to a call that it did.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;

use super::call::request_id;
use super::{ApiError, Dialect, Operation, Trouble};

/// A 2xx. Its `Debug` has no body: a body may hold anything.
pub struct Answer {
    dialect: &'static Dialect,
    operation: &'static Operation,
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    request_id: Option<String>,
}

impl Answer {
    pub(crate) fn new(
        dialect: &'static Dialect,
        operation: &'static Operation,
        status: StatusCode,
        headers: HeaderMap,
        body: Bytes,
    ) -> Self {
        Self {
            request_id: request_id(&headers, dialect.request_id),
            dialect,
            operation,
            status,
            headers,
            body,
        }
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The bytes.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The media type, in lower case and without parameters.
    pub fn content_type(&self) -> Option<String> {
        let value = self.headers.get(CONTENT_TYPE)?.to_str().ok()?;
        let media = value.split(';').next()?.trim();
        Some(media.to_ascii_lowercase())
    }

    /// The media type for a message: what is none is not quoted.
    fn shown_type(&self) -> String {
        let is_media_type = |media: &String| {
            media.len() <= 100
                && media
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"/+-.".contains(&byte))
        };
        self.content_type()
            .filter(is_media_type)
            .unwrap_or_else(|| "something".to_owned())
    }

    /// The vendor's name of the request.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// Reads it as JSON.
    ///
    /// # Errors
    /// [`Trouble::Unreadable`], which names the place in the document and quotes nothing.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        let reader = &mut serde_json::Deserializer::from_slice(&self.body);
        serde_path_to_error::deserialize(reader).map_err(|error| {
            let path = error.path().to_string();
            self.unreadable(match error.inner().classify() {
                serde_json::error::Category::Data => {
                    format!("JSON that is not what it should be at {path}")
                }
                _ => format!("{} that is no JSON", self.shown_type()),
            })
        })
    }

    /// An error that says that this answer makes no sense.
    pub fn unreadable(&self, why: String) -> ApiError {
        let trouble = Trouble::Unreadable {
            status: self.status,
            why,
            request_id: self.request_id.clone(),
        };
        ApiError::new(self.dialect, self.operation, trouble)
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer")
            .field("operation", &self.operation.name)
            .field("status", &self.status)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}
