//! One context's deployments against its record, and records whose deployment is gone.

use std::time::Duration;

use foreshow_contract::{ContextKey, DeploymentId};
use tracing::{info, warn};

use super::{
    SweepError, Swept,
    inventory::{Inventoried, Listed, of_context},
    rebuild,
};
use crate::{BuildState, ContextRecord, Live, QuotaMember, Suspect, Verdict, worker::Engine};

/// Records that are looked at, of those with something live.
const RECORDS: u32 = 100_000;

/// Judges what the record does not name, and sees that the alias shows what is live.
pub(super) async fn context(
    engine: &Engine,
    key: &ContextKey,
    listed: &Listed,
    swept: &mut Swept,
) -> Result<(), SweepError> {
    let store = engine.store();
    let Some(record) = store.context(key).await? else {
        store.seed(key, &rebuild::seed(engine, key, listed)).await?;
        swept.seeded += 1;
        return Ok(());
    };
    let live = record.live.as_ref().map(|live| &live.deployment);
    let live_is_there = listed.iter().any(|(_, one)| Some(&one.id) == live);
    let ttl = Duration::from_secs(engine.options().retention.ttl_seconds);
    let mut deleted = Vec::new();
    for (name, deployment) in listed {
        if Some(&deployment.id) == live {
            remove_if_ended(engine, key, swept).await?;
            continue;
        }
        let suspect = Suspect {
            provider: name.clone(),
            deployment: deployment.clone(),
            live_is_there,
            stays_until: engine.now().saturating_add(ttl),
        };
        match store.judge(key, &suspect).await? {
            Verdict::Known | Verdict::Adopted => {}
            Verdict::Condemned => {
                let Some(provider) = engine.provider(name) else {
                    continue;
                };
                provider.delete(&deployment.id).await?;
                deleted.push(&deployment.id);
                info!(context.id = %key, deployment.id = %deployment.id,
                    "deleted a deployment of revision {} of {key} that nobody can want any more", deployment.revision);
                swept.deleted += 1;
            }
        }
    }
    // With nothing beside it, and moved there by whoever went live, an alias can show nothing else; unless what it showed
    // wrongly was condemned and is gone, and with it the alias.
    let is_sure = listed.len() == 1
        && record.condemned.is_empty()
        && record
            .live
            .as_ref()
            .is_some_and(|live| !live.tree.is_empty());
    if !is_sure {
        show_what_is_live(engine, key, swept).await?;
    }
    // Only now: as long as the record names them, the next sweep looks at the alias again.
    for id in deleted {
        store.forget_condemned(key, id).await?;
    }
    forget_what_is_deleted(engine, key, &record, listed).await
}

/// Removes what is live in the record and covered by an accepted end, whose own run a newer event passed, and then failed.
///
/// Not condemned first, for the floor says the same: nothing at or below it is adopted, goes live, or counts as unchanged.
async fn remove_if_ended(
    engine: &Engine,
    key: &ContextKey,
    swept: &mut Swept,
) -> Result<(), SweepError> {
    // Read anew: whoever holds the context now may have been granted it before the end was accepted, and count this as
    // unchanged; whoever is granted it from now on knows of the end.
    let (Some(record), now) = (
        engine.store().context(key).await?,
        engine.store().now().await?,
    ) else {
        return Ok(());
    };
    let is_held = record.lease.as_ref().is_some_and(|lease| lease.until > now);
    let ended = record
        .live
        .as_ref()
        .filter(|live| !is_held && record.is_ended(live.revision));
    let Some(live) = ended else {
        return Ok(());
    };
    let Some(provider) = engine.provider(&live.provider) else {
        return Ok(());
    };
    provider.delete(&live.deployment).await?;
    swept.deleted += 1;
    info!(context.id = %key, deployment.id = %live.deployment,
        "deleted revision {} of {key}, which an end covers", live.revision);
    // Where somebody holds the context, they or the next sweep see that it is gone.
    if engine.store().mend(key, &live.deployment).await? {
        engine
            .store()
            .leave(&QuotaMember::LivePreview(key.clone()))
            .await?;
    }
    Ok(())
}

