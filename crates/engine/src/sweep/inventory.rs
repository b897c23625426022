//! Everything that providers have, by context.

use std::collections::BTreeMap;

use foreshow_contract::{ContextKey, ProviderName};

use super::report::Scope;
use crate::{BuildState, Deployment, Failure, Provider, ProviderError, worker::Engine};

/// Deployments of one context, each with its provider.
pub(crate) type Listed = Vec<(ProviderName, Deployment)>;

/// Everything that providers had, over the time that listing took.
#[derive(Default)]
pub(super) struct Inventoried {
    pub(super) contexts: BTreeMap<ContextKey, Listed>,
    /// Those that did not tell all that they have, and why not.
    pub(super) away: Vec<ProviderError>,
}

impl Inventoried {
    /// Asks every provider, page by page; for a single context only for that. One that is away keeps nobody from looking at what the
    /// others have.
    pub(super) async fn of(engine: &Engine, scope: &Scope) -> Self {
        let mut inventoried = Self::default();
        for provider in engine.providers() {
            let added = match scope.single() {
                Some(key) => inventoried.add_one(&**provider, &key).await,
                None => inventoried.add(&**provider).await,
            };
            if let Err(error) = added {
                inventoried.away.push(error);
            }
        }
        inventoried.contexts.retain(|key, _| scope.takes(key));
        inventoried
    }

    /// A provider that is away, where any is. One that refuses us altogether is not waited for, as in a look-up: what it has becomes
    /// known when somebody has put its token right.
    pub(super) fn complete(mut self) -> Result<Self, ProviderError> {
        let refused = |error: &ProviderError| matches!(error.failure, Failure::Permanent(_));
        match self.away.iter().position(|error| !refused(error)) {
            Some(away) => Err(self.away.swap_remove(away)),
            None => Ok(self),
        }
    }

    /// Whether this provider told all that it has.
    pub(super) fn is_known(&self, provider: &ProviderName) -> bool {
        self.away.iter().all(|error| error.provider != *provider)
    }

    async fn add(&mut self, provider: &dyn Provider) -> Result<(), ProviderError> {
        let mut after = None;
        loop {
            let page = provider.inventory(after.as_deref()).await?;
            self.take(provider, page.deployments);
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    async fn add_one(
        &mut self,
        provider: &dyn Provider,
        key: &ContextKey,
    ) -> Result<(), ProviderError> {
        let listed = provider.list(key).await?;
        self.take(provider, listed);
        Ok(())
    }

    fn take(&mut self, provider: &dyn Provider, deployments: Vec<Deployment>) {
        for deployment in deployments {
            if deployment.state == BuildState::Gone {
                continue;
            }
            let listed = self.contexts.entry(deployment.key.clone()).or_default();
            let one = (provider.name().clone(), deployment);
            let is_same = |known: &(_, Deployment)| known.0 == one.0 && known.1.id == one.1.id;
            if !listed.iter().any(is_same) {
                listed.push(one);
            }
        }
    }
}

/// What all providers have of one context now.
pub(super) async fn of_context(engine: &Engine, key: &ContextKey) -> Result<Listed, ProviderError> {
    let mut listed = Listed::new();
    for provider in engine.providers() {
        for deployment in provider.list(key).await? {
            if deployment.state != BuildState::Gone {
                listed.push((provider.name().clone(), deployment));
            }
        }
    }
    Ok(listed)
}
