//! Stateful in-memory adapters of the ports, for tests and simulations on a paused clock.
//!
//! They keep the promises of the ports, crash aside: what is in memory is gone with its process. Faults are switched on
//! by hand, so that a test reads as a story.

mod broker;
mod clock;
mod provider;
mod store;

pub use broker::MemoryBroker;
pub use clock::PausedClock;
pub use provider::{FakeBuild, FakeProvider};
pub use store::MemoryStore;

use async_trait::async_trait;
use foreshow_contract::{BundleRef, ContextKey, Revision, TenantId};

use crate::{BundleFile, Bundles, BundlesError, Failure, code};

/// A source that has no bundles. For one at a host `silent.…` it never says so.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoBundles;

#[async_trait]
impl Bundles for NoBundles {
    async fn fetch(&self, bundle: &BundleRef, _: &TenantId) -> Result<BundleFile, BundlesError> {
        if bundle.url.starts_with("https://silent.") {
            std::future::pending::<()>().await;
        }
        Err(BundlesError {
            message: format!("there are no bundles here, so not {}", bundle.url),
            failure: Failure::Permanent(code::BUNDLE_UNSUPPORTED),
            source: None,
        })
    }

    async fn release(
        &self,
        _: &BundleRef,
        _: &ContextKey,
        _: Revision,
    ) -> Result<(), BundlesError> {
        Ok(())
    }
}