/// Whoever condemned them did not get to say that they are gone.
async fn forget_what_is_deleted(
    engine: &Engine,
    key: &ContextKey,
    record: &ContextRecord,
    listed: &Listed,
) -> Result<(), SweepError> {
    let is_listed = |id: &DeploymentId| listed.iter().any(|(_, one)| one.id == *id);
    if record.condemned.iter().all(is_listed) {
        return Ok(());
    }
    // Asked after the record was read: what is missing now was deleted.
    let there = of_context(engine, key).await?;
    for id in &record.condemned {
        if !there.iter().any(|(_, one)| one.id == *id) {
            engine.store().forget_condemned(key, id).await?;
        }
    }
    Ok(())
}

/// Moves an alias that shows something older than what is live, forward only, and only where nobody works on the context.
async fn show_what_is_live(
    engine: &Engine,
    key: &ContextKey,
    swept: &mut Swept,
) -> Result<(), SweepError> {
    let Some((record, live)) = at_rest(engine, key).await? else {
        return Ok(());
    };
    let Some(provider) = engine.provider(&live.provider) else {
        return Ok(());
    };
    let shown = provider.alias(&record.alias).await?;
    if shown.as_ref() == Some(&live.deployment) {
        return Ok(());
    }
    let listed = provider.list(key).await?;
    let is_newer = shown.is_some_and(|shown| {
        let mut listed = listed.iter();
        listed.any(|one| one.id == shown && one.revision > live.revision)
    });
    // Looked at once more: somebody may have begun to work on it, and moves the alias themselves.
    if !is_newer
        && at_rest(engine, key)
            .await?
            .is_some_and(|(_, now)| now.deployment == live.deployment)
        && provider.move_alias(&record.alias, &live.deployment).await?
    {
        warn!(context.id = %key, "the alias of {key} did not show revision {}, which is live; it was moved", live.revision);
        swept.aliases_moved += 1;
    }
    Ok(())
}

/// The record and what is live, where nobody holds the context and nothing has ended it.
async fn at_rest(
    engine: &Engine,
    key: &ContextKey,
) -> Result<Option<(ContextRecord, Live)>, SweepError> {
    let store = engine.store();
    let (Some(record), now) = (store.context(key).await?, store.now().await?) else {
        return Ok(None);
    };
    let is_held = record.lease.as_ref().is_some_and(|lease| lease.until > now);
    let live = record.live.clone();
    Ok(live
        .filter(|live| !is_held && !record.is_ended(live.revision))
        .map(|live| (record, live)))
}

/// Drops from its record what is live there and gone at its provider.
pub(super) async fn what_is_gone(
    engine: &Engine,
    inventoried: &Inventoried,
    swept: &mut Swept,
) -> Result<(), SweepError> {
    let store = engine.store();
    let summaries = store.contexts(None, RECORDS).await?;
    for summary in summaries {
        let listed = inventoried.contexts.get(&summary.key);
        if listed.is_none() {
            // Nothing of it was listed, so nobody has looked at what was condemned.
            forget_what_is_deleted(engine, &summary.key, &summary.record, &Listed::new()).await?;
        }
        let seems_gone = |live: &Live| {
            !listed.is_some_and(|listed| listed.iter().any(|(_, one)| one.id == live.deployment))
        };
        let Some(live) = summary.record.live.filter(seems_gone) else {
            continue;
        };
        let known = |live: &Live| inventoried.is_known(&live.provider);
        let Some(provider) = engine.provider(&live.provider).filter(|_| known(&live)) else {
            continue;
        };
        // The inventory may be older than this deployment, and lists may lag: it is asked for by name, after the record was
        // read.
        if provider.status(&live.deployment).await? != BuildState::Gone {
            continue;
        }
        if store.mend(&summary.key, &live.deployment).await? {
            warn!(context.id = %summary.key, deployment.id = %live.deployment,
                "what was live of {} is gone at {}; publish the context again to bring it back", summary.key, live.provider);
            let place = QuotaMember::LivePreview(summary.key.clone());
            store.leave(&place).await?;
            swept.mended += 1;
        }
    }
    Ok(())
}
