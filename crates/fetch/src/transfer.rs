//! One transfer: ask, follow, receive, and go on where it broke.
//!
//! **Where it goes** is checked at each step: the URL before, each redirect as it comes, each name when its connection is
//! made. Redirects are followed by hand, and anew each time a transfer goes on: the URL that they led to may be signed for
//! minutes.
//!
//! **How much it is** is known from `Content-Length` before a byte is taken, or else cut off where the bound is. It streams:
//! memory holds a buffer or two, whatever the size.
//!
//! **When it breaks** and there is something to keep, what is missing is asked for after a wait that doubles, a bounded number of
//! times. Where nothing had arrived, or the server can't continue, the job comes back later: the same policy, without holding
//! a slot meanwhile.
//!
//! **When the digest is wrong** it is fetched once more from the start, for a proxy's stale copy or parts of two versions look
//! like that, and then the event is at fault.

use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use foreshow_contract::{Sha256, Timestamp};
use foreshow_egress::{Egress, Target};
use foreshow_engine::Backoff;
use futures_util::TryStreamExt as _;
use http::header::{ACCEPT_ENCODING, IF_RANGE, RANGE};
use http::{Method, StatusCode};
use reqwest::Response;
use tempfile::TempPath;
use tokio::time::{sleep, timeout};
use tracing::debug;

use super::BundlesOptions;
use super::error::FetchError;
use super::part::Version;
use super::partial::Partial;
use super::retry_after::retry_after;

/// Hosts of releases redirect once or twice; more is a loop, or somebody's playing.
const MOST_REDIRECTS: usize = 5;

/// What one transfer needs.
pub(crate) struct Transfer<'a> {
    pub(crate) egress: &'a Egress,
    pub(crate) options: &'a BundlesOptions,
    pub(crate) backoff: &'a Backoff,
    pub(crate) folder: &'a Path,
    pub(crate) max_bytes: u64,
    pub(crate) target: &'a Target,
    pub(crate) sha256: Sha256,
}

