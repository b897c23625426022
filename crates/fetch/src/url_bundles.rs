//! One fetch: from the cache, or by a transfer, once at a time.
//!
//! The whole of it is bounded by one deadline, waiting for somebody else's transfer included. It may be dropped at any
//! point: what had arrived goes with it, and whoever waited makes the transfer.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use foreshow_bundle::scratch;
use foreshow_contract::{BundleRef, ContextKey, Revision, TenantId};
use foreshow_egress::{Egress, Target};
use foreshow_engine::{Backoff, BundleFile, Bundles, BundlesError, OptionsError};
use tokio::time::{Instant, timeout_at};

use super::BundlesOptions;
use super::cache::Cache;
use super::error::FetchError;
use super::flights::Flights;
use super::transfer::Transfer;

/// What is fetched by `https`, or `http`. Cheap to clone.
#[derive(Clone, Debug)]
pub struct UrlBundles(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    egress: Egress,
    options: BundlesOptions,
    backoff: Backoff,
    folder: PathBuf,
    max_bytes: u64,
    cache: Cache,
    flights: Flights,
}

/// Bundles can't be fetched as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum FetchSetupError {
    /// An option can't be worked with.
    #[error("the options of fetching bundles do not fit together")]
    Options(#[from] OptionsError),
    /// The folder can't be used.
    #[error("cannot use the folder {} for fetched bundles: check its owner and its disk", folder.display())]
    Folder {
        /// Which.
        folder: PathBuf,
        /// What lies beneath.
        #[source]
        source: std::io::Error,
    },
}

impl UrlBundles {
    /// Receives what `egress` lets through in `folder`, which is made where it is missing and which processes may share, and
    /// keeps it there as long as there is room. No bundle may have more than `max_bytes`. Blocking.
    ///
    /// # Errors
    /// [`FetchSetupError`], which names what to mend.
    pub fn open(
        egress: Egress,
        options: BundlesOptions,
        folder: PathBuf,
        max_bytes: u64,
    ) -> Result<Self, FetchSetupError> {
        let unusable = |source| FetchSetupError::Folder {
            folder: folder.clone(),
            source,
        };
        scratch::open(&folder).map_err(unusable)?;
        let cache = Cache::open(folder.clone(), options.cache_bytes).map_err(unusable)?;
        Ok(Self(Arc::new(Inner {
            backoff: options.backoff()?,
            egress,
            options,
            folder,
            max_bytes,
            cache,
            flights: Flights::default(),
        })))
    }

    async fn fetch_target(
        &self,
        target: &Target,
        bundle: &BundleRef,
        tenant: &TenantId,
    ) -> Result<BundleFile, FetchError> {
        let inner = &*self.0;
        let within = inner.options.fetches_within();
        let deadline = Instant::now() + within;
        let too_slow = |_| FetchError::TooSlow { within };
        let slot = inner.flights.slot(tenant, bundle.sha256);
        let mut left = timeout_at(deadline, slot.lock()).await.map_err(too_slow)?;
        if let Some(file) = &*left {
            return Ok(file.clone());
        }
        let cached = inner.cache.find(tenant, bundle.sha256).await;
        let file = if let Some(file) = cached {
            file
        } else {
            let transfer = Transfer {
                egress: &inner.egress,
                options: &inner.options,
                backoff: &inner.backoff,
                folder: &inner.folder,
                max_bytes: inner.max_bytes,
                target,
                sha256: bundle.sha256,
            };
            let received = timeout_at(deadline, transfer.run());
            let path = received.await.map_err(too_slow)??;
            inner.cache.keep(tenant, bundle.sha256, path).await
        };
        *left = Some(file.clone());
        Ok(file)
    }
}

#[async_trait]
impl Bundles for UrlBundles {
    async fn fetch(
        &self,
        bundle: &BundleRef,
        tenant: &TenantId,
    ) -> Result<BundleFile, BundlesError> {
        let scheme = bundle.url.split_once(':').map_or("", |(scheme, _)| scheme);
        if !["https", "http"]
            .iter()
            .any(|known| scheme.eq_ignore_ascii_case(known))
        {
            return Err(BundlesError::unsupported());
        }
        // Also where the files are here already: whether a URL is taken should not depend on that.
        let target = self
            .0
            .egress
            .check(&bundle.url)
            .map_err(FetchError::Refused)?;
        Ok(self.fetch_target(&target, bundle, tenant).await?)
    }

    /// What is cached goes when there is no room for it.
    async fn release(
        &self,
        _: &BundleRef,
        _: &ContextKey,
        _: Revision,
    ) -> Result<(), BundlesError> {
        Ok(())
    }
}
