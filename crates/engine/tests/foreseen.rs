//! A dry run tells what the sweep that follows does, and does nothing of it.

#![expect(
    clippy::unwrap_used,
    reason = "a test that can't go on should say where"
)]

mod world;

use std::collections::BTreeMap;

use foreshow_engine::{
    Failure, Provider, Store,
    sweep::{Case, Finding, Report, Scope},
    testing::FakeBuild,
};
use world::{World, end, key, secs, update};

/// One context for each thing that a sweep can find, with no worker to find it first.
async fn muddle() -> World {
    let mut world = World::with(|options| options.retention.ttl_seconds = 1_000);
    for context in ["live", "second", "older", "gone"] {
        world.publish(update(context, 5)).await;
    }
    world.publish(update("awaited", 5).ttl(900)).await;
    world.publish(update("over", 5).ttl(10)).await;
    world.publish(update("ended", 5)).await;
    world.publish(update("behind", 4).keep(2)).await;
    world.settle().await;
    world.publish(end("ended", 5)).await;
    world.publish(update("behind", 5).keep(2)).await;
    world.settle().await;
    world.kill_worker().await;
    for (context, revision) in [
        ("second", 5),
        ("older", 3),
        ("awaited", 9),
        ("ended", 4),
        ("unknown", 2),
    ] {
        world.provider.land_late(&key(context), revision);
    }
    let of = |context: &str, revision: u64| {
        let there = world.provider.deployments();
        let wanted = there
            .into_iter()
            .find(|one| one.key == key(context) && one.revision.get() == revision);
        wanted.unwrap().id
    };
    let (gone, kept) = (of("gone", 5), of("behind", 4));
    world.provider.delete(&gone).await.unwrap();
    let alias = world.alias("behind");
    assert!(world.provider.move_alias(&alias, &kept).await.unwrap());
    tokio::time::sleep(secs(20)).await;
    world
}

/// What was found, a line each; what is live and is there is left out.
fn told(contexts: &BTreeMap<foreshow_contract::ContextKey, Case>) -> Vec<String> {
    let mut lines = Vec::new();
    for (key, case) in contexts {
        for finding in &case.findings {
            let what = match finding {
                Finding::Judged {
                    deployment,
                    judgement,
                    ..
                } if finding.is_to_be_done() => {
                    format!(
                        "{:?} of {}: {judgement}",
                        judgement.verdict(),
                        deployment.revision
                    )
                }
                Finding::Judged { .. } => continue,
                Finding::Seeded { deployment, .. } => format!("seeded {}", deployment.revision),
                Finding::LiveEnded { revision, .. } => format!("ended {revision}"),
                Finding::AliasBehind { revision, from, .. } => {
                    let was = if from.is_some() { "moved" } else { "made" };
                    format!("alias {was} to {revision}")
                }
                Finding::LiveGone { revision, .. } => format!("gone {revision}"),
                Finding::CondemnedGone { .. } => "condemned and gone".to_owned(),
                Finding::Expired { revision, .. } => format!("expired {revision}"),
            };
            lines.push(format!("{}: {what}", key.context.as_str()));
        }
    }
    lines
}

fn findings(report: &Report) -> Vec<(String, Vec<Finding>)> {
    let contexts = report.contexts.iter();
    contexts
        .map(|(key, case)| (key.to_string(), case.findings.clone()))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_foreseen_is_what_is_done_and_foreseeing_changes_nothing() {
    let world = muddle().await;
    let state = || {
        (
            world.store.records(),
            world.provider.calls(),
            world.broker.pending(),
            world.store.quota_members(),
        )
    };
    let before = state();
    let foreseen = world.engine.foresee_sweep(Scope::default()).await.unwrap();
    assert_eq!(state(), before);
    assert!(foreseen.troubles.is_empty(), "{:?}", foreseen.troubles);
    let lines = told(&foreseen.contexts);
    assert!(
        lines[0].starts_with("awaited: Adopted of 9: its event may still come, "),
        "{lines:?}"
    );
    assert_eq!(
        lines[1..],
        [
            "behind: alias moved to 5",
            "ended: Condemned of 4: an end covers everything up to revision 5",
            "gone: gone 5",
            "older: Condemned of 3: revision 5 is live, which is newer",
            "over: expired 5",
            "second: Condemned of 5: another deployment of its revision is live",
            "unknown: seeded 2",
        ]
    );
    let swept = world.engine.sweep_and_tell().await.unwrap();
    assert_eq!(findings(&foreseen), findings(&swept));
    assert_eq!(foreseen.swept, swept.swept);
    assert_eq!((swept.swept.deleted, swept.swept.mended), (3, 1));
    assert_ne!(state(), before);
    // What is left to do was begun by somebody else: a worker removes what has expired.
    let again = world.engine.foresee_sweep(Scope::default()).await.unwrap();
    // And a context that was written down shows what it has with the next sweep.
    assert_eq!(
        told(&again.contexts),
        ["over: expired 5", "unknown: alias made to 2"]
    );
}

#[tokio::test(start_paused = true)]
async fn it_looks_at_what_it_is_asked_about() {
    let world = muddle().await;
    let one = Scope {
        tenant: Some(key("older").tenant),
        context: Some(key("older").context),
    };
    let foreseen = world.engine.foresee_sweep(one).await.unwrap();
    assert_eq!(foreseen.swept.seen, 2);
    assert_eq!(
        foreseen.contexts.keys().collect::<Vec<_>>(),
        [&key("older")]
    );
    let another = Scope {
        tenant: Some(foreshow_contract::TenantId::try_new("another").unwrap()),
        context: None,
    };
    let foreseen = world.engine.foresee_sweep(another).await.unwrap();
    assert!(foreseen.contexts.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_is_away_is_named_and_the_rest_is_told() {
    let mut world = World::with_providers(&["first", "second"]);
    world.publish(update("c", 5).provider("first")).await;
    world.publish(update("d", 5).provider("second")).await;
    world.settle().await;
    world.kill_worker().await;
    world.provider.land_late(&key("c"), 4);
    world.providers[1].set_failing("inventory", Some(Failure::ProviderDown));
    let foreseen = world.engine.foresee_sweep(Scope::default()).await.unwrap();
    let (context, trouble) = &foreseen.troubles[0];
    assert!(trouble.to_string().contains("second"), "{trouble}");
    assert_eq!((context, foreseen.troubles.len()), (&None, 1));
    assert_eq!(
        told(&foreseen.contexts),
        ["c: Condemned of 4: revision 5 is live, which is newer"],
        "what only the provider that is away knows is not taken for gone"
    );
}

#[tokio::test(start_paused = true)]
async fn a_store_that_forgot_is_told_of_and_stays_so() {
    let mut world = World::start();
    world.provider.set_build(FakeBuild::Ready(secs(0)));
    world.publish(update("c", 5)).await;
    world.settle().await;
    world.kill_worker().await;
    world.store.wipe();
    let foreseen = world.engine.foresee_sweep(Scope::default()).await.unwrap();
    assert!(foreseen.is_forgetful);
    assert_eq!(told(&foreseen.contexts), ["c: seeded 5"]);
    assert!(!world.store.remembers().await.unwrap());
    assert_eq!(world.store.context(&key("c")).await.unwrap(), None);
    let swept = world.engine.sweep_and_tell().await.unwrap();
    assert_eq!(told(&swept.contexts), ["c: seeded 5"]);
    assert_eq!((swept.is_forgetful, swept.swept.seeded), (true, 1));
}
