//! The gateway's bundles from another machine: what a worker or a publisher without the vault's folder uses.
//!
//! A fetched bundle is a copy of its own, digested while it arrives, and goes with its last reader; a worker that is killed
//! leaves it, and the next start removes it by age. Nothing is kept between two fetches: a bundle is read once per
//! attempt, and most events have one.
//!
//! Every wait is bounded: an answer must begin soon, and a transfer must go on. There is no proxy between parts of one
//! installation, a redirect is no answer, and the token goes nowhere else.

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use foreshow_bundle::scratch;
use foreshow_contract::{BundleRef, ContextKey, Revision, Secret, Sha256, TenantId};
use foreshow_engine::{BundleFile, BundleVault, Bundles, BundlesError, Failure, code};
use futures_util::TryStreamExt as _;
use http::StatusCode;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::redirect::Policy;
use reqwest::{RequestBuilder, Response, Url};
use sha2::Digest as _;
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;
use tokio_util::io::ReaderStream;

use super::event::{Event, tenant_query};
use super::reach::{GatewayBundlesError, authorization, parse_base};
use super::routes::Held;
use super::{MISSING, TAR};
use crate::api::ErrorBody;

/// A gateway in reach takes milliseconds to connect to.
const CONNECTS_WITHIN: Duration = Duration::from_secs(5);
/// How soon an answer must begin, and end where it is short. Longer than the gateway itself may wait for its store.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);
/// How long a fetch may go without a byte.
const STALLED_AFTER: Duration = Duration::from_secs(30);
/// The slowest upload that still makes sense, in bytes a second.
const SLOWEST_UPLOAD: u64 = 64 << 10;
/// How much of a file is read at a time.
const READ_BYTES: usize = 64 << 10;

/// Bundles that a gateway keeps. Cheap to clone.
#[derive(Clone, Debug)]
pub struct GatewayBundles {
    http: reqwest::Client,
    /// Ends with a slash.
    base: Url,
    folder: PathBuf,
}

impl GatewayBundles {
    /// Asks the gateway at `base_url` (`http://HOST:PORT`), with its token where it wants one. What is fetched is received
    /// in `cache_dir`, which is made where it is missing; processes may share it.
    ///
    /// # Errors
    /// [`GatewayBundlesError`], which names the key to mend.
    pub fn try_new(
        base_url: &str,
        token: Option<Secret>,
        cache_dir: PathBuf,
    ) -> Result<Self, GatewayBundlesError> {
        let base = parse_base(base_url)?;
        let headers = token.map(authorization).transpose()?.unwrap_or_default();
        let http = foreshow_tls::inward()
            .redirect(Policy::none())
            .connect_timeout(CONNECTS_WITHIN)
            .default_headers(headers)
            .build()
            .map_err(|source| GatewayBundlesError::Client { source })?;
        scratch::open(&cache_dir).map_err(|source| GatewayBundlesError::Folder {
            folder: cache_dir.clone(),
            source,
        })?;
        Ok(Self {
            http,
            base,
            folder: cache_dir,
        })
    }

    fn url(&self, path: &str) -> Url {
        self.base
            .join(path)
            .expect("our own paths are valid below any base")
    }

    fn hold_url(&self, sha256: Sha256, key: &ContextKey, revision: Revision) -> Url {
        let mut url = self.url(&format!("v1/bundles/sha256-{sha256}/hold"));
        url.set_query(Some(&Event::query(key, revision)));
        url
    }

    /// Sends a request whose answer is short or streamed, and turns what is no success into an error.
    async fn ask(
        &self,
        request: RequestBuilder,
        limit: Duration,
    ) -> Result<Response, BundlesError> {
        match timeout(limit, request.send()).await {
            Ok(Ok(response)) if response.status().is_success() => Ok(response),
            Ok(Ok(response)) => Err(self.refused(response).await),
            Ok(Err(error)) => Err(self.unreachable(error)),
            Err(elapsed) => Err(BundlesError::retryable(
                format!(
                    "the gateway at {} did not answer within {limit:?}",
                    self.base
                ),
                elapsed,
            )),
        }
    }

