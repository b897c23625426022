//! Everything that providers have, by context.

use std::collections::BTreeMap;

use foreshow_contract::{ContextKey, ProviderName};

use crate::{BuildState, Deployment, ProviderError, worker::Engine};

/// Deployments of one context, each with its provider.
pub(super) type Listed = Vec<(ProviderName, Deployment)>;

/// Everything that providers had, over the time that listing took.
pub(super) struct Inventoried {
    pub(super) contexts: BTreeMap<ContextKey, Listed>,
}

impl Inventoried {
    /// Asks every provider, page by page.
    pub(super) async fn of(engine: &Engine) -> Result<Self, ProviderError> {
        let mut contexts = BTreeMap::<_, Listed>::new();
        for provider in engine.providers() {
            let mut after = None;
            loop {
                let page = provider.inventory(after.as_deref()).await?;
                for deployment in page.deployments {
                    if deployment.state != BuildState::Gone {
                        let listed = contexts.entry(deployment.key.clone()).or_default();
                        listed.push((provider.name().clone(), deployment));
                    }
                }
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(Self { contexts })
    }
}

/// What all providers have of one context now.
pub(crate) async fn of_context(engine: &Engine, key: &ContextKey) -> Result<Listed, ProviderError> {
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
