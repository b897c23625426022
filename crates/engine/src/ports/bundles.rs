use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use foreshow_contract::{BundleRef, ContextKey, Revision};

use crate::Failure;

/// Where the files of a claim check (`bundle` in an update) come from.
#[async_trait]
pub trait Bundles: Send + Sync + 'static {
    /// The bundle as a file on this machine, ready to be read; its digest is checked by whoever reads it.
    async fn fetch(&self, bundle: &BundleRef) -> Result<Arc<PathBuf>, BundlesError>;

    /// The event that named this bundle has ended for good: nobody will ask for it in that event's name again.
    /// Idempotent. A bundle that other events still name is kept.
    async fn release(
        &self,
        bundle: &BundleRef,
        key: &ContextKey,
        revision: Revision,
    ) -> Result<(), BundlesError>;
}

/// Why a bundle could not be had.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct BundlesError {
    /// What happened, to which bundle, and what to do.
    pub message: String,
    /// What follows for the job.
    pub failure: Failure,
    /// What lies beneath, if anything.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}
