//! Bundles through the gateway: where a publisher and the workers share no folder.
//!
//! | request | answer |
//! | --- | --- |
//! | `PUT /v1/bundles?tenant=&context=&revision=[&sha256=]` | takes a tar and holds it for that event; without an event it stays until it is swept by age |
//! | `GET`, `HEAD /v1/bundles/sha256-<hex>?tenant=` | the tar, where an event of that tenant holds it |
//! | `PUT /v1/bundles/sha256-<hex>/hold?tenant=&context=&revision=` | holds it for an event; whether it is there |
//! | `DELETE` of the same | the event has ended |
//!
//! **What it keeps true.** A bundle appears whole and under its own digest, or not at all. It is received into a file of its
//! own, digested on the way, and only then handed to the vault, which checks the digest of its own copy once more; an upload
//! that breaks off leaves nothing, and one whose gateway is killed a file that a later start removes. It is held in the
//! event's name *before* it is stored, so that no other event's end can take it away in between. Dying after that leaves
//! a bundle without an event, or a hold without a bundle: both go by age, and neither is in anybody's way.
//!
//! **Who races.** Any number of gateways over one vault, with any number of uploads of the same bundle: equal replaces equal.
//!
//! **What it costs.** A few buffers per upload, and disk: at most twice `max_bytes` (what is received, and the vault's copy of
//! it) for each of the uploads that are let in at once. The content is not looked at here: the worker that unpacks it has the limits for that.

mod client;
mod event;
mod reach;
mod receive;
mod routes;

use std::path::PathBuf;
use std::sync::Arc;

use foreshow_engine::{BundleVault, BundlesError, Failure, code};
use http::StatusCode;

pub use client::GatewayBundles;
pub use reach::GatewayBundlesError;
pub(crate) use receive::Uploads;
pub(crate) use routes::{get, hold, put, release};

use crate::api::ApiError;

/// The one type of bundle that is taken.
const TAR: &str = "application/x-tar";

/// How the API tells of a bundle that isn't there; [`GatewayBundles`] goes by it.
const MISSING: &str = code::BUNDLE_MISSING;

/// What the gateway needs to take bundles.
#[derive(Clone)]
pub struct GatewayBundleService {
    /// Where they are kept.
    pub vault: Arc<dyn BundleVault>,
    /// Where uploads are received; best on the disk of the vault. Gateways may share it.
    pub folder: PathBuf,
    /// The largest bundle that is taken.
    pub max_bytes: u64,
}

/// What the vault could not do, told to a client.
fn refused(error: &BundlesError) -> ApiError {
    match &error.failure {
        Failure::Permanent(code::BUNDLE_MISSING) => {
            ApiError::new(StatusCode::NOT_FOUND, MISSING, error.message.clone())
        }
        Failure::Permanent(code) => ApiError::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            *code,
            error.message.clone(),
        ),
        Failure::Retryable { .. }
        | Failure::RateLimited { .. }
        | Failure::ProviderDown
        | Failure::ProviderClosed { .. } => {
            tracing::warn!(
                error = error as &dyn std::error::Error,
                "a bundle could not be worked on"
            );
            ApiError::unavailable(error.message.clone())
        }
    }
}
