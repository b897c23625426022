//! Static previews from a folder on this machine, served by the gateway.
//!
//! The folder is [`PreviewHost`]'s, which keeps the promises about files and crashes; this adapter speaks the engine's
//! language to it. Unlike any provider across a network its creation *is* idempotent by context and revision, and it
//! answers from the same index that the gateway serves from. A deployment's address is its host label.
//!
//! In a fleet all workers and gateways need the same folder.

mod client;
mod error;
mod settings;

#[cfg(test)]
mod tests;

use std::num::NonZeroU32;
use std::sync::Arc;

use async_trait::async_trait;
use foreshow_contract::{ContextKey, DeploymentId, Framework, HostLabel, ProviderName};
use foreshow_engine::{
    Address, BuildState, Capabilities, Clock, CreateRequest, Created, Deployment, Inventory, Probe,
    ProbeQuestion, Provider, ProviderError,
};
use foreshow_runner::{
    DeploymentState, NewDeployment, PreviewDeployment, PreviewHost, PreviewOrigin,
};

pub use error::LocalError;
pub use settings::LocalSettings;

use client::GatewayClient;
use error::refused;

/// Its name in events, records and configuration.
pub const NAME: &str = "local";

/// Deployments on a page of the inventory: a few milliseconds of reading, and less than a megabyte.
const PAGE: NonZeroU32 = NonZeroU32::new(500).expect("500 is not 0");

const LIST_ALL: &str = "list all deployments";

/// The local provider. Cheap to share.
pub struct LocalProvider {
    name: ProviderName,
    capabilities: Capabilities,
    previews: PreviewHost,
    origin: PreviewOrigin,
    gateway: GatewayClient,
    clock: Arc<dyn Clock>,
    settings: LocalSettings,
}

impl LocalProvider {
    /// Deploys into `previews`. `origin` is where people reach the gateway that serves the folder, `gateway` where this
    /// process does, e.g. `http://127.0.0.1:8080`.
    ///
    /// # Errors
    /// [`LocalError::Client`] where no HTTP client can be made.
    pub fn try_new(
        previews: PreviewHost,
        origin: PreviewOrigin,
        gateway: &str,
        clock: Arc<dyn Clock>,
        settings: LocalSettings,
    ) -> Result<Self, LocalError> {
        Ok(Self {
            name: ProviderName::from(NAME),
            capabilities: Capabilities::of([Framework::Static]),
            gateway: GatewayClient::try_new(gateway)?,
            previews,
            origin,
            clock,
            settings,
        })
    }
}

#[async_trait]
impl Provider for LocalProvider {
    fn name(&self) -> &ProviderName {
        &self.name
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn url(&self, address: &Address) -> String {
        self.origin.url(address)
    }

    fn alias_address(&self, alias: &HostLabel) -> Address {
        Address::new(alias.as_str())
    }

    async fn list(&self, key: &ContextKey) -> Result<Vec<Deployment>, ProviderError> {
        let listed = self
            .previews
            .list(key, self.clock.now())
            .await
            .map_err(refused("list deployments"))?;
        Ok(listed.into_iter().map(deployment).collect())
    }

    async fn inventory(&self, after: Option<&str>) -> Result<Inventory, ProviderError> {
        let after = after.map(str::parse).transpose();
        let after = after.map_err(|_| LocalError::NoSuchPage.while_doing(LIST_ALL))?;
        let page = self
            .previews
            .page(after, PAGE, self.clock.now())
            .await
            .map_err(refused(LIST_ALL))?;
        // A page that is not full is the last: what is created after it has a worker of its own who knows of it.
        let is_full = u32::try_from(page.len()).is_ok_and(|listed| listed >= PAGE.get());
        let next = page
            .last()
            .filter(|_| is_full)
            .map(|last| last.row().to_string());
        Ok(Inventory {
            deployments: page.into_iter().map(deployment).collect(),
            next,
        })
    }

    async fn create(&self, request: CreateRequest<'_>) -> Result<Created, ProviderError> {
        let new = NewDeployment {
            key: request.key.clone(),
            revision: request.revision,
            label: request.label.clone(),
            tree: Arc::clone(request.tree),
            spa_fallback: request.app.spa_fallback,
            build: self.settings.build_of(&request),
        };
        let created = self
            .previews
            .create(new, self.clock.now())
            .await
            .map_err(refused("create a deployment"))?;
        Ok(Created {
            deployment: deployment(created.deployment),
            bytes_uploaded: created.bytes_uploaded,
            bytes_reused: created.bytes_reused,
        })
    }

    async fn status(&self, id: &DeploymentId) -> Result<BuildState, ProviderError> {
        let found = self
            .previews
            .get(id, self.clock.now())
            .await
            .map_err(refused("look up a deployment"))?;
        Ok(found.map_or(BuildState::Gone, |deployment| build_state(deployment.state)))
    }

    async fn cancel(&self, id: &DeploymentId) -> Result<(), ProviderError> {
        // A build is a time that has not come yet: removing the deployment is all there is to stop.
        self.previews
            .remove(id, self.clock.now())
            .await
            .map(drop)
            .map_err(refused("cancel a build"))
    }

    async fn delete(&self, id: &DeploymentId) -> Result<(), ProviderError> {
        self.previews
            .remove(id, self.clock.now())
            .await
            .map(drop)
            .map_err(refused("delete a deployment"))
    }

    async fn alias(&self, alias: &HostLabel) -> Result<Option<DeploymentId>, ProviderError> {
        self.previews
            .alias(alias)
            .await
            .map_err(refused("look up an alias"))
    }

    async fn move_alias(
        &self,
        alias: &HostLabel,
        to: &DeploymentId,
    ) -> Result<bool, ProviderError> {
        self.previews
            .move_alias(alias, to)
            .await
            .map_err(refused("move an alias"))
    }

    async fn probe(
        &self,
        deployment: &Deployment,
        question: ProbeQuestion<'_>,
    ) -> Result<Probe, ProviderError> {
        let host = self.origin.host(&deployment.address);
        self.gateway
            .probe(&host, &deployment.id, question.path)
            .await
            .map_err(LocalError::into_provider_error)
    }
}

fn deployment(preview: PreviewDeployment) -> Deployment {
    Deployment {
        address: Address::new(preview.label.as_str()),
        id: preview.id,
        key: preview.key,
        revision: preview.revision,
        state: build_state(preview.state),
    }
}

fn build_state(state: DeploymentState) -> BuildState {
    match state {
        DeploymentState::Building { .. } => BuildState::Building,
        DeploymentState::Ready => BuildState::Ready,
        DeploymentState::Failed { log_tail } => BuildState::Failed { log_tail },
    }
}