    fn unreachable(&self, error: reqwest::Error) -> BundlesError {
        BundlesError::retryable(
            format!(
                "the gateway at {} could not be reached: check that `foreshow gateway` runs there (gateway.url)",
                self.base
            ),
            error.without_url(),
        )
    }

    /// What an answer means that is no success. A 404 is believed only from a gateway that keeps bundles: a wrong address
    /// must not end events.
    async fn refused(&self, response: Response) -> BundlesError {
        let status = response.status();
        let body = timeout(ANSWERS_WITHIN, response.json::<ErrorBody>()).await;
        let (said, words) = match body {
            Ok(Ok(body)) => (body.error.code, body.error.message),
            Ok(Err(_)) | Err(_) => (String::new(), "it is perhaps another server".to_owned()),
        };
        let failure = match (status, said.as_str()) {
            (StatusCode::NOT_FOUND, MISSING) => Failure::Permanent(code::BUNDLE_MISSING),
            (StatusCode::PAYLOAD_TOO_LARGE, "bundle_too_large") => {
                Failure::Permanent("bundle_too_large")
            }
            (StatusCode::UNPROCESSABLE_ENTITY, "digest_mismatch" | "bundle_digest_mismatch") => {
                Failure::Permanent("bundle_digest_mismatch")
            }
            _ => Failure::Retryable { after: None },
        };
        let message = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => format!(
                "the gateway at {} does not let us in ({status}): set gateway.token to the one that it was started with. It \
                 says: {words}",
                self.base
            ),
            _ if failure == Failure::Permanent(code::BUNDLE_MISSING) => words,
            _ => format!(
                "the gateway at {} answered with {status}: {words}",
                self.base
            ),
        };
        BundlesError {
            message,
            failure,
            source: None,
        }
    }

    /// Receives an answer's body into a file, which must have the digest.
    async fn receive(
        &self,
        sha256: Sha256,
        response: Response,
    ) -> Result<BundleFile, BundlesError> {
        let disk = |error: std::io::Error| {
            BundlesError::retryable(
                format!(
                    "the bundle sha256-{sha256} could not be written to {}",
                    self.folder.display()
                ),
                error,
            )
        };
        let folder = self.folder.clone();
        let created = tokio::task::spawn_blocking(move || scratch::create(&folder)).await;
        let created = created.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        let (file, path) = created.map_err(disk)?.into_parts();
        let mut file = tokio::fs::File::from_std(file);
        let mut hasher = sha2::Sha256::new();
        let mut chunks = response.bytes_stream();
        loop {
            let chunk = match timeout(STALLED_AFTER, chunks.try_next()).await {
                Ok(Ok(Some(chunk))) => chunk,
                Ok(Ok(None)) => break,
                Ok(Err(error)) => return Err(self.unreachable(error)),
                Err(elapsed) => {
                    return Err(BundlesError::retryable(
                        format!(
                            "the gateway at {} stopped sending the bundle sha256-{sha256}: nothing came for {STALLED_AFTER:?}",
                            self.base
                        ),
                        elapsed,
                    ));
                }
            };
            hasher.update(&chunk);
            file.write_all(&chunk).await.map_err(disk)?;
        }
        file.flush().await.map_err(disk)?;
        let actual = Sha256::from_bytes(hasher.finalize().into());
        if actual != sha256 {
            return Err(BundlesError {
                message: format!(
                    "the gateway at {} sent something with the digest {actual} as the bundle sha256-{sha256}: its copy is \
                     damaged; publish the files again",
                    self.base
                ),
                failure: Failure::Retryable { after: None },
                source: None,
            });
        }
        Ok(BundleFile::copied(path))
    }
}

