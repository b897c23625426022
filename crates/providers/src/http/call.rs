//! One call: put together, sent, timed, counted, and repeated where that is harmless.

use std::io;
use std::num::NonZeroU32;
use std::time::Duration;

use bytes::Bytes;
use foreshow_bundle::Content;
use foreshow_contract::{Secret, Timestamp};
use foreshow_engine::retry::Backoff;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use reqwest::{Body, Response};
use serde::Serialize;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::io::ReaderStream;
use tracing::debug;

use super::hints::retry_after;
use super::words::{code, scrub};
use super::{
    Answer, ApiClient, ApiError, Dialect, Operation, Refusal, Repeat, Trouble, Words, observe,
};

/// What an ordinary call may take, its answer included.
const ENDS_WITHIN: Duration = Duration::from_secs(20);
/// The slowest upload that still makes sense, in bytes a second.
const SLOWEST_UPLOAD: u64 = 64 << 10;
/// What an ordinary answer may have.
const LARGEST_ANSWER: usize = 8 << 20;
/// What is read of an error's body.
const LARGEST_ERROR: usize = 256 << 10;
/// How often a harmless call is sent, at most.
const TRIES: NonZeroU32 = NonZeroU32::new(3).expect("3 is not 0");
/// A call that has taken so long is not sent again: its caller holds a lease meanwhile.
const REPEATS_WITHIN: Duration = Duration::from_secs(25);
/// The bounds of the waits in between, drawn with full jitter.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(2));
/// How much of a file is read at a time.
const READ_BYTES: usize = 64 << 10;

/// A call that has not been sent.
#[must_use = "a call does nothing until it is sent"]
pub struct Call<'a> {
    client: &'a ApiClient,
    operation: &'static Operation,
    url: Result<reqwest::Url, Trouble>,
    headers: HeaderMap,
    body: Payload,
    secrets: Vec<Secret>,
    answers_within: Duration,
    sends_within: Duration,
    up_to: usize,
}

enum Payload {
    None,
    Bytes(Bytes),
    File(Content),
}

impl<'a> Call<'a> {
    pub(super) fn new(client: &'a ApiClient, operation: &'static Operation, args: &[&str]) -> Self {
        let url = client.inner.url.join(operation.path, args);
        Self {
            client,
            operation,
            url: url.ok_or_else(|| Trouble::NotAsked {
                why: "an argument can't stand in its path".to_owned(),
            }),
            headers: HeaderMap::new(),
            body: Payload::None,
            secrets: Vec::new(),
            answers_within: ENDS_WITHIN,
            sends_within: Duration::ZERO,
            up_to: LARGEST_ANSWER,
        }
    }

    /// Adds to the query.
    pub fn query(mut self, name: &str, value: &str) -> Self {
        if let Ok(url) = &mut self.url {
            url.query_pairs_mut().append_pair(name, value);
        }
        self
    }

    /// Adds a header.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Sends JSON.
    pub fn json(mut self, body: &impl Serialize) -> Self {
        match serde_json::to_vec(body) {
            Ok(body) => {
                self.headers
                    .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                self = self.bytes(body.into());
            }
            Err(_) => {
                self.url = Err(Trouble::NotAsked {
                    why: "its body can't be written as JSON".to_owned(),
                });
            }
        }
        self
    }

    /// Sends bytes.
    pub fn bytes(mut self, body: Bytes) -> Self {
        self.sends_within = sends_within(body.len() as u64);
        self.body = Payload::Bytes(body);
        self
    }

    /// Sends a file, read as it goes: again from its beginning where the call is repeated.
    pub fn file(mut self, content: Content) -> Self {
        self.sends_within = sends_within(content.len_bytes());
        self.body = Payload::File(content);
        self
    }

