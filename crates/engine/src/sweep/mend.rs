//! One context's deployments against its record, and records whose deployment is gone.

use std::time::Duration;

use foreshow_contract::{ContextKey, DeploymentId, Ordinal};
use tracing::{info, warn};

use super::{
    SweepError,
    audit::Audit,
    inventory::{Inventoried, Listed, of_context},
    rebuild,
    report::{Finding, Walk},
};
use crate::{
    BuildState, ContextRecord, ContextSummary, Deployment, GoesBecause, Judgement, KnownAs, Live,
    QuotaMember, StaysAs, Suspect, Verdict, worker::Engine,
};

/// Records that are looked at, of those with something live.
const RECORDS: u32 = 100_000;

/// Judges what the record does not name, and sees that the alias shows what is live.
pub(super) async fn context(
    walk: &mut Walk<'_>,
    key: &ContextKey,
    listed: &Listed,
) -> Result<(), SweepError> {
    let engine = walk.engine;
    let store = engine.store();
    let Some(record) = store.context(key).await? else {
        let seed = rebuild::seed(engine, key, listed);
        if walk.carries_out() {
            store.seed(key, &seed).await?;
        }
        rebuild::note(walk, key, listed, &seed);
        walk.report.swept.seeded += 1;
        walk.report.swept.unrecorded += listed.len() as u64;
        return Ok(());
    };
    let live = record.live.as_ref().map(|live| &live.deployment);
    let live_is_there = listed.iter().any(|(_, one)| Some(&one.id) == live);
    let ttl = Duration::from_secs(engine.options().retention.ttl_seconds);
    let mut deleted = Vec::new();
    for (name, deployment) in listed {
        if Some(&deployment.id) == live && remove_if_ended(walk, key).await? {
            continue;
        }
        let suspect = Suspect {
            provider: name.clone(),
            deployment: deployment.clone(),
            live_is_there,
            stays_until: engine.now().saturating_add(ttl),
        };
        let judgement = judge(walk, key, &record, &suspect).await?;
        match judgement.verdict() {
            Verdict::Known | Verdict::Adopted => {}
            Verdict::Condemned => {
                let Some(provider) = engine.provider(name) else {
                    continue;
                };
                if walk.carries_out() {
                    provider.delete(&deployment.id).await?;
                    info!(context.id = %key, deployment.id = %deployment.id,
                        "deleted a deployment of revision {} of {key} that nobody can want any more", deployment.revision);
                }
                deleted.push(&deployment.id);
                walk.report.swept.deleted += 1;
            }
        }
        walk.note(key, Some(&record), || Finding::Judged {
            provider: name.clone(),
            deployment: deployment.clone(),
            judgement,
        });
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
        show_what_is_live(walk, key, &deleted).await?;
    }
    if walk.carries_out() {
        // Only now: as long as the record names them, the next sweep looks at the alias again.
        for id in deleted {
            store.forget_condemned(key, id).await?;
        }
    }
    forget_what_is_deleted(walk, key, &record, listed).await
}

/// What becomes of a deployment, and why. Where that is carried out the store says what, in the step that writes it down, and the
/// reason is what was read before.
async fn judge(
    walk: &Walk<'_>,
    key: &ContextKey,
    record: &ContextRecord,
    suspect: &Suspect,
) -> Result<Judgement, SweepError> {
    let store = walk.engine.store();
    let Deployment { id, revision, .. } = &suspect.deployment;
    let is_live = record
        .live
        .as_ref()
        .is_some_and(|live| live.deployment == *id);
    let foreseen = if is_live {
        Judgement::Known(KnownAs::Live)
    } else if walk.tells() {
        let prior = store.outcome(key, Ordinal::update(*revision)).await?;
        let is_kept = store.is_kept(key, id).await?;
        record.appraise(suspect, prior.as_ref(), is_kept, store.now().await?)
    } else {
        // Nobody asks for the reason.
        Judgement::Goes(GoesBecause::Condemned)
    };
    if is_live || !walk.carries_out() {
        return Ok(foreseen);
    }
    Ok(match store.judge(key, suspect).await? {
        verdict if verdict == foreseen.verdict() => foreseen,
        // Something came in between, and this is what it can have been.
        Verdict::Known => Judgement::Known(KnownAs::Building),
        Verdict::Adopted => Judgement::Stays(StaysAs::Awaited {
            until: suspect.stays_until,
            is_new: false,
        }),
        Verdict::Condemned => Judgement::Goes(GoesBecause::Condemned),
    })
}

/// Removes what is live in the record and covered by an accepted end, whose own run a newer event passed, and then failed;
/// whether there was such a thing.
///
/// Not condemned first, for the floor says the same: nothing at or below it is adopted, goes live, or counts as unchanged.
async fn remove_if_ended(walk: &mut Walk<'_>, key: &ContextKey) -> Result<bool, SweepError> {
    let engine = walk.engine;
    // Read anew: whoever holds the context now may have been granted it before the end was accepted, and count this as
    // unchanged; whoever is granted it from now on knows of the end.
    let (Some(record), now) = (
        engine.store().context(key).await?,
        engine.store().now().await?,
    ) else {
        return Ok(false);
    };
    let ended = record
        .live
        .as_ref()
        .filter(|live| !record.is_held(now) && record.is_ended(live.revision));
    let Some(live) = ended else {
        return Ok(false);
    };
    let Some(provider) = engine.provider(&live.provider) else {
        return Ok(false);
    };
    if walk.carries_out() {
        provider.delete(&live.deployment).await?;
        info!(context.id = %key, deployment.id = %live.deployment,
            "deleted revision {} of {key}, which an end covers", live.revision);
        // Where somebody holds the context, they or the next sweep see that it is gone.
        if engine.store().mend(key, &live.deployment).await? {
            engine
                .store()
                .leave(&QuotaMember::LivePreview(key.clone()))
                .await?;
        }
    }
    walk.report.swept.deleted += 1;
    walk.note(key, Some(&record), || Finding::LiveEnded {
        provider: live.provider.clone(),
        deployment: live.deployment.clone(),
        revision: live.revision,
    });
    Ok(true)
}

