//! A store that lost its memory gets back what the providers' tags tell.

use std::time::Duration;

use foreshow_contract::ContextKey;

use super::{
    SweepError,
    inventory::{Inventoried, Listed},
};
use crate::{Seed, mutants::mutant, worker::Engine};

/// Seeds every context that providers have deployments of; how many there are.
pub(super) async fn run(engine: &Engine) -> Result<usize, SweepError> {
    let nonce = format!("{:032x}", engine.with_rng(|rng| rng.u128(..)));
    let store = engine.store();
    // Before the providers are asked: what is created from now on is created by somebody who looks the context up.
    store.begin_rebuild(&nonce).await?;
    let mut known = 0;
    if !mutant!(RebuildSkipped) {
        let inventoried = Inventoried::of(engine).await.complete()?;
        known = inventoried.contexts.len();
        for (key, listed) in &inventoried.contexts {
            store.seed(key, &seed(engine, key, listed)).await?;
        }
    }
    if store.complete_rebuild(&nonce).await? {
        Ok(known)
    } else {
        Err(SweepError::WipedAgain)
    }
}

/// What the tags of one context's deployments tell.
pub(crate) fn seed(engine: &Engine, key: &ContextKey, listed: &Listed) -> Seed {
    let alias = engine.installation().alias_label(key);
    let ttl = Duration::from_secs(engine.options().retention.ttl_seconds);
    Seed::of(alias, listed, engine.now().saturating_add(ttl))
}
