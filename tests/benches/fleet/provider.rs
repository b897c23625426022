//! A provider that costs nothing: what is deployed is one entry of a map. Shared with `flood`, where builds take a while.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use foreshow_contract::{ContextKey, DeploymentId, Framework, HostLabel, ProviderName};
use foreshow_engine::{
    Address, BuildState, Capabilities, CreateRequest, Created, Deployment, Inventory, Probe,
    ProbeQuestion, Provider, ProviderError,
};

/// Reached as soon as it is ready.
pub(crate) struct Costless {
    takes: Duration,
    name: ProviderName,
    capabilities: Capabilities,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    deployments: HashMap<ContextKey, Vec<Deployment>>,
    keys: HashMap<DeploymentId, (ContextKey, Instant)>,
    aliases: HashMap<HostLabel, DeploymentId>,
}

impl Costless {
    /// Whose builds take so long.
    pub(crate) fn taking(takes: Duration) -> Self {
        Self {
            takes,
            name: ProviderName::from("costless"),
            capabilities: Capabilities::of([Framework::Static]),
            state: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Provider for Costless {
    fn name(&self) -> &ProviderName {
        &self.name
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn url(&self, address: &Address) -> String {
        format!("http://{address}/")
    }

    fn alias_address(&self, alias: &HostLabel) -> Address {
        Address::new(alias.as_str())
    }

    async fn list(&self, key: &ContextKey) -> Result<Vec<Deployment>, ProviderError> {
        Ok(self
            .lock()
            .deployments
            .get(key)
            .cloned()
            .unwrap_or_default())
    }

    async fn inventory(&self, _after: Option<&str>) -> Result<Inventory, ProviderError> {
        let state = self.lock();
        let deployments = state.deployments.values().flatten().cloned().collect();
        Ok(Inventory {
            deployments,
            next: None,
        })
    }

    async fn create(&self, request: CreateRequest<'_>) -> Result<Created, ProviderError> {
        let deployment = Deployment {
            id: DeploymentId::from(format!("dpl_{}", request.label).as_str()),
            key: request.key.clone(),
            revision: request.revision,
            state: if self.takes.is_zero() {
                BuildState::Ready
            } else {
                BuildState::Building
            },
            address: Address::new(request.label.as_str()),
        };
        let mut state = self.lock();
        state
            .keys
            .insert(deployment.id.clone(), (request.key.clone(), Instant::now()));
        let of_key = state.deployments.entry(request.key.clone()).or_default();
        of_key.push(deployment.clone());
        Ok(Created {
            deployment,
            bytes_uploaded: request.tree.total_bytes(),
            bytes_reused: 0,
        })
    }

    async fn status(&self, id: &DeploymentId) -> Result<BuildState, ProviderError> {
        let begun_at = self.lock().keys.get(id).map(|(_, at)| *at);
        Ok(match begun_at {
            Some(at) if at.elapsed() >= self.takes => BuildState::Ready,
            Some(_) => BuildState::Building,
            None => BuildState::Gone,
        })
    }

    async fn cancel(&self, id: &DeploymentId) -> Result<(), ProviderError> {
        self.delete(id).await
    }

    async fn delete(&self, id: &DeploymentId) -> Result<(), ProviderError> {
        let mut state = self.lock();
        if let Some((key, _)) = state.keys.remove(id)
            && let Some(of_key) = state.deployments.get_mut(&key)
        {
            of_key.retain(|deployment| deployment.id != *id);
        }
        Ok(())
    }

    async fn alias(&self, alias: &HostLabel) -> Result<Option<DeploymentId>, ProviderError> {
        Ok(self.lock().aliases.get(alias).cloned())
    }

    async fn move_alias(
        &self,
        alias: &HostLabel,
        to: &DeploymentId,
    ) -> Result<bool, ProviderError> {
        self.lock().aliases.insert(alias.clone(), to.clone());
        Ok(true)
    }

    async fn probe(&self, _: &Deployment, _: ProbeQuestion<'_>) -> Result<Probe, ProviderError> {
        Ok(Probe::Revision { status: 200 })
    }
}
