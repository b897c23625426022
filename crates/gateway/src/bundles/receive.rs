//! Receiving an upload: into a file of its own, in bounded memory, digested on the way.

use std::io;
use std::path::Path;
use std::time::Duration;

use axum::body::BodyDataStream;
use foreshow_bundle::scratch;
use foreshow_contract::Sha256;
use futures_util::StreamExt as _;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use sha2::Digest as _;
use tempfile::TempPath;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::{GatewayBundleService, TAR};
use crate::api::ApiError;

/// Uploads under way at once. More would share the same disk, and each may need `max_bytes` of it.
const AT_ONCE: usize = 16;

/// How long an upload may wait for another to end before it is asked to come again.
const WAITS: Duration = Duration::from_secs(10);

/// How long an upload may go without a byte.
const STALLED_AFTER: Duration = Duration::from_mins(1);

/// Lets uploads in.
#[derive(Debug)]
pub(crate) struct Uploads {
    permits: Semaphore,
}

/// What was received, and its place among the uploads. Both go with it: keep it until the bundle is stored.
#[derive(Debug)]
pub(super) struct Received<'a> {
    _permit: SemaphorePermit<'a>,
    pub(super) file: TempPath,
    pub(super) sha256: Sha256,
    pub(super) size_bytes: u64,
}

impl Uploads {
    /// Prepares the folder. Trouble with it shows at each upload, and need not keep the gateway from serving previews.
    pub(crate) async fn open(service: Option<&GatewayBundleService>) -> Self {
        if let Some(service) = service {
            let folder = service.folder.clone();
            match in_background(move || scratch::open(&folder)).await {
                Ok(0) => {}
                Ok(files) => tracing::info!(files, "removed uploads that were cut off by a crash"),
                Err(error) => tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "uploads can't be received in {}",
                    service.folder.display()
                ),
            }
        }
        Self {
            permits: Semaphore::new(AT_ONCE),
        }
    }

    /// A place among the uploads under way.
    async fn admit(&self) -> Result<SemaphorePermit<'_>, ApiError> {
        match timeout(WAITS, self.permits.acquire()).await {
            Ok(permit) => Ok(permit.expect("nobody closes the semaphore")),
            Err(_) => Err(ApiError::unavailable(
                "too many uploads are under way: try again in a moment",
            )),
        }
    }

    /// Receives `body` into a file in `folder`. Cancel-safe: what was received goes.
    pub(super) async fn receive<'a>(
        &'a self,
        service: &GatewayBundleService,
        headers: &HeaderMap,
        body: &mut BodyDataStream,
    ) -> Result<Received<'a>, ApiError> {
        refuse_other_types(headers)?;
        let limit = service.max_bytes;
        if announced_bytes(headers).is_some_and(|bytes| bytes > limit) {
            return Err(too_large(limit));
        }
        let permit = self.admit().await?;

        let folder = service.folder.clone();
        let failed = |error: io::Error| disk(&service.folder, &error);
        let created = in_background(move || scratch::create(&folder)).await;
        let (file, path) = created.map_err(failed)?.into_parts();
        let mut file = tokio::fs::File::from_std(file);
        let mut hasher = sha2::Sha256::new();
        let mut size_bytes = 0;
        loop {
            let chunk = match timeout(STALLED_AFTER, body.next()).await {
                Ok(Some(Ok(chunk))) => chunk,
                Ok(None) => break,
                Ok(Some(Err(error))) => return Err(interrupted(&error)),
                Err(_) => return Err(stalled()),
            };
            size_bytes += chunk.len() as u64;
            if size_bytes > limit {
                return Err(too_large(limit));
            }
            hasher.update(&chunk);
            file.write_all(&chunk).await.map_err(failed)?;
        }
        file.flush().await.map_err(failed)?;
        Ok(Received {
            _permit: permit,
            file: path,
            sha256: Sha256::from_bytes(hasher.finalize().into()),
            size_bytes,
        })
    }
}

/// Runs what may block.
async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(io::Error::other(error)))
}

fn refuse_other_types(headers: &HeaderMap) -> Result<(), ApiError> {
    let encoding = headers.get(CONTENT_ENCODING).map(HeaderValue::as_bytes);
    let given = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    let what = if encoding.is_some_and(|encoding| !encoding.eq_ignore_ascii_case(b"identity")) {
        "a compressed body is not taken"
    } else if essence.eq_ignore_ascii_case(TAR) {
        return Ok(());
    } else {
        match essence.to_ascii_lowercase().as_str() {
            "application/gzip"
            | "application/x-gzip"
            | "application/tar+gzip"
            | "application/x-gtar-compressed"
            | "application/x-tgz" => "tar.gz is not taken yet",
            "application/zstd" | "application/x-zstd" => "tar.zst is not taken yet",
            "application/zip" | "application/x-zip-compressed" => "zip is not taken yet",
            _ => "the body must be a bundle",
        }
    };
    Err(ApiError::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_type",
        format!("{what}: send a plain tar as {TAR}"),
    ))
}

fn announced_bytes(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn too_large(limit: u64) -> ApiError {
    ApiError::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "bundle_too_large",
        format!(
            "the bundle has more than {limit} bytes: leave files out with a .foreshowignore, or raise the gateway's \
             gateway.bundle_max_bytes"
        ),
    )
}

fn stalled() -> ApiError {
    ApiError::new(
        StatusCode::REQUEST_TIMEOUT,
        "upload_stalled",
        format!("nothing came for {STALLED_AFTER:?}: send the bundle again"),
    )
}

/// Mostly the client has gone, and nobody reads this.
fn interrupted(error: &axum::Error) -> ApiError {
    tracing::debug!(
        error = error as &dyn std::error::Error,
        "an upload broke off"
    );
    ApiError::new(
        StatusCode::BAD_REQUEST,
        "upload_interrupted",
        "the upload broke off: send the bundle again",
    )
}

fn disk(folder: &Path, error: &io::Error) -> ApiError {
    tracing::error!(
        error = error as &dyn std::error::Error,
        "an upload could not be written to {}",
        folder.display()
    );
    ApiError::unavailable(
        "the gateway could not write the bundle to its disk, its log tells why: try again",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_tar_is_taken() {
        let refused = |headers: &[(&'static str, &'static str)]| {
            let headers = headers
                .iter()
                .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
                .collect();
            refuse_other_types(&headers)
                .err()
                .map(|error| error.message)
        };
        for fine in ["application/x-tar", "Application/X-Tar; charset=binary"] {
            assert_eq!(refused(&[("content-type", fine)]), None);
        }
        assert_eq!(
            refused(&[("content-type", TAR), ("content-encoding", "identity")]),
            None
        );
        for (headers, names) in [
            (&[("content-type", "application/gzip")][..], "tar.gz"),
            (&[("content-type", "application/zip")], "zip"),
            (&[("content-type", "text/plain")], TAR),
            (&[], TAR),
            (
                &[("content-type", TAR), ("content-encoding", "gzip")],
                "compressed",
            ),
        ] {
            let message = refused(headers).unwrap();
            assert!(message.contains(names), "{headers:?}: {message}");
        }
    }
}
