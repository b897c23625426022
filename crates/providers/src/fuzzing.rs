//! What reads vendors' answers, for fuzz targets: any bytes as the answer to any question.

use bytes::Bytes;
use foreshow_contract::{Secret, Timestamp};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::de::DeserializeOwned;

pub use crate::deno::fuzzing::answer as deno;
pub use crate::vercel::fuzzing::answer as vercel;

use crate::http::{Answer, ApiError, Dialect, Operation, Refusal, Trouble};

/// An answer, as it may come over a wire.
pub struct Wire<'a> {
    /// Its status, where that is one.
    pub status: u16,
    /// The value of the headers that are read: the type, the hint to wait, the link, the request's name.
    pub header: &'a [u8],
    /// Its body.
    pub body: &'a [u8],
    /// What must not be told.
    pub secret: &'a Secret,
    /// Whether the question was about what a tenant sent.
    pub concerns_tenant: bool,
}

/// What would be said of an answer.
#[derive(Default)]
pub struct Told {
    /// Errors, for the log and for tenants: without what is secret.
    pub errors: Vec<String>,
    /// Lines for the tenant whose build failed; the engine takes secrets out of them.
    pub lines: Vec<String>,
}

static ASKED: Operation = Operation::harmless("ask", "ask", http::Method::GET, "/{anything}");
static ASKED_FOR_TENANT: Operation =
    Operation::harmless("ask", "ask", http::Method::GET, "/{anything}").of_tenants_files();

impl Told {
    fn error(&mut self, error: &ApiError) {
        self.errors.push(error.to_string());
        self.errors.push(error.public_message());
        // What follows is decided without a panic.
        _ = error.failure();
        _ = error.is_not_there();
    }

    /// Reads the body as `T`, and tells of what cannot be read.
    pub(crate) fn read<T: DeserializeOwned>(&mut self, answer: &Answer) -> Option<T> {
        answer
            .json()
            .map_err(|error: ApiError| self.error(&error))
            .ok()
    }
}

impl Wire<'_> {
    fn operation(&self) -> &'static Operation {
        if self.concerns_tenant {
            &ASKED_FOR_TENANT
        } else {
            &ASKED
        }
    }

    fn headers(&self, dialect: &Dialect) -> HeaderMap {
        let Ok(value) = HeaderValue::from_bytes(self.header) else {
            return HeaderMap::new();
        };
        let names = [
            "content-type",
            "retry-after",
            "link",
            "x-ratelimit-reset",
            dialect.request_id,
        ];
        names
            .into_iter()
            .map(|name| (HeaderName::from_static(name), value.clone()))
            .collect()
    }

    /// The answer, where it says that all is well; else what is told of it is told.
    pub(crate) fn answer(&self, dialect: &'static Dialect, told: &mut Told) -> Option<Answer> {
        let status = StatusCode::from_u16(self.status).ok()?;
        let (headers, body) = (self.headers(dialect), Bytes::copy_from_slice(self.body));
        let operation = self.operation();
        if status.is_success() {
            return Some(Answer::new(dialect, operation, status, headers, body));
        }
        let now = Timestamp::from_micros(1_790_000_000_000_000);
        let refusal = Refusal::read(dialect, status, &headers, body, &[self.secret], now);
        told.error(&ApiError::new(
            dialect,
            operation,
            Trouble::Refused(refusal),
        ));
        None
    }
}
