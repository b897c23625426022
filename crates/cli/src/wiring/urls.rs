//! Where previews are reached, as far as it is known without asking anybody.
//!
//! The store keeps addresses; only a context's provider turns one into a URL. A client that is configured as its workers are knows
//! those of every provider, another one those of this machine.

use std::sync::Arc;

use foreshow_contract::{InstallationKey, ProviderName};
use foreshow_engine::{Clock, ContextSummary, Provider};
use foreshow_gateway::PreviewSummary;
use foreshow_providers::local;
use foreshow_runner::PreviewOrigin;

use super::{WallClock, providers};
use crate::config::Config;

/// Turns what the store knows of a context into URLs.
pub(crate) struct PreviewUrls {
    origin: PreviewOrigin,
    remote: Vec<Arc<dyn Provider>>,
}

impl PreviewUrls {
    /// Those of this machine, at `origin`, alone.
    #[cfg(test)]
    pub(crate) fn local(origin: PreviewOrigin) -> Self {
        Self {
            origin,
            remote: Vec::new(),
        }
    }

    /// Those of every configured provider. Without the installation's key, which some name what they host by, those of this machine.
    pub(super) fn of(
        config: &Config,
        installation: Option<&InstallationKey>,
        origin: PreviewOrigin,
    ) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(WallClock);
        // Settings that cannot be worked with are told where they are: `config check`, `doctor`, a worker's start.
        let remote = installation.and_then(|key| providers::remote(config, key, &clock).ok());
        Self {
            origin,
            remote: remote.unwrap_or_default(),
        }
    }

    /// Sums a context up.
    pub(crate) fn summary(&self, context: ContextSummary) -> PreviewSummary {
        let record = &context.record;
        let (live, alias) = (record.live.clone(), record.alias.clone());
        // Before anything is live the alias is where it is being built.
        let building = record.building.as_ref().map(|one| one.provider.clone());
        let local = ProviderName::from(local::NAME);
        let mut summary = PreviewSummary::of(context, &local, &self.origin);
        let elsewhere = summary.provider.clone().or(building);
        let Some(elsewhere) = elsewhere.filter(|name| *name != local) else {
            return summary;
        };
        let host = self.remote.iter().find(|one| *one.name() == elsewhere);
        summary.url = host
            .zip(live.filter(|_| summary.revision.is_some()))
            .map(|(host, live)| host.url(&live.address));
        summary.alias_url = host.map(|host| host.url(&host.alias_address(&alias)));
        summary
    }
}
