//! A store that lost its memory gets back what the providers' tags tell.

use std::time::Duration;

use foreshow_contract::ContextKey;

use super::{
    SweepError,
    inventory::{Inventoried, Listed},
    report::{Finding, Scope, Walk},
};
use crate::{Seed, mutants::mutant, worker::Engine};

/// Seeds every context that providers have deployments of; how many there are.
pub(super) async fn run(walk: &mut Walk<'_>) -> Result<usize, SweepError> {
    let engine = walk.engine;
    let nonce = format!("{:032x}", engine.with_rng(|rng| rng.u128(..)));
    let store = engine.store();
    // Before the providers are asked: what is created from now on is created by somebody who looks the context up.
    store.begin_rebuild(&nonce).await?;
    let mut known = 0;
    if !mutant!(RebuildSkipped) {
        let inventoried = Inventoried::of(engine, &Scope::default())
            .await
            .complete()?;
        known = inventoried.contexts.len();
        for (key, listed) in &inventoried.contexts {
            let is_new = walk.tells() && store.context(key).await?.is_none();
            let seed = seed(engine, key, listed);
            store.seed(key, &seed).await?;
            if is_new {
                note(walk, key, listed, &seed);
                walk.report.swept.seeded += 1;
                walk.report.swept.unrecorded += listed.len() as u64;
            }
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

/// Notes that the context was not known.
pub(super) fn note(walk: &mut Walk<'_>, key: &ContextKey, listed: &Listed, seed: &Seed) {
    for (provider, deployment) in listed {
        walk.note(key, None, || Finding::Seeded {
            provider: provider.clone(),
            deployment: deployment.clone(),
            becomes_live: (seed.live.as_ref()).is_some_and(|live| live.deployment == deployment.id),
        });
    }
}
