//! What a review found, each as a story that failed before it was mended.

mod world;

use std::num::{NonZeroU32, NonZeroUsize};

use foreshow_engine::{Failure, Store, testing::FakeBuild};
use world::{World, end, key, secs, update};

#[tokio::test(start_paused = true)]
async fn a_job_that_was_passed_on_is_adopted_where_it_was_begun_after_a_crash() {
    let mut world = World::with_providers(&["first", "second"]);
    world.providers[0].fail_next("create", Failure::ProviderDown);
    world.providers[1].set_build(FakeBuild::Ready(secs(60)));
    world.publish(update("c", 1)).await;
    tokio::time::sleep(secs(10)).await;
    world.kill_worker().await;
    world.start_worker();
    world.settle().await;
    let n = world.providers[0].created().len() + world.providers[1].created().len();
    assert_eq!(
        n,
        1,
        "first {:?} second {:?}",
        world.providers[0].calls(),
        world.providers[1].calls()
    );
}

#[tokio::test(start_paused = true)]
async fn a_build_that_cannot_be_asked_after_is_not_begun_again_elsewhere() {
    let world = World::with_providers(&["first", "second"]);
    world.providers[0].fail_next("create", Failure::ProviderDown);
    world.providers[1].set_build(FakeBuild::Ready(secs(60)));
    for _ in 0..5 {
        world.providers[1].fail_next("status", Failure::ProviderDown);
    }
    world.publish(update("c", 1)).await;
    world.settle().await;
    let n = world.providers[0].created().len() + world.providers[1].created().len();
    assert_eq!(
        n,
        1,
        "first {:?} second {:?}",
        world.providers[0].calls(),
        world.providers[1].calls()
    );
}

#[tokio::test(start_paused = true)]
async fn a_build_that_lost_its_lease_and_was_superseded_gives_its_place_back() {
    let world = World::with(|o| o.limits.concurrent_builds = NonZeroU32::new(1));
    world.provider.set_build(FakeBuild::Ready(secs(40)));
    world.publish(update("c", 1)).await;
    tokio::time::sleep(secs(1)).await;
    world.publish(update("c", 2)).await;
    tokio::time::sleep(secs(1)).await;
    world.store.set_down(true);
    tokio::time::sleep(secs(20)).await;
    world.store.set_down(false);
    let s = world.story().await;
    assert!(world.elapsed() < secs(200), "{:?}\n{s}", world.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_end_does_not_wait_for_the_slot_of_the_build_that_it_stops() {
    let world = World::with(|o| o.worker.concurrency = NonZeroUsize::new(1).expect("it is there"));
    world.provider.set_build(FakeBuild::Never);
    world.publish(update("c", 1)).await;
    tokio::time::sleep(secs(1)).await;
    world.publish(end("c", 1)).await;
    let s = world.story().await;
    assert!(world.elapsed() < secs(30), "{:?}\n{s}", world.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_is_live_expires_also_where_its_event_failed_after_going_live() {
    let world = World::start();
    world
        .provider
        .fail_next("move_alias", Failure::Permanent("x"));
    world.publish(update("c", 1)).await;
    let s = world.story().await;
    let rec = world
        .store
        .context(&key("c"))
        .await
        .expect("it is there")
        .expect("it is there");
    assert!(
        rec.live.is_none() || rec.expires_at.is_some(),
        "{s}\n{rec:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_live_expires_also_where_its_event_was_superseded_after_going_live() {
    let world = World::start();
    for _ in 0..3 {
        world.provider.fail_next(
            "move_alias",
            Failure::Retryable {
                after: Some(secs(100)),
            },
        );
    }
    world.publish(update("c", 1)).await;
    tokio::time::sleep(secs(1)).await;
    world.provider.set_build(FakeBuild::Failed(secs(1)));
    world.publish(update("c", 2)).await;
    let s = world.story().await;
    let rec = world
        .store
        .context(&key("c"))
        .await
        .expect("it is there")
        .expect("it is there");
    assert!(
        rec.live.is_none() || rec.expires_at.is_some(),
        "{s}\n{rec:?} {:?}",
        world.store.quota_members()
    );
}

#[tokio::test(start_paused = true)]
async fn a_run_that_was_cut_off_after_going_live_still_tells_what_it_replaced() {
    let world = World::start();
    world.publish(update("c", 1)).await;
    world.settle().await;
    world
        .provider
        .fail_next("alias", Failure::Retryable { after: None });
    world.publish(update("c", 2)).await;
    let s = world.story().await;
    assert!(s.contains("c/1/updated/removed/replaced"), "{s}");
    assert!(!s.contains("unchanged"), "{s}");
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_the_store_wastes_no_lease() {
    let world = World::start();
    world.store.set_down(true);
    world.publish(update("c", 1)).await;
    tokio::time::sleep(secs(20)).await;
    world.store.set_down(false);
    let s = world.story().await;
    assert!(world.elapsed() < secs(25), "{:?} {s}", world.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_rate_limit_that_is_always_over_is_no_hot_loop() {
    let world = World::start();
    for _ in 0..500 {
        world.provider.fail_next(
            "create",
            Failure::RateLimited {
                until: world.in_secs(0),
            },
        );
    }
    world.publish(update("c", 1)).await;
    world.settle().await;
    assert!(
        world.elapsed() > secs(30),
        "500 attempts in {:?}",
        world.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_live_preview_keeps_its_place_when_a_later_update_with_a_short_life_fails() {
    let world = World::with(|o| o.limits.live_previews = NonZeroU32::new(1));
    world.publish(update("a", 1)).await;
    world.settle().await;
    world.provider.set_build(FakeBuild::Failed(secs(1)));
    world.publish(update("a", 2).ttl(5)).await;
    world.settle().await;
    world.provider.set_build(FakeBuild::Ready(secs(0)));
    tokio::time::sleep(secs(10)).await;
    world.publish(update("b", 1)).await;
    world.settle().await;
    assert_eq!(
        world.ends("b", "ready").len(),
        0,
        "two live previews, limit is 1: {:?}",
        world.provider.deployments()
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_is_created_below_the_floor_at_the_next_provider() {
    let world = World::with_providers(&["first", "second"]);
    world.providers[0].set_build(FakeBuild::Never);
    world.publish(update("c", 1)).await;
    tokio::time::sleep(secs(1)).await;
    world.providers[0].fail_next("cancel", Failure::ProviderDown);
    world.publish(end("c", 1)).await;
    world.settle().await;
    assert_eq!(
        world.providers[1].created().len(),
        0,
        "{:?}",
        world.providers[1].calls()
    );
}

#[tokio::test(start_paused = true)]
async fn an_end_cleans_up_although_another_provider_is_down() {
    let world = World::with_providers(&["other", "mine"]);
    world.publish(update("c", 1).provider("mine")).await;
    world.settle().await;
    for _ in 0..5 {
        world.providers[0].fail_next("list", Failure::ProviderDown);
    }
    world.publish(end("c", 1)).await;
    let s = world.story().await;
    assert!(
        world.providers[1].deployments().is_empty(),
        "{:?} {s}",
        world.elapsed()
    );
}