    /// What must not stand in an error's message, beside what the client knows: environment values.
    pub fn hiding<'s>(mut self, secrets: impl IntoIterator<Item = &'s Secret>) -> Self {
        self.secrets.extend(secrets.into_iter().cloned());
        self
    }

    /// What the call may take, its answer included, beside the time for sending what it carries.
    pub fn within(mut self, within: Duration) -> Self {
        self.answers_within = within;
        self
    }

    /// How many bytes the answer may have.
    pub fn up_to(mut self, limit_bytes: usize) -> Self {
        self.up_to = limit_bytes;
        self
    }

    /// Sends it; an answer is a 2xx.
    ///
    /// # Errors
    /// [`ApiError`] for everything else. Where the operation is not [harmless](Repeat::Harmless) it may have been done.
    pub async fn send(self) -> Result<Answer, ApiError> {
        self.send_and(Reading::Whole).await
    }

    /// Sends it, and reads what comes until the stream ends, its time is over or it is as long as it may be: for logs that
    /// are followed.
    ///
    /// # Errors
    /// [`ApiError`] where no answer begins.
    pub async fn send_and_listen(self) -> Result<Answer, ApiError> {
        self.send_and(Reading::WhatComes).await
    }

    async fn send_and(mut self, reading: Reading) -> Result<Answer, ApiError> {
        let url =
            match std::mem::replace(&mut self.url, Err(Trouble::NotAsked { why: String::new() })) {
                Ok(url) => url,
                Err(trouble) => return Err(self.error(trouble)),
            };
        let began_at = Instant::now();
        let mut attempt = NonZeroU32::MIN;
        loop {
            let error = match self.once(&url, reading).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if self.operation.repeat == Repeat::Never
                || attempt >= TRIES
                || !error.is_passing()
                || began_at.elapsed() >= REPEATS_WITHIN
            {
                return Err(error);
            }
            let backoff = Backoff::try_new(BACKOFF.0, BACKOFF.1).expect("200 ms is below 2 s");
            sleep(backoff.sample(attempt, &mut fastrand::Rng::new())).await;
            attempt = attempt.saturating_add(1);
        }
    }

    async fn once(&self, url: &reqwest::Url, reading: Reading) -> Result<Answer, ApiError> {
        let began_at = Instant::now();
        let result = self
            .exchange(url, reading, began_at + self.takes_at_most())
            .await;
        let took = began_at.elapsed();
        let (status, request_id) = match &result {
            Ok(answer) => (Some(answer.status()), answer.request_id()),
            Err(Trouble::Refused(refusal)) => (Some(refusal.status), refusal.request_id.as_deref()),
            Err(Trouble::Unreadable {
                status, request_id, ..
            }) => (Some(*status), request_id.as_deref()),
            Err(
                Trouble::Unreachable(_)
                | Trouble::TimedOut { .. }
                | Trouble::TooLarge { .. }
                | Trouble::Unread(_)
                | Trouble::NotAsked { .. },
            ) => (None, None),
        };
        let provider = self.client.inner.dialect.provider;
        observe::called(provider, self.operation, status, took);
        debug!(
            provider,
            operation = self.operation.name,
            status = status.map(|status| status.as_u16()),
            duration_ms = took.as_millis(),
            request.id = request_id,
            "{} {}",
            self.operation.method,
            self.operation.path
        );
        result.map_err(|trouble| self.error(trouble))
    }

    async fn exchange(
        &self,
        url: &reqwest::Url,
        reading: Reading,
        ends_at: Instant,
    ) -> Result<Answer, Trouble> {
        let inner = &self.client.inner;
        let mut request = inner
            .http
            .request(self.operation.method.clone(), url.clone())
            .headers(self.headers.clone())
            .header(AUTHORIZATION, inner.authorization.clone());
        if let Some((body, len)) = self.body().await? {
            request = request.header(CONTENT_LENGTH, len).body(body);
        }
        let late = |_| Trouble::TimedOut {
            within: self.takes_at_most(),
        };
        let response = timeout_at(ends_at, request.send())
            .await
            .map_err(late)?
            .map_err(|error| self.broken(error))?;
        if !response.status().is_success() {
            let read = read(response, LARGEST_ERROR, Reading::WhatComes, ends_at);
            let (status, headers, body) = read.await.map_err(|end| self.ended(end))?;
            return Err(Trouble::Refused(self.refusal(status, &headers, body)));
        }
        let read = read(response, self.up_to, reading, ends_at);
        let (status, headers, body) = read.await.map_err(|end| self.ended(end))?;
        Ok(Answer::new(
            inner.dialect,
            self.operation,
            status,
            headers,
            body,
        ))
    }

    /// The body, new for every try, and its length.
    async fn body(&self) -> Result<Option<(Body, u64)>, Trouble> {
        Ok(match &self.body {
            Payload::None => None,
            Payload::Bytes(bytes) | Payload::File(Content::Bytes(bytes)) => {
                Some((Body::from(bytes.clone()), bytes.len() as u64))
            }
            Payload::File(Content::Slice {
                file,
                offset_bytes,
                len_bytes,
            }) => {
                let mut file = tokio::fs::File::open(file.path())
                    .await
                    .map_err(Trouble::Unread)?;
                file.seek(io::SeekFrom::Start(*offset_bytes))
                    .await
                    .map_err(Trouble::Unread)?;
                let stream = ReaderStream::with_capacity(file.take(*len_bytes), READ_BYTES);
                Some((Body::wrap_stream(stream), *len_bytes))
            }
        })
    }

    fn refusal(&self, status: StatusCode, headers: &HeaderMap, body: Bytes) -> Refusal {
        let client = &self.client.inner;
        let secrets: Vec<_> = client.hidden.iter().chain(&self.secrets).collect();
        Refusal::read(
            client.dialect,
            status,
            headers,
            body,
            &secrets,
            self.client.now(),
        )
    }

    fn takes_at_most(&self) -> Duration {
        self.answers_within + self.sends_within
    }

    fn broken(&self, error: reqwest::Error) -> Trouble {
        if error.is_timeout() && !error.is_connect() {
            return Trouble::TimedOut {
                within: self.takes_at_most(),
            };
        }
        // Its URL has ids in it.
        Trouble::Unreachable(error.without_url())
    }

    fn ended(&self, end: End) -> Trouble {
        match end {
            End::Late => Trouble::TimedOut {
                within: self.takes_at_most(),
            },
            End::Broken(error) => self.broken(error),
            End::TooLarge { limit_bytes } => Trouble::TooLarge { limit_bytes },
        }
    }

    fn error(&self, trouble: Trouble) -> ApiError {
        ApiError::new(self.client.inner.dialect, self.operation, trouble)
    }
}