impl Transfer<'_> {
    /// The bundle, whole and with its digest. Whoever drops this leaves nothing.
    pub(crate) async fn run(&self) -> Result<TempPath, FetchError> {
        let created = Partial::create(self.folder).await;
        let mut partial = created.map_err(FetchError::Disk)?;
        let mut resumed = 0;
        let mut has_mismatched = false;
        loop {
            match self.receive(&mut partial).await {
                Ok(()) => {
                    let actual = partial.digest().await.map_err(FetchError::Disk)?;
                    if actual == self.sha256 {
                        return Ok(partial.into_path());
                    }
                    if has_mismatched {
                        return Err(FetchError::DigestMismatch {
                            host: self.host(),
                            expected: self.sha256,
                            actual,
                        });
                    }
                    has_mismatched = true;
                    debug!(host = %self.host(), "a bundle arrived with another digest: fetching it once more");
                    self.begin(&mut partial, Version::default()).await?;
                }
                Err(error) => {
                    let wait = self.goes_on_after(&error, &partial, resumed);
                    let Some(wait) = wait else {
                        return Err(error);
                    };
                    resumed += 1;
                    debug!(
                        host = %self.host(),
                        received_bytes = partial.received_bytes(),
                        "a transfer goes on in {wait:?}: {error}"
                    );
                    sleep(wait).await;
                }
            }
        }
    }

    /// The wait before it goes on in place; `None` where it does not.
    fn goes_on_after(
        &self,
        error: &FetchError,
        partial: &Partial,
        resumed: u32,
    ) -> Option<Duration> {
        let asked = error.goes_on_after()?;
        let has_something_to_keep = partial.missing().is_some();
        // A server that continues wrongly serves the whole rightly, most likely.
        let is_worth_it = has_something_to_keep || matches!(error, FetchError::WrongPart { .. });
        let is_allowed = resumed < self.options.resumes;
        let is_short = asked <= Duration::from_millis(self.options.resume_max_ms);
        let attempt = NonZeroU32::MIN.saturating_add(resumed);
        (is_worth_it && is_allowed && is_short).then(|| {
            let wait = self.backoff.sample(attempt, &mut fastrand::Rng::new());
            wait.max(asked)
        })
    }

    /// Asks for what is missing, and takes what comes, to its end.
    async fn receive(&self, partial: &mut Partial) -> Result<(), FetchError> {
        let has_asked_for_part = partial.missing().is_some();
        let (host, response) = self.ask(partial).await?;
        match response.status() {
            StatusCode::OK => {
                let version = Version::of(response.headers(), response.content_length());
                self.begin(partial, version).await?;
            }
            StatusCode::PARTIAL_CONTENT if has_asked_for_part => {
                let received_bytes = partial.received_bytes();
                let continues = partial
                    .version()
                    .is_continued_by(response.headers(), received_bytes);
                if !continues {
                    self.begin(partial, Version::default()).await?;
                    return Err(FetchError::WrongPart { host });
                }
            }
            StatusCode::RANGE_NOT_SATISFIABLE if has_asked_for_part => {
                self.begin(partial, Version::default()).await?;
                return Err(FetchError::WrongPart { host });
            }
            status => {
                return Err(FetchError::Status {
                    host,
                    status,
                    after: retry_after(response.headers(), Timestamp::now()),
                });
            }
        }
        self.take(&host, response, partial).await
    }

    /// Follows redirects to an answer, and tells whose it is.
    async fn ask(&self, partial: &Partial) -> Result<(String, Response), FetchError> {
        let mut target = self.target.clone();
        for _ in 0..=MOST_REDIRECTS {
            let mut request = self
                .egress
                .request(Method::GET, &target)
                // The digest is that of the file as it is: nobody shall compress it on its way.
                .header(ACCEPT_ENCODING, "identity");
            if let Some((first_byte, if_range)) = partial.missing() {
                request = request
                    .header(RANGE, format!("bytes={first_byte}-"))
                    .header(IF_RANGE, if_range);
            }
            let host = target.host_shown().to_owned();
            let within = self.options.answers_within();
            let response = match timeout(within, request.send()).await {
                Ok(Ok(response)) => response,
                Ok(Err(error)) => return Err(FetchError::of(&host, error)),
                Err(_) => return Err(FetchError::NoAnswer { host, within }),
            };
            match self.egress.redirect(&target, &response) {
                Ok(Some(next)) => target = next,
                Ok(None) => return Ok((host, response)),
                Err(refused) => return Err(FetchError::Refused(refused)),
            }
        }
        Err(FetchError::Redirects {
            host: self.host(),
            limit: MOST_REDIRECTS,
        })
    }

    /// Takes an answer's body to its end.
    async fn take(
        &self,
        host: &str,
        response: Response,
        partial: &mut Partial,
    ) -> Result<(), FetchError> {
        let too_large = || FetchError::TooLarge {
            limit_bytes: self.max_bytes,
        };
        let announced = response.content_length().unwrap_or(0);
        if partial.received_bytes().saturating_add(announced) > self.max_bytes {
            return Err(too_large());
        }
        let within = self.options.stalled_after();
        let mut chunks = response.bytes_stream();
        loop {
            let chunk = match timeout(within, chunks.try_next()).await {
                Ok(Ok(Some(chunk))) => chunk,
                Ok(Ok(None)) => break,
                Ok(Err(error)) => return Err(FetchError::of(host, error)),
                Err(_) => {
                    return Err(FetchError::Stalled {
                        host: host.to_owned(),
                        within,
                    });
                }
            };
            if partial.received_bytes() + chunk.len() as u64 > self.max_bytes {
                return Err(too_large());
            }
            partial.append(&chunk).await.map_err(FetchError::Disk)?;
        }
        if partial.is_whole() {
            Ok(())
        } else {
            Err(FetchError::EndedEarly {
                host: host.to_owned(),
                received_bytes: partial.received_bytes(),
            })
        }
    }

    async fn begin(&self, partial: &mut Partial, version: Version) -> Result<(), FetchError> {
        partial.begin(version).await.map_err(FetchError::Disk)
    }

    fn host(&self) -> String {
        self.target.host_shown().to_owned()
    }
}
