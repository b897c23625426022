//! Previews whose retention is over go, once, whatever comes in between; and nothing else does. Contexts that are reset begin
//! anew.

#![expect(
    clippy::unwrap_used,
    reason = "a test that can't go on should say where"
)]

#[path = "ending/gated.rs"]
mod gated;
mod world;

use std::{collections::BTreeMap, sync::Arc};

use foreshow_contract::{Ordinal, Revision, Timestamp};
use foreshow_engine::{ContextStatus, Failure, QuotaSet, Store, testing::FakeBuild};
use gated::{Gate, Gated, Side};
use world::{World, end, expired, key, reset, secs, touch, update};

/// The sweeper looks every few seconds, with jitter: a preview that is due has gone by then.
const SWEPT_BY: u64 = 20;

/// What was told of a context but progress, each id with how often.
fn told(world: &World, context: &str) -> BTreeMap<String, usize> {
    let begin = format!("acme/{context}/");
    let mut told = BTreeMap::new();
    for result in world.broker.published() {
        if let Some(id) = result.id.strip_prefix(&begin)
            && !id.contains("/building")
        {
            *told.entry(id.to_owned()).or_default() += 1;
        }
    }
    told
}

fn ids(world: &World, context: &str) -> Vec<String> {
    told(world, context).into_keys().collect()
}

async fn pass(world: &World, seconds: u64) {
    tokio::time::sleep(secs(seconds)).await;
    world.settle().await;
}

async fn status(world: &World, context: &str) -> ContextStatus {
    let key = key(context);
    let record = world.store.context(&key).await.unwrap().unwrap();
    let last = world.store.outcome(&key, record.desired).await.unwrap();
    record.status(last.as_ref())
}

async fn places(world: &World) -> u64 {
    let set = QuotaSet::LivePreviews;
    world.store.quota_used(&key("c").tenant, set).await.unwrap()
}

fn is_gone(world: &World, context: &str) -> bool {
    let there = world.provider.deployments();
    world.shown(context).is_none() && !there.iter().any(|one| one.key == key(context))
}

