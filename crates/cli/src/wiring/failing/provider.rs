//! A provider, with points on both sides of a create's answer.
//!
//! When the request is out, and whether it was carried out, no caller can see. So at `create-sent` the provider is asked, beside
//! the call that goes on, until it lists the deployment: then the create was carried out, and its answer is never read.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use foreshow_contract::{ContextKey, DeploymentId, HostLabel, ProviderName, Revision};
use foreshow_engine::{
    AccountId, Address, BuildState, Capabilities, CreateRequest, Created, Deployment, DomainState,
    Inventory, Probe, ProbeQuestion, Provider, ProviderCheck, ProviderError, RateLimit,
};

use super::{Point, Points};

/// Between two questions whether a create was carried out.
const ASK_EVERY: Duration = Duration::from_millis(5);

pub(super) struct FailingProvider {
    inner: Arc<dyn Provider>,
    points: Points,
}

impl FailingProvider {
    pub(super) fn new(inner: Arc<dyn Provider>, points: &Points) -> Self {
        let points = points.clone();
        Self { inner, points }
    }

    /// Returns once the provider lists a deployment of this revision.
    async fn listed(&self, key: &ContextKey, revision: Revision) {
        loop {
            let listed = self.inner.list(key).await.unwrap_or_default();
            if listed.iter().any(|one| one.revision == revision) {
                return;
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    }
}

#[async_trait]
impl Provider for FailingProvider {
    fn name(&self) -> &ProviderName {
        self.inner.name()
    }

    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    fn url(&self, address: &Address) -> String {
        self.inner.url(address)
    }

    fn account(&self) -> Option<&AccountId> {
        self.inner.account()
    }

    fn create_limit(&self) -> Option<RateLimit> {
        self.inner.create_limit()
    }

    fn look_every(&self, building_for: Duration) -> Option<Duration> {
        self.inner.look_every(building_for)
    }

    fn alias_address(&self, alias: &HostLabel) -> Address {
        self.inner.alias_address(alias)
    }

    async fn list(&self, key: &ContextKey) -> Result<Vec<Deployment>, ProviderError> {
        self.inner.list(key).await
    }

    async fn inventory(&self, after: Option<&str>) -> Result<Inventory, ProviderError> {
        self.inner.inventory(after).await
    }

    async fn create(&self, request: CreateRequest<'_>) -> Result<Created, ProviderError> {
        let (key, revision) = (request.key, request.revision);
        let created = if self.points.is_at(Point::CreateSent) {
            let mut creating = self.inner.create(request);
            let created = tokio::select! {
                biased;
                () = self.listed(key, revision) => None,
                created = &mut creating => Some(created),
            };
            // An answer that came first is as good as unread: nobody has looked at it.
            if !matches!(created, Some(Err(_))) {
                self.points.pass(Point::CreateSent, Some(key));
            }
            match created {
                Some(created) => created,
                None => creating.await,
            }
        } else {
            self.inner.create(request).await
        }?;
        self.points.pass(Point::CreateAnswered, Some(key));
        Ok(created)
    }

    async fn status(&self, id: &DeploymentId) -> Result<BuildState, ProviderError> {
        self.inner.status(id).await
    }

    async fn locate(&self, deployment: &Deployment) -> Result<Option<Address>, ProviderError> {
        self.inner.locate(deployment).await
    }

    async fn cancel(&self, id: &DeploymentId) -> Result<(), ProviderError> {
        self.inner.cancel(id).await
    }

    async fn delete(&self, id: &DeploymentId) -> Result<(), ProviderError> {
        self.inner.delete(id).await
    }

    async fn alias(&self, alias: &HostLabel) -> Result<Option<DeploymentId>, ProviderError> {
        self.inner.alias(alias).await
    }

    async fn move_alias(
        &self,
        alias: &HostLabel,
        to: &DeploymentId,
    ) -> Result<bool, ProviderError> {
        self.inner.move_alias(alias, to).await
    }

    async fn probe(
        &self,
        deployment: &Deployment,
        question: ProbeQuestion<'_>,
    ) -> Result<Probe, ProviderError> {
        self.inner.probe(deployment, question).await
    }

    async fn move_domain(
        &self,
        domain: &str,
        to: &Deployment,
    ) -> Result<DomainState, ProviderError> {
        self.inner.move_domain(domain, to).await
    }

    async fn check(&self) -> Result<Vec<ProviderCheck>, ProviderError> {
        self.inner.check().await
    }
}