/// How much of an answer is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// All of it, or none.
    Whole,
    /// What comes, as far as it comes.
    WhatComes,
}

/// Why an answer was not read to its end.
enum End {
    Late,
    Broken(reqwest::Error),
    TooLarge { limit_bytes: usize },
}

async fn read(
    mut response: Response,
    limit_bytes: usize,
    reading: Reading,
    ends_at: Instant,
) -> Result<(StatusCode, HeaderMap, Bytes), End> {
    let (status, headers) = (response.status(), response.headers().clone());
    let said = response
        .content_length()
        .and_then(|length| usize::try_from(length).ok())
        .unwrap_or(0);
    if reading == Reading::Whole && said > limit_bytes {
        return Err(End::TooLarge { limit_bytes });
    }
    let mut body = Vec::with_capacity(said.min(limit_bytes).min(READ_BYTES));
    let end = loop {
        match timeout_at(ends_at, response.chunk()).await {
            Ok(Ok(Some(chunk))) => {
                let room = limit_bytes - body.len();
                body.extend_from_slice(&chunk[..chunk.len().min(room)]);
                if chunk.len() > room {
                    break End::TooLarge { limit_bytes };
                }
            }
            Ok(Ok(None)) => return Ok((status, headers, body.into())),
            Ok(Err(error)) => break End::Broken(error),
            Err(_) => break End::Late,
        }
    };
    match reading {
        Reading::Whole => Err(end),
        Reading::WhatComes => Ok((status, headers, body.into())),
    }
}

impl Refusal {
    /// Reads an answer that is no success, in the vendor's dialect. What is secret is told nowhere in it.
    pub(crate) fn read(
        dialect: &Dialect,
        status: StatusCode,
        headers: &HeaderMap,
        body: Bytes,
        secrets: &[&Secret],
        now: Timestamp,
    ) -> Self {
        let json = serde_json::from_slice(&body).ok();
        let words = json.as_ref().map_or_else(Words::default, dialect.words);
        let is_hinting = matches!(status.as_u16(), 403 | 429 | 503);
        Self {
            status,
            code: words.code.and_then(|word| code(word, secrets)),
            message: words
                .message
                .map(|message| scrub(&message, secrets.iter().copied())),
            request_id: request_id(headers, dialect.request_id),
            wait: retry_after(headers, now).or_else(|| {
                is_hinting
                    .then(|| (dialect.wait)(headers, json.as_ref(), now))
                    .flatten()
            }),
            at: now,
            body,
        }
    }
}

/// The vendor's name of a request: it goes into logs, so what is no name is none.
pub(super) fn request_id(headers: &HeaderMap, name: &str) -> Option<String> {
    let id = headers.get(name)?.to_str().ok()?;
    let is_name = (1..=128).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(&byte));
    is_name.then(|| id.to_owned())
}

fn sends_within(len_bytes: u64) -> Duration {
    Duration::from_secs(len_bytes / SLOWEST_UPLOAD)
}
