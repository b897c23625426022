//! The API's answers.

use std::sync::Arc;

use axum::body::{Body, BodyDataStream};
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse as _, Response};
use foreshow_contract::{BundleRef, Sha256};
use foreshow_engine::BundleFile;
use futures_util::StreamExt as _;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use tokio_util::io::ReaderStream;

use super::event::{BundleQuery, parse_name, parse_tenant};
use super::{GatewayBundleService, TAR, refused};
use crate::api::ApiError;
use crate::dispatch::Gate;
use crate::linger::linger;
use crate::pages;

/// How much of a bundle is read from the disk at a time.
const READ_BYTES: usize = 64 << 10;

/// A bundle that was taken.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Taken {
    /// What an update names it by.
    pub(super) url: String,
    pub(super) sha256: Sha256,
    pub(super) size_bytes: u64,
}

/// A bundle that is held.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Held {
    pub(super) present: bool,
}

/// `PUT /v1/bundles`
pub(crate) async fn put(
    State(gate): State<Arc<Gate>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let mut body = body.into_data_stream();
    take(&gate, query.as_deref(), &headers, &mut body)
        .await
        .unwrap_or_else(|error| {
            linger(&headers, body);
            error.into_response()
        })
}

async fn take(
    gate: &Gate,
    query: Option<&str>,
    headers: &HeaderMap,
    body: &mut BodyDataStream,
) -> Result<Response, ApiError> {
    let service = service(gate)?;
    let query = BundleQuery::parse(query)?;
    let received = gate.uploads.receive(service, headers, body).await?;
    let sha256 = received.sha256;
    if let Some(expected) = query.sha256
        && expected != sha256
    {
        return Err(ApiError::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "digest_mismatch",
            format!(
                "what arrived has the SHA-256 {sha256}, not {expected}: send the bundle again, with the digest of the tar as it \
                 is sent"
            ),
        ));
    }
    let bundle = BundleRef::local(sha256);
    let was_there = match &query.event {
        Some(event) => service.vault.hold(sha256, &event.key, event.revision).await,
        // Held for nobody, it was there for nobody.
        None => Ok(false),
    };
    let was_there = was_there.map_err(|error| refused(&error))?;
    // Also where it is there already: that mends a damaged one and renews its age.
    let put = service.vault.put(sha256, &received.file).await;
    put.map_err(|error| refused(&error))?;

    let mut response = pages::json(&Taken {
        url: bundle.url,
        sha256,
        size_bytes: received.size_bytes,
    });
    if !was_there {
        *response.status_mut() = StatusCode::CREATED;
    }
    let location = format!("/v1/bundles/sha256-{sha256}");
    let location = HeaderValue::try_from(location).expect("a digest is plain text");
    response.headers_mut().insert(LOCATION, location);
    Ok(response)
}

/// `GET` and `HEAD /v1/bundles/sha256-…`
pub(crate) async fn get(
    State(gate): State<Arc<Gate>>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let service = service(&gate)?;
    let sha256 = parse_name(&name)?;
    let tenant = parse_tenant(query.as_deref())?;
    let fetched = service
        .vault
        .fetch(&BundleRef::local(sha256), &tenant)
        .await
        .map_err(|error| refused(&error))?;
    let (file, size_bytes) = open(&fetched).await.map_err(|error| {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "a bundle could not be opened"
        );
        ApiError::unavailable(format!(
            "the bundle sha256-{sha256} could not be read: try again"
        ))
    })?;
    let chunks = ReaderStream::with_capacity(file, READ_BYTES).map(move |chunk| {
        // A copy goes with its last user, which is this stream.
        let _: &BundleFile = &fetched;
        chunk
    });
    let mut response = pages::kept_to_itself(Body::from_stream(chunks));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(TAR));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(size_bytes));
    Ok(response)
}

async fn open(path: &std::path::Path) -> std::io::Result<(tokio::fs::File, u64)> {
    let file = tokio::fs::File::open(path).await?;
    let size_bytes = file.metadata().await?.len();
    Ok((file, size_bytes))
}

/// `PUT /v1/bundles/sha256-…/hold`
pub(crate) async fn hold(
    State(gate): State<Arc<Gate>>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let service = service(&gate)?;
    let sha256 = parse_name(&name)?;
    let event = BundleQuery::parse_event(query.as_deref())?;
    let held = service.vault.hold(sha256, &event.key, event.revision).await;
    let present = held.map_err(|error| refused(&error))?;
    Ok(pages::json(&Held { present }))
}

/// `DELETE /v1/bundles/sha256-…/hold`
pub(crate) async fn release(
    State(gate): State<Arc<Gate>>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<StatusCode, ApiError> {
    let service = service(&gate)?;
    let bundle = BundleRef::local(parse_name(&name)?);
    let event = BundleQuery::parse_event(query.as_deref())?;
    let released = service.vault.release(&bundle, &event.key, event.revision);
    released.await.map_err(|error| refused(&error))?;
    Ok(StatusCode::NO_CONTENT)
}

fn service(gate: &Gate) -> Result<&GatewayBundleService, ApiError> {
    gate.services.bundles.as_ref().ok_or_else(|| {
        ApiError::new(
            StatusCode::NOT_FOUND,
            "bundles_not_kept",
            "this gateway keeps no bundles: ask one that does, or send the files in the event",
        )
    })
}
