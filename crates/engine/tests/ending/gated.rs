//! A provider with a gate in one of its calls: whoever comes first stands in it until it is opened.

use std::{fmt, future::Future, sync::Arc};

use async_trait::async_trait;
use foreshow_contract::{ContextKey, DeploymentId, HostLabel, ProviderName};
use foreshow_engine::{
    Address, BuildState, Capabilities, CreateRequest, Created, Deployment, Inventory, Probe,
    ProbeQuestion, Provider, ProviderError, testing::FakeProvider,
};
use tokio::sync::watch;

/// On which side of a call one stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// It has not landed.
    Before,
    /// It has landed, and its answer was not heard.
    After,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nobody came yet.
    Shut,
    /// Somebody stands in it.
    Taken,
    /// Everybody may pass.
    Open,
}

/// Holds up one call. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Gate {
    operation: &'static str,
    side: Side,
    state: Arc<watch::Sender<State>>,
}

impl Gate {
    pub(crate) fn at(operation: &'static str, side: Side) -> Self {
        Self {
            operation,
            side,
            state: Arc::new(watch::Sender::new(State::Shut)),
        }
    }

    /// Returns once somebody stands in it.
    pub(crate) async fn reached(&self) {
        let mut state = self.state.subscribe();
        let reached = state.wait_for(|state| *state != State::Shut);
        tokio::time::timeout(std::time::Duration::from_mins(10), reached)
            .await
            .unwrap_or_else(|_| panic!("nobody ever stood {self}"))
            .expect("the gate is still there");
    }

    /// Lets everybody pass until it is [shut](Self::shut).
    pub(crate) fn open(&self) {
        self.state.send_replace(State::Open);
    }

    /// Holds up whoever comes next.
    pub(crate) fn shut(&self) {
        self.state.send_replace(State::Shut);
    }

    async fn pass(&self, operation: &str, side: Side) {
        if (operation, side) != (self.operation, self.side) {
            return;
        }
        let is_first = self.state.send_if_modified(|state| {
            let is_first = *state == State::Shut;
            if is_first {
                *state = State::Taken;
            }
            is_first
        });
        if is_first {
            let mut state = self.state.subscribe();
            let opened = state.wait_for(|state| *state == State::Open).await;
            drop(opened.expect("the gate is still there"));
        }
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.side {
            Side::Before => "before",
            Side::After => "after",
        };
        write!(f, "{side} {}", self.operation)
    }
}

/// A provider that is asked through a gate.
pub(crate) struct Gated {
    inner: FakeProvider,
    gate: Gate,
}

impl Gated {
    pub(crate) fn new(inner: FakeProvider, gate: Gate) -> Self {
        Self { inner, gate }
    }

    async fn through<T>(&self, operation: &str, call: impl Future<Output = T>) -> T {
        self.gate.pass(operation, Side::Before).await;
        let answer = call.await;
        self.gate.pass(operation, Side::After).await;
        answer
    }
}

#[async_trait]
impl Provider for Gated {
    fn name(&self) -> &ProviderName {
        self.inner.name()
    }

    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    fn url(&self, address: &Address) -> String {
        self.inner.url(address)
    }

    fn alias_address(&self, alias: &HostLabel) -> Address {
        self.inner.alias_address(alias)
    }

    async fn list(&self, key: &ContextKey) -> Result<Vec<Deployment>, ProviderError> {
        self.through("list", self.inner.list(key)).await
    }

    async fn inventory(&self, after: Option<&str>) -> Result<Inventory, ProviderError> {
        self.through("inventory", self.inner.inventory(after)).await
    }

    async fn create(&self, request: CreateRequest<'_>) -> Result<Created, ProviderError> {
        self.through("create", self.inner.create(request)).await
    }

    async fn status(&self, id: &DeploymentId) -> Result<BuildState, ProviderError> {
        self.through("status", self.inner.status(id)).await
    }

    async fn cancel(&self, id: &DeploymentId) -> Result<(), ProviderError> {
        self.through("cancel", self.inner.cancel(id)).await
    }

    async fn delete(&self, id: &DeploymentId) -> Result<(), ProviderError> {
        self.through("delete", self.inner.delete(id)).await
    }

    async fn alias(&self, alias: &HostLabel) -> Result<Option<DeploymentId>, ProviderError> {
        self.through("alias", self.inner.alias(alias)).await
    }

    async fn move_alias(
        &self,
        alias: &HostLabel,
        to: &DeploymentId,
    ) -> Result<bool, ProviderError> {
        self.through("move_alias", self.inner.move_alias(alias, to))
            .await
    }

    async fn probe(
        &self,
        deployment: &Deployment,
        question: ProbeQuestion<'_>,
    ) -> Result<Probe, ProviderError> {
        self.through("probe", self.inner.probe(deployment, question))
            .await
    }
}