#[tokio::test(start_paused = true)]
async fn a_preview_expires_and_is_told_of_once() {
    let world = World::start();
    world.publish(update("c", 7).ttl(60)).await;
    world.publish(update("other", 1).ttl(600)).await;
    pass(&world, 55).await;
    assert_eq!((world.shown("c"), places(&world).await), (Some(7), 2));
    pass(&world, 5 + SWEPT_BY).await;
    assert!(is_gone(&world, "c"));
    assert_eq!(world.shown("other"), Some(1));
    assert_eq!(places(&world).await, 1, "its place is free");
    assert_eq!(status(&world, "c").await, ContextStatus::Expired);
    assert_eq!(
        world.history("c").await.last().unwrap(),
        "7 ended preview.removed expired"
    );
    pass(&world, 300).await;
    let expected = [("7/updated/ready", 1), ("7/updated/removed/expired", 1)];
    assert_eq!(
        told(&world, "c"),
        expected.map(|(id, n)| (id.to_owned(), n)).into()
    );
    // Something newer opens the context again.
    world.publish(update("c", 8)).await;
    pass(&world, 1).await;
    assert_eq!(
        (world.shown("c"), status(&world, "c").await),
        (Some(8), ContextStatus::Live)
    );
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_touch_and_an_update_with_the_same_files_prolong() {
    let world = World::start();
    world
        .publish(update("c", 1).file("a", "same").ttl(60))
        .await;
    pass(&world, 50).await;
    world.publish(touch("c")).await;
    world.publish(touch("nobody-knows-it")).await;
    pass(&world, 50).await;
    assert_eq!(world.shown("c"), Some(1), "it was touched");
    world
        .publish(update("c", 2).file("a", "same").ttl(60))
        .await;
    pass(&world, 50).await;
    assert_eq!(world.shown("c"), Some(1), "and is unchanged");
    pass(&world, 10 + SWEPT_BY).await;
    assert!(is_gone(&world, "c"));
    let removed = ["1/updated/removed/expired", "2/updated/removed/expired"];
    let told = ids(&world, "c");
    assert!(
        removed.iter().all(|id| told.iter().any(|told| told == id)),
        "{told:?}"
    );
    world.finish().await;
}

/// The sweeper's word comes late, twice, or from nobody who may say it: it is looked again whether it is so.
#[tokio::test(start_paused = true)]
async fn an_expiry_that_is_no_longer_so_does_nothing() {
    let world = World::start();
    world.publish(expired("c", 1)).await;
    pass(&world, 1).await;
    assert_eq!(world.store.context(&key("c")).await.unwrap(), None);
    world.publish(update("c", 1).ttl(600)).await;
    pass(&world, 1).await;
    let before = world.store.context(&key("c")).await.unwrap();
    for n in [0, 1, 2, Revision::MAX.get()] {
        world.publish(expired("c", n)).await;
    }
    pass(&world, 1).await;
    assert_eq!(world.store.context(&key("c")).await.unwrap(), before);
    assert_eq!(ids(&world, "c"), ["1/updated/ready"]);
    assert!(world.broker.dead_letters().is_empty());
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn an_update_on_its_way_keeps_what_is_live() {
    let world = World::start();
    world.publish(update("c", 1).ttl(30)).await;
    pass(&world, 1).await;
    // Its provider asks to wait, for longer than what is live lives.
    let failure = Failure::RateLimited {
        until: world.in_secs(200),
    };
    world.provider.set_failing("create", Some(failure));
    world.publish(update("c", 2).ttl(30)).await;
    tokio::time::sleep(secs(100)).await;
    assert_eq!(world.shown("c"), Some(1));
    world.publish(expired("c", 2)).await;
    world.publish(expired("c", 1)).await;
    tokio::time::sleep(secs(10)).await;
    assert_eq!(world.shown("c"), Some(1));
    world.provider.set_failing("create", None);
    while world.ends("c", "ready").len() < 2 {
        tokio::time::sleep(secs(1)).await;
    }
    assert_eq!(world.shown("c"), Some(2));
    pass(&world, 30 + SWEPT_BY).await;
    assert!(is_gone(&world, "c"));
    let expected = [
        "1/updated/ready",
        "1/updated/removed/replaced",
        "2/updated/ready",
        "2/updated/removed/expired",
    ];
    assert_eq!(ids(&world, "c"), expected);
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_failed_update_left_live_expires() {
    let world = World::start();
    world.publish(update("c", 1).ttl(60)).await;
    pass(&world, 1).await;
    world.provider.set_build(FakeBuild::Failed(secs(1)));
    world.publish(update("c", 2)).await;
    pass(&world, 30).await;
    assert_eq!(world.shown("c"), Some(1));
    pass(&world, 30 + SWEPT_BY).await;
    assert!(is_gone(&world, "c"));
    let expected = [
        "1/updated/ready",
        "1/updated/removed/expired",
        "2/updated/failed",
    ];
    assert_eq!(ids(&world, "c"), expected);
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn kept_revisions_expire_along() {
    let world = World::start();
    for n in 1..=3 {
        world.publish(update("c", n).keep(2).ttl(60)).await;
        pass(&world, 5).await;
    }
    assert_eq!(world.provider.deployments().len(), 2);
    pass(&world, 60 + SWEPT_BY).await;
    assert!(is_gone(&world, "c"));
    let expected = [
        "1/updated/ready",
        "1/updated/removed/replaced",
        "2/updated/ready",
        "2/updated/removed/expired",
        "3/updated/ready",
        "3/updated/removed/expired",
    ];
    assert_eq!(ids(&world, "c"), expected);
    world.finish().await;
}

/// A repeat of anything says the same again, and upstream's own end gets an end of its own.
#[tokio::test(start_paused = true)]
async fn repeats_say_the_same() {
    let world = World::start();
    world.publish(update("c", 1).ttl(10)).await;
    pass(&world, 10 + SWEPT_BY).await;
    for event in [
        expired("c", 1),
        end("c", 1),
        expired("c", 1),
        end("c", 1),
        update("c", 1).ttl(10),
    ] {
        world.publish(event).await;
        pass(&world, 1).await;
    }
    let expected = [
        ("1/ended/removed/ended", 2),
        ("1/updated/ready", 2),
        ("1/updated/removed/expired", 3),
    ];
    assert_eq!(
        told(&world, "c"),
        expected.map(|(id, n)| (id.to_owned(), n)).into()
    );
    assert!(is_gone(&world, "c"));
    // An expiry of what upstream ended itself is nothing to tell of.
    world.publish(update("d", 1).ttl(10)).await;
    pass(&world, 1).await;
    world.publish(end("d", 1)).await;
    pass(&world, 10).await;
    world.publish(expired("d", 1)).await;
    pass(&world, 1).await;
    assert_eq!(
        ids(&world, "d"),
        ["1/ended/removed/ended", "1/updated/ready"]
    );
    world.finish().await;
}

/// The worker dies at every step of it, before and after each call; and in every case upstream's own end, a newer update, or
/// nothing comes in between.
#[tokio::test(start_paused = true)]
async fn an_expiry_that_dies_at_any_step_is_gone_through_with() {
    for operation in ["list", "delete"] {
        for side in [Side::Before, Side::After] {
            for between in [None, Some("end"), Some("update"), Some("touch")] {
                let gate = Gate::at(operation, side);
                let behind = gate.clone();
                let mut world =
                    World::wrapped(move |provider| Arc::new(Gated::new(provider, behind.clone())));
                world.sweep().await;
                gate.open();
                world.publish(update("c", 1).ttl(60)).await;
                pass(&world, 50).await;
                gate.shut();
                gate.reached().await;
                world.kill_worker().await;
                let event = match between {
                    None => None,
                    Some("end") => Some(end("c", 1)),
                    Some("update") => Some(update("c", 2)),
                    Some(_) => Some(touch("c")),
                };
                if let Some(event) = event {
                    world.publish(event).await;
                }
                world.start_worker();
                gate.open();
                pass(&world, 60).await;
                let told = ids(&world, "c");
                let name = format!("{gate}, {between:?}: {told:?}");
                let of_one = |id: &str| told.iter().any(|told| told == id);
                if between == Some("update") {
                    assert_eq!(world.shown("c"), Some(2), "{name}");
                    assert!(of_one("2/updated/ready"), "{name}");
                } else {
                    assert!(is_gone(&world, "c"), "{name}");
                    assert!(of_one("1/updated/removed/expired"), "{name}");
                    assert_eq!(places(&world).await, 0, "{name}");
                }
                assert_eq!(
                    of_one("1/ended/removed/ended"),
                    between == Some("end"),
                    "{name}"
                );
                world.finish().await;
            }
        }
    }
}

/// Between the sweeper's word and the worker's claim.
#[tokio::test(start_paused = true)]
async fn whoever_comes_before_the_claim_wins() {
    for between in ["touch", "update", "end"] {
        let mut world = World::start();
        world.publish(update("c", 1).ttl(60)).await;
        pass(&world, 1).await;
        world.stop_worker().await;
        tokio::time::sleep(secs(100)).await;
        // As the sweeper has told it, and nobody has read it yet.
        match between {
            "touch" => {
                let prolonged = world.store.touch(&key("c"), None).await.unwrap();
                assert_eq!(prolonged, Some(world.in_secs(60)));
            }
            "update" => world.publish(update("c", 2)).await,
            _ => world.publish(end("c", 1)).await,
        }
        world.publish(expired("c", 1)).await;
        world.start_worker();
        pass(&world, 30).await;
        let told = ids(&world, "c");
        let expected: &[&str] = match between {
            "touch" => &["1/updated/ready"],
            "update" => &[
                "1/updated/ready",
                "1/updated/removed/replaced",
                "2/updated/ready",
            ],
            _ => &["1/ended/removed/ended", "1/updated/ready"],
        };
        // An update in another queue may come after: then the expiry was right.
        let was_right =
            between == "update" && told.contains(&"1/updated/removed/expired".to_owned());
        assert!(told == expected || was_right, "{between}: {told:?}");
        let shown = [("touch", Some(1)), ("update", Some(2)), ("end", None)];
        assert!(
            shown.contains(&(between, world.shown("c"))),
            "{between}: {:?}",
            world.shown("c")
        );
        world.finish().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_expiry_that_was_given_up_is_asked_for_again() {
    let world = World::with(|options| {
        options.retry.attempts = std::num::NonZeroU32::MIN;
        options.retry.max_age_seconds = 30;
        options.sweep.every_seconds = 100_000;
    });
    world.publish(update("c", 1).ttl(60)).await;
    pass(&world, 50).await;
    let failure = Failure::Retryable { after: None };
    world.provider.set_failing("delete", Some(failure));
    pass(&world, 10 + SWEPT_BY).await;
    tokio::time::sleep(secs(300)).await;
    assert_eq!(world.broker.pending(), 0, "given up");
    assert!(
        world.broker.dead_letters().is_empty(),
        "nobody can do anything about it"
    );
    assert_eq!(ids(&world, "c"), ["1/updated/ready"]);
    world.provider.set_failing("delete", None);
    pass(&world, 700).await;
    assert!(is_gone(&world, "c"));
    assert_eq!(
        ids(&world, "c"),
        ["1/updated/ready", "1/updated/removed/expired"]
    );
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_sweep_tells_of_all_that_is_due() {
    let mut world = World::start();
    for n in 0..450 {
        world.publish(update(&format!("c{n}"), 1).ttl(60)).await;
    }
    pass(&world, 1).await;
    world.stop_worker().await;
    tokio::time::sleep(secs(100)).await;
    assert_eq!(world.sweep().await.expired, 450);
    world.start_worker();
    pass(&world, 30).await;
    assert!(world.provider.deployments().is_empty());
    assert_eq!(
        world
            .store
            .expired(Timestamp::MIN, Timestamp::MAX, 9)
            .await
            .unwrap()
            .len(),
        0
    );
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_reset_opens_a_poisoned_context() {
    let world = World::start();
    let max = Revision::MAX.get();
    world.publish(update("c", 1)).await;
    pass(&world, 1).await;
    world.publish(update("c", max)).await;
    pass(&world, 1).await;
    world.publish(update("c", 2)).await;
    pass(&world, 1).await;
    assert_eq!(world.ends("c", "superseded").len(), 1);
    world.publish(reset("c", "one")).await;
    pass(&world, 1).await;
    assert!(is_gone(&world, "c"));
    assert_eq!(status(&world, "c").await, ContextStatus::Ended);
    assert_eq!(places(&world).await, 0);
    let swept = format!("{max}/updated/removed/swept");
    assert!(ids(&world, "c").contains(&swept));
    // The same revision as before, with other files.
    world
        .publish(update("c", 1).file("index.html", "new"))
        .await;
    pass(&world, 1).await;
    assert_eq!(world.shown("c"), Some(1));
    // A repeat tells the same, and does nothing.
    world.publish(reset("c", "one")).await;
    pass(&world, 1).await;
    assert_eq!(world.shown("c"), Some(1));
    assert_eq!(told(&world, "c")[&swept], 2);
    assert!(
        world
            .history("c")
            .await
            .contains(&format!("{max} ended preview.removed reset"))
    );
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_reset_stops_what_is_being_built() {
    let world = World::start();
    world.provider.set_build(FakeBuild::Ready(secs(600)));
    world.publish(update("c", 100)).await;
    tokio::time::sleep(secs(5)).await;
    world.publish(reset("c", "one")).await;
    pass(&world, 1).await;
    assert!(world.elapsed() < secs(300), "the build was not waited for");
    assert!(is_gone(&world, "c"));
    assert_eq!(ids(&world, "c"), ["100/updated/superseded"]);
    world.provider.set_build(FakeBuild::Ready(secs(1)));
    world.publish(update("c", 1)).await;
    pass(&world, 1).await;
    assert_eq!(world.shown("c"), Some(1));
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_reset_that_dies_at_any_step_is_gone_through_with() {
    for operation in ["list", "delete"] {
        for side in [Side::Before, Side::After] {
            let gate = Gate::at(operation, side);
            let behind = gate.clone();
            let mut world =
                World::wrapped(move |provider| Arc::new(Gated::new(provider, behind.clone())));
            world.sweep().await;
            gate.open();
            world.publish(update("c", 9)).await;
            pass(&world, 1).await;
            gate.shut();
            world.publish(reset("c", "one")).await;
            gate.reached().await;
            world.kill_worker().await;
            // Too early: it is covered by the reset until that is through.
            world.publish(update("c", 1)).await;
            world.start_worker();
            gate.open();
            pass(&world, 60).await;
            let told = ids(&world, "c");
            assert!(
                told.contains(&"9/updated/removed/swept".to_owned()),
                "{gate}: {told:?}"
            );
            world.publish(update("c", 2)).await;
            pass(&world, 1).await;
            assert_eq!(world.shown("c"), Some(2), "{gate}: {told:?}");
            world.finish().await;
        }
    }
}

/// The provider refuses for too long: the message waits for an operator, and the context stays shut until it is replayed.
#[tokio::test(start_paused = true)]
async fn a_reset_that_was_given_up_can_be_replayed() {
    let world = World::with(|options| {
        options.retry.max_age_seconds = 30;
        options.sweep.every_seconds = 100_000;
    });
    world.publish(update("c", 9)).await;
    pass(&world, 1).await;
    let failure = Failure::Retryable { after: None };
    world.provider.set_failing("delete", Some(failure));
    world.publish(reset("c", "one")).await;
    pass(&world, 300).await;
    let letters = world.broker.dead_letters();
    assert_eq!(letters.len(), 1);
    let record = world.store.context(&key("c")).await.unwrap().unwrap();
    assert_eq!(record.desired, Ordinal::end(Revision::MAX));
    world.provider.set_failing("delete", None);
    let letter = letters[0].0.clone();
    world.publish_raw(&letter.routing_key, &letter.body).await;
    pass(&world, 1).await;
    world.publish(update("c", 1)).await;
    pass(&world, 1).await;
    assert_eq!(world.shown("c"), Some(1));
    world.finish().await;
}

/// Without an end's floor nobody would know what to remove there later.
#[tokio::test(start_paused = true)]
async fn a_reset_waits_for_a_provider_that_is_away() {
    let world = World::with_providers(&["fake", "other"]);
    world.publish(update("c", 9)).await;
    pass(&world, 1).await;
    world.providers[1].set_failing("list", Some(Failure::ProviderDown));
    world.publish(reset("c", "one")).await;
    tokio::time::sleep(secs(60)).await;
    let is_done = async || {
        let record = world.store.context(&key("c")).await.unwrap().unwrap();
        record.last_reset.is_some()
    };
    assert!(!is_done().await);
    world.providers[1].set_failing("list", None);
    pass(&world, 600).await;
    assert!(is_done().await && is_gone(&world, "c"));
    world.finish().await;
}