/// Whoever condemned them did not get to say that they are gone.
async fn forget_what_is_deleted(
    walk: &mut Walk<'_>,
    key: &ContextKey,
    record: &ContextRecord,
    listed: &Listed,
) -> Result<(), SweepError> {
    let missing = |listed: &Listed, id: &DeploymentId| listed.iter().all(|(_, one)| one.id != *id);
    if !record.condemned.iter().any(|id| missing(listed, id)) {
        return Ok(());
    }
    // Asked after the record was read: what is missing now was deleted.
    let there = of_context(walk.engine, key).await?;
    for id in &record.condemned {
        if missing(listed, id) && missing(&there, id) {
            if walk.carries_out() {
                walk.engine.store().forget_condemned(key, id).await?;
            }
            walk.note(key, Some(record), || Finding::CondemnedGone {
                deployment: id.clone(),
            });
        }
    }
    Ok(())
}

/// Moves an alias that shows something older than what is live, forward only, and only where nobody works on the context.
async fn show_what_is_live(
    walk: &mut Walk<'_>,
    key: &ContextKey,
    deleted: &[&DeploymentId],
) -> Result<(), SweepError> {
    let engine = walk.engine;
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
    let is_newer = shown.as_ref().is_some_and(|shown| {
        let mut listed = listed.iter().filter(|one| !deleted.contains(&&one.id));
        listed.any(|one| one.id == *shown && one.revision > live.revision)
    });
    // Looked at once more: somebody may have begun to work on it, and moves the alias themselves.
    if !is_newer
        && at_rest(engine, key)
            .await?
            .is_some_and(|(_, now)| now.deployment == live.deployment)
    {
        if walk.carries_out() {
            if !provider.move_alias(&record.alias, &live.deployment).await? {
                return Ok(());
            }
            warn!(context.id = %key, "the alias of {key} did not show revision {}, which is live; it was moved", live.revision);
        }
        walk.report.swept.aliases_moved += 1;
        walk.note(key, Some(&record), || Finding::AliasBehind {
            provider: live.provider.clone(),
            from: shown,
            to: live.deployment.clone(),
            revision: live.revision,
        });
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
    let live = record.live.clone();
    Ok(live
        .filter(|live| !record.is_held(now) && !record.is_ended(live.revision))
        .map(|live| (record, live)))
}

/// Drops from its record what is live there and gone at its provider.
pub(super) async fn what_is_gone(
    walk: &mut Walk<'_>,
    inventoried: &Inventoried,
) -> Result<(), SweepError> {
    let engine = walk.engine;
    let tenant = walk.scope.tenant.as_ref();
    let summaries = engine.store().contexts(tenant, RECORDS).await?;
    let (kept, now) = (
        engine.store().keeps_outcomes_for(),
        engine.store().now().await?,
    );
    walk.counted = Some((Audit::of(&summaries, kept, now), summaries.len()));
    for ContextSummary { key, record, .. } in &summaries {
        if !walk.scope.takes(key) {
            continue;
        }
        let listed = inventoried.contexts.get(key);
        if listed.is_none() {
            // Nothing of it was listed, so nobody has looked at what was condemned.
            forget_what_is_deleted(walk, key, record, &Listed::new()).await?;
        }
        let is_listed = |live: &Live| {
            listed.is_some_and(|listed| listed.iter().any(|(_, one)| one.id == live.deployment))
        };
        if let Some(live) = record.live.as_ref().filter(|live| !is_listed(live))
            && inventoried.is_known(&live.provider)
        {
            mend_if_gone(walk, key, record, live).await?;
        }
    }
    Ok(())
}

async fn mend_if_gone(
    walk: &mut Walk<'_>,
    key: &ContextKey,
    record: &ContextRecord,
    live: &Live,
) -> Result<(), SweepError> {
    let store = walk.engine.store();
    let Some(provider) = walk.engine.provider(&live.provider) else {
        return Ok(());
    };
    // The inventory may be older than this deployment, and lists may lag: it is asked for by name, after the record was read.
    if provider.status(&live.deployment).await? != BuildState::Gone {
        return Ok(());
    }
    let is_mended = if walk.carries_out() {
        store.mend(key, &live.deployment).await?
    } else {
        let now = store.now().await?;
        record.clone().mend(&live.deployment, now)
    };
    if !is_mended {
        return Ok(());
    }
    if walk.carries_out() {
        warn!(context.id = %key, deployment.id = %live.deployment,
            "what was live of {key} is gone at {}; publish the context again to bring it back", live.provider);
        let place = QuotaMember::LivePreview(key.clone());
        store.leave(&place).await?;
    }
    walk.report.swept.mended += 1;
    walk.note(key, Some(record), || Finding::LiveGone {
        provider: live.provider.clone(),
        deployment: live.deployment.clone(),
        revision: live.revision,
    });
    Ok(())
}
