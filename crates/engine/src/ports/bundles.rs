//! The files of large events, named by their digests: fetched by whoever deploys them, put there by whoever publishes.
//!
//! A bundle is kept while an event names it. Who publishes *holds* it in the event's name first, looks whether it is
//! there, and puts it where it isn't; who ends the event *releases* it. In this order nothing is taken away between the
//! look and the publication, whoever else ends an event with the same files meanwhile.
//!
//! A digest is no secret: it stands in events, logs and results. So knowing one gives nobody the files: they are handed
//! out on behalf of a tenant, and a bundle that no event of that tenant brought here is, to that tenant, not there.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use foreshow_contract::{BundleRef, ContextKey, Revision, Sha256, TenantId};
use tempfile::TempPath;

use crate::{Failure, code};

/// Where the files of a claim check (`bundle` in an update) come from.
#[async_trait]
pub trait Bundles: Send + Sync + 'static {
    /// The bundle as a file on this machine, ready to be read, for an event of `tenant`; its digest is checked by whoever
    /// reads it. Keep the [`BundleFile`] until the last read.
    ///
    /// Dropping the future leaves nothing behind.
    async fn fetch(
        &self,
        bundle: &BundleRef,
        tenant: &TenantId,
    ) -> Result<BundleFile, BundlesError>;

    /// The event that named this bundle has ended for good: nobody will ask for it in that event's name again.
    /// Idempotent. A bundle that other events still name is kept.
    async fn release(
        &self,
        bundle: &BundleRef,
        key: &ContextKey,
        revision: Revision,
    ) -> Result<(), BundlesError>;
}

/// The publisher's side: where the installation's own bundles are kept.
#[async_trait]
pub trait BundleVault: Bundles {
    /// Keeps the bundle for an event that is about to be published, until that event has ended.
    ///
    /// Call it *before* publishing. It answers whether the bundle is there: if not (it was never put, or it went with another
    /// event's end a moment ago), put it now; from then on it stays. Idempotent.
    async fn hold(
        &self,
        sha256: Sha256,
        key: &ContextKey,
        revision: Revision,
    ) -> Result<bool, BundlesError>;

    /// Takes a copy of the packed bundle at `file`, which must have the digest `sha256`. Whole or not at all; doing it again
    /// mends a damaged copy. What nobody holds is kept for a while, and swept by age.
    async fn put(&self, sha256: Sha256, file: &Path) -> Result<(), BundlesError>;
}

/// A fetched bundle's file. Cheap to clone; a copy that was made for its readers goes with the last of them.
#[derive(Clone, Debug)]
pub struct BundleFile(Arc<Place>);

#[derive(Debug)]
enum Place {
    Kept(PathBuf),
    Copied(TempPath),
}

impl BundleFile {
    /// A file that is kept anyway.
    pub fn kept(path: PathBuf) -> Self {
        Self(Arc::new(Place::Kept(path)))
    }

    /// A copy of its own.
    pub fn copied(path: TempPath) -> Self {
        Self(Arc::new(Place::Copied(path)))
    }
}

impl Deref for BundleFile {
    type Target = Path;

    fn deref(&self) -> &Path {
        match &*self.0 {
            Place::Kept(path) => path,
            Place::Copied(path) => path,
        }
    }
}

/// Why a bundle could not be had, kept or put.
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

impl BundlesError {
    /// There is no such bundle, and waiting won't bring it.
    pub fn missing(sha256: Sha256) -> Self {
        Self {
            message: format!(
                "the bundle sha256-{sha256} is not here: publish the files again; a bundle is kept for the tenant and the event \
                 that it was stored for, goes when that has ended, and can't be named by another event after that"
            ),
            failure: Failure::Permanent(code::BUNDLE_MISSING),
            source: None,
        }
    }

    /// The bundle is somewhere where this source does not look. Its URL, which may be signed, is not repeated.
    pub fn unsupported() -> Self {
        Self {
            message: "the bundle's url has a scheme that is not fetched here: use https: (http: where the operator allows it), \
                      or foreshow-bundle:sha256-… for what `foreshow publish` stored; or send the files in the event"
                .to_owned(),
            failure: Failure::Permanent(code::BUNDLE_UNSUPPORTED),
            source: None,
        }
    }

    /// Trouble that may pass.
    pub fn retryable(
        message: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self {
            message: message.into(),
            failure: Failure::Retryable { after: None },
            source: Some(source.into()),
        }
    }
}