#[async_trait]
impl Bundles for GatewayBundles {
    async fn fetch(
        &self,
        bundle: &BundleRef,
        tenant: &TenantId,
    ) -> Result<BundleFile, BundlesError> {
        let sha256 = bundle.as_local().ok_or_else(BundlesError::unsupported)?;
        let mut url = self.url(&format!("v1/bundles/sha256-{sha256}"));
        url.set_query(Some(&tenant_query(tenant)));
        let response = self.ask(self.http.get(url), ANSWERS_WITHIN).await?;
        self.receive(sha256, response).await
    }

    async fn release(
        &self,
        bundle: &BundleRef,
        key: &ContextKey,
        revision: Revision,
    ) -> Result<(), BundlesError> {
        let Some(sha256) = bundle.as_local() else {
            return Ok(());
        };
        let request = self.http.delete(self.hold_url(sha256, key, revision));
        self.ask(request, ANSWERS_WITHIN).await?;
        Ok(())
    }
}

#[async_trait]
impl BundleVault for GatewayBundles {
    async fn hold(
        &self,
        sha256: Sha256,
        key: &ContextKey,
        revision: Revision,
    ) -> Result<bool, BundlesError> {
        let request = self.http.put(self.hold_url(sha256, key, revision));
        let response = self.ask(request, ANSWERS_WITHIN).await?;
        match timeout(ANSWERS_WITHIN, response.json::<Held>()).await {
            Ok(Ok(held)) => Ok(held.present),
            Ok(Err(error)) => Err(self.unreachable(error)),
            Err(elapsed) => Err(BundlesError::retryable(
                format!(
                    "the gateway at {} stopped in the middle of an answer",
                    self.base
                ),
                elapsed,
            )),
        }
    }

    async fn put(&self, sha256: Sha256, file: &Path) -> Result<(), BundlesError> {
        let unreadable = |error: std::io::Error| {
            BundlesError::retryable(
                format!("the bundle at {} could not be read", file.display()),
                error,
            )
        };
        let source = tokio::fs::File::open(file).await.map_err(unreadable)?;
        let size_bytes = source.metadata().await.map_err(unreadable)?.len();
        let mut url = self.url("v1/bundles");
        url.set_query(Some(&format!("sha256={sha256}")));
        let chunks = ReaderStream::with_capacity(source, READ_BYTES);
        let request = self
            .http
            .put(url)
            .header(CONTENT_TYPE, TAR)
            .header(CONTENT_LENGTH, size_bytes)
            .body(reqwest::Body::wrap_stream(chunks));
        let limit = ANSWERS_WITHIN + Duration::from_secs(size_bytes / SLOWEST_UPLOAD);
        self.ask(request, limit).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_address_or_token_is_refused_without_being_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |url: &str, token: Option<&str>| {
            let token = token.map(Secret::from);
            let error = GatewayBundles::try_new(url, token, folder.path().into()).unwrap_err();
            error.to_string()
        };
        for (url, names) in [
            ("gateway:8080", "http"),
            ("", "no URL"),
            ("https://gateway", "https"),
            ("http://user:s3cret@gateway", "gateway.token"),
            ("http://gateway?token=s3cret", "query"),
        ] {
            let message = refused(url, None);
            assert!(
                message.contains(names) && !message.contains("s3cret"),
                "{url}: {message}"
            );
        }
        for token in ["", "s3cret token", "s3cret\n"] {
            let message = refused("http://gateway", Some(token));
            assert!(
                message.contains("gateway.token") && !message.contains("s3cret"),
                "{message}"
            );
        }
    }

    #[test]
    fn a_gateway_may_live_below_a_path_and_debug_output_has_no_token() {
        let folder = tempfile::tempdir().unwrap();
        let url = "http://proxy:8080/foreshow";
        let client = GatewayBundles::try_new(url, Some("s3cret".into()), folder.path().into());
        let client = client.unwrap();
        assert_eq!(
            client.url("v1/bundles").as_str(),
            "http://proxy:8080/foreshow/v1/bundles"
        );
        assert!(!format!("{client:?}").contains("s3cret"));
    }
}
