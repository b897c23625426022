//! Which source a bundle belongs to.

use std::sync::Arc;

use async_trait::async_trait;
use foreshow_contract::{BundleRef, ContextKey, Revision, TenantId};
use foreshow_engine::{BundleFile, Bundles, BundlesError};

use super::UrlBundles;

/// All that an event may name: the installation's own bundles, and those of others by `https` or `http`.
pub struct EveryBundle {
    own: Arc<dyn Bundles>,
    by_url: UrlBundles,
}

impl EveryBundle {
    /// Asks `own` for `foreshow-bundle:…`, and the world for the rest.
    pub fn new(own: Arc<dyn Bundles>, by_url: UrlBundles) -> Self {
        Self { own, by_url }
    }
}

#[async_trait]
impl Bundles for EveryBundle {
    async fn fetch(
        &self,
        bundle: &BundleRef,
        tenant: &TenantId,
    ) -> Result<BundleFile, BundlesError> {
        if bundle.as_local().is_some() {
            self.own.fetch(bundle, tenant).await
        } else {
            self.by_url.fetch(bundle, tenant).await
        }
    }

    async fn release(
        &self,
        bundle: &BundleRef,
        key: &ContextKey,
        revision: Revision,
    ) -> Result<(), BundlesError> {
        if bundle.as_local().is_some() {
            self.own.release(bundle, key, revision).await
        } else {
            self.by_url.release(bundle, key, revision).await
        }
    }
}
