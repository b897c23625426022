//! Bundles by their URLs, beside those that the installation keeps itself.

use std::sync::Arc;

use foreshow_egress::Egress;
use foreshow_engine::{BundleVault, Bundles};
use foreshow_fetch::{EveryBundle, UrlBundles};

use crate::config::Config;
use crate::data_dir::{self, DataDir};
use crate::failure::{Exit, Failure, OrFail as _};

/// Whatever an event may name as its bundle.
pub(crate) async fn every_bundle(
    config: &Config,
    dir: &DataDir,
    own: Arc<dyn BundleVault>,
) -> Result<Arc<dyn Bundles>, Failure> {
    let egress = egress(config)?;
    let folder = dir.fetched();
    data_dir::ensure_private(&folder).or_fail(Exit::Environment)?;
    // What no tree within the limits can be packed into is not worth receiving.
    let (options, max_bytes) = (config.bundles.clone(), config.bundle.archive_bytes());
    let opening = move || UrlBundles::open(egress, options, folder, max_bytes);
    let by_url = tokio::task::spawn_blocking(opening)
        .await
        .or_fail(Exit::Environment)?
        .or_fail(Exit::Environment)?;
    Ok(Arc::new(EveryBundle::new(own, by_url)))
}

/// The guard of all that strangers name, as configured. Nobody is asked.
pub(crate) fn egress(config: &Config) -> Result<Egress, Failure> {
    Egress::try_new(&config.egress).or_fail(Exit::Usage)
}
