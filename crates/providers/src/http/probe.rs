//! Asking a preview's own URL, as a visitor would.
//!
//! No token is sent here. A redirect is an answer. Where the file's digest is known, only its very bytes count: a page of the
//! provider's, of a proxy's or of the revision before is not this revision. Nothing that goes wrong here says anything about
//! the provider's API, so nothing is an error: it is *not yet*.
//!
//! Hosts below `localhost`, where simulators serve, are connected to on 127.0.0.1 with the host in a header: not every
//! resolver knows them.

use std::path::Path;
use std::time::Duration;

use foreshow_contract::Sha256;
use foreshow_engine::{Probe, ProbeQuestion};
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HOST};
use http::{HeaderMap, HeaderValue, StatusCode};
use reqwest::{Response, Url};
use sha2::Digest as _;
use tokio::time::{Instant, timeout_at};
use tracing::debug;

use super::client::builder;
use super::{ApiUrl, ClientError};

/// What a visitor would wait for a page.
const ANSWERS_WITHIN: Duration = Duration::from_secs(15);
/// What is read of a page. A larger one is not compared: no provider's own page is that large.
const READ_AT_MOST: u64 = 16 << 20;
/// What a judge sees of a page.
const SHOWN_TO_JUDGE: usize = 4 << 10;

/// Tells, from the outside of an answer, whether somebody else than the deployment spoke: what was seen, for people.
pub type Judge = fn(&Sight<'_>) -> Option<String>;

/// What an answer looks like.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The first bytes of the body.
    pub beginning: &'a [u8],
}

/// Asks previews. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Prober {
    http: reqwest::Client,
    judge: Judge,
}

impl Prober {
    /// A prober of the previews that the API at `url` makes.
    ///
    /// # Errors
    /// [`ClientError`] where no client can be made.
    pub fn try_new(
        url: &ApiUrl,
        ca_file: Option<&Path>,
        judge: Judge,
    ) -> Result<Self, ClientError> {
        let http = builder(url, ca_file)?.build().map_err(ClientError::Http)?;
        Ok(Self { http, judge })
    }

    /// Asks `path` of the preview at `base` (`https://HOST`), sending `headers` along.
    pub async fn probe(
        &self,
        base: &str,
        question: ProbeQuestion<'_>,
        headers: HeaderMap,
    ) -> Probe {
        match self.look(base, question, headers).await {
            Ok(status) => Probe::Revision {
                status: status.as_u16(),
            },
            Err(seen) => {
                debug!("not this revision yet: {seen}");
                Probe::NotYet { seen }
            }
        }
    }

    async fn look(
        &self,
        base: &str,
        question: ProbeQuestion<'_>,
        headers: HeaderMap,
    ) -> Result<StatusCode, String> {
        let ends_at = Instant::now() + ANSWERS_WITHIN;
        let (url, host) = target(base, question.path)?;
        let mut request = self
            .http
            .get(url)
            .headers(headers)
            .header(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(host) = host {
            request = request.header(HOST, host);
        }
        let response = match timeout_at(ends_at, request.send()).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) if error.is_connect() => {
                return Err("no connection could be made".to_owned());
            }
            Ok(Err(_)) => return Err("the connection broke".to_owned()),
            Err(_) => return Err(format!("no answer within {ANSWERS_WITHIN:?}")),
        };
        let (status, answered) = (response.status(), response.headers().clone());
        let page = Page::read(response, ends_at).await?;
        let sight = Sight {
            status,
            headers: &answered,
            beginning: &page.beginning,
        };
        if let Some(seen) = (self.judge)(&sight) {
            return Err(seen);
        }
        let is_plain = answered
            .get(CONTENT_ENCODING)
            .is_none_or(|encoding| encoding == "identity");
        match (question.expected, page.sha256) {
            (Some(expected), Some(found)) if is_plain && *expected != found => Err(format!(
                "status {} with other content than this revision's",
                status.as_u16()
            )),
            _ => Ok(status),
        }
    }
}

/// What was read of a page.
struct Page {
    beginning: Vec<u8>,
    /// Of the whole; `None` where it is larger than is read.
    sha256: Option<Sha256>,
}

impl Page {
    async fn read(mut response: Response, ends_at: Instant) -> Result<Self, String> {
        let mut beginning = Vec::new();
        let mut hasher = sha2::Sha256::new();
        let mut len = 0;
        loop {
            let chunk = match timeout_at(ends_at, response.chunk()).await {
                Ok(Ok(chunk)) => chunk,
                Ok(Err(_)) => return Err("the answer broke off".to_owned()),
                Err(_) => return Err(format!("the answer did not end within {ANSWERS_WITHIN:?}")),
            };
            let Some(chunk) = chunk else {
                let sha256 = Some(Sha256::from_bytes(hasher.finalize().into()));
                return Ok(Self { beginning, sha256 });
            };
            let room = SHOWN_TO_JUDGE - beginning.len();
            beginning.extend_from_slice(&chunk[..chunk.len().min(room)]);
            hasher.update(&chunk);
            len += chunk.len() as u64;
            if len > READ_AT_MOST {
                let sha256 = None;
                return Ok(Self { beginning, sha256 });
            }
        }
    }
}

/// The URL to ask, and the `Host` to send where it differs.
fn target(base: &str, path: &str) -> Result<(Url, Option<HeaderValue>), String> {
    let wrong = || "the preview's address is no URL".to_owned();
    let slash = if path.starts_with('/') { "" } else { "/" };
    let text = format!("{}{slash}{path}", base.trim_end_matches('/'));
    let mut url: Url = text.parse().map_err(|_| wrong())?;
    let host = url.host_str().unwrap_or_default();
    let is_local = host == "localhost" || host.ends_with(".localhost");
    if url.scheme() != "http" || !is_local {
        return Ok((url, None));
    }
    let host = match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    let host = HeaderValue::from_str(&host).map_err(|_| wrong())?;
    url.set_host(Some("127.0.0.1")).map_err(|_| wrong())?;
    Ok((url, Some(host)))
}
