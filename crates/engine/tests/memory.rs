//! A store that lost its memory, and deployments that no record names.

mod world;

use foreshow_contract::Ordinal;
use foreshow_engine::{Failure, Provider, Store, sweep::Swept, testing::FakeBuild};
use world::{World, end, key, secs, update};

#[tokio::test(start_paused = true)]
async fn after_a_wipe_a_late_old_update_is_superseded_by_what_the_tags_tell() {
    let mut world = World::start();
    world.publish(update("c", 7)).await;
    world.settle().await;
    world.stop_worker().await;
    world.store.wipe();
    world.start_worker();
    world.publish(update("c", 3)).await;
    world.settle().await;
    assert_eq!(world.shown("c"), Some(7));
    assert_eq!(world.ends("c", "superseded").len(), 1);
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn after_a_wipe_a_late_old_end_leaves_the_newer_preview() {
    let mut world = World::start();
    world.publish(update("c", 7)).await;
    world.settle().await;
    world.stop_worker().await;
    world.store.wipe();
    world.start_worker();
    world.publish(end("c", 3)).await;
    world.settle().await;
    assert_eq!(world.shown("c"), Some(7));
    assert_eq!(world.ends("c", "removed").len(), 0);
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_rebuild_brings_back_what_the_providers_have() {
    let world = World::start();
    world.publish(update("c", 7)).await;
    world.publish(update("d", 1)).await;
    world.settle().await;
    world.store.wipe();
    world.sweep().await;
    assert!(world.store.remembers().await.unwrap());
    let record = world.store.context(&key("c")).await.unwrap().unwrap();
    assert_eq!(record.desired, Ordinal::update(7.try_into().unwrap()));
    assert_eq!(record.live.unwrap().revision.get(), 7);
    assert!(record.expires_at.is_some());
    assert!(!record.unproven);
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_rebuild_waits_for_a_provider_that_does_not_answer() {
    let world = World::start();
    tokio::time::sleep(secs(30)).await;
    world.store.wipe();
    for _ in 0..3 {
        world.provider.fail_next("inventory", Failure::ProviderDown);
    }
    tokio::time::sleep(secs(3)).await;
    assert!(!world.store.remembers().await.unwrap());
    tokio::time::sleep(secs(60)).await;
    assert!(world.store.remembers().await.unwrap());
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn what_an_ended_context_has_left_is_removed_by_the_sweep() {
    let world = World::start();
    world.publish(update("c", 1)).await;
    world.publish(end("c", 2)).await;
    world.settle().await;
    // A create of revision 1 whose caller has gone.
    world.provider.land_late(&key("c"), 1);
    let swept = world.sweep().await;
    assert_eq!(swept.deleted, 1);
    assert!(world.provider.deployments().is_empty());
    let record = world.store.context(&key("c")).await.unwrap().unwrap();
    assert!(record.condemned.is_empty());
    assert_eq!(world.sweep().await, Swept::default());
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_second_deployment_of_the_live_revision_is_removed_and_the_live_one_stays() {
    let world = World::start();
    world.publish(update("c", 1)).await;
    world.settle().await;
    world.provider.land_late(&key("c"), 1);
    assert_eq!(world.sweep().await.deleted, 1);
    assert_eq!(world.provider.deployments().len(), 1);
    assert_eq!(world.shown("c"), Some(1));
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_kept_older_revision_is_not_swept() {
    let world = World::start();
    world.publish(update("c", 1).keep(2)).await;
    world.settle().await;
    world.publish(update("c", 2).keep(2)).await;
    world.settle().await;
    assert_eq!(world.sweep().await.deleted, 0);
    assert_eq!(world.provider.deployments().len(), 2);
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_deployment_whose_event_may_still_come_stays_and_goes_when_it_is_overdue() {
    let world = World::with(|options| options.retention.ttl_seconds = 1_000);
    world.publish(update("c", 1).ttl(1_000_000)).await;
    world.settle().await;
    world.provider.land_late(&key("c"), 9);
    assert_eq!(world.sweep().await.deleted, 0);
    let record = world.store.context(&key("c")).await.unwrap().unwrap();
    assert_eq!(record.adopted.len(), 1);
    tokio::time::sleep(secs(2_000)).await;
    world.sweep().await;
    let left = world.provider.deployments();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].revision.get(), 1);
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_live_deployment_that_vanished_is_dropped_from_its_record() {
    let world = World::start();
    world.publish(update("c", 1)).await;
    world.settle().await;
    let id = world.provider.deployments()[0].id.clone();
    world.provider.delete(&id).await.unwrap();
    assert_eq!(world.sweep().await.mended, 1);
    let record = world.store.context(&key("c")).await.unwrap().unwrap();
    assert!(record.live.is_none());
    world.publish(update("c", 2)).await;
    world.settle().await;
    assert_eq!(world.shown("c"), Some(2));
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn the_sweeper_leaves_a_running_build_alone() {
    let world = World::start();
    world.provider.set_build(FakeBuild::Ready(secs(600)));
    world.publish(update("c", 1)).await;
    tokio::time::sleep(secs(1)).await;
    let swept = world.sweep().await;
    assert_eq!((swept.deleted, swept.seeded), (0, 0));
    world.settle().await;
    assert_eq!(world.provider.created().len(), 1);
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_adopted_unseen_does_not_pass_for_unchanged() {
    let world = World::start();
    world.provider.land_late(&key("c"), 1);
    world
        .publish(update("c", 1).file("index.html", "mine"))
        .await;
    world.settle().await;
    assert!(world.provider.created().is_empty(), "adopted by its tags");
    // Whether that shows these files nobody knows: so they are deployed when they come again.
    world
        .publish(update("c", 2).file("index.html", "mine"))
        .await;
    world.settle().await;
    assert_eq!(world.provider.created().len(), 1);
    assert_eq!(world.shown("c"), Some(2));
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn an_event_does_not_fail_for_a_provider_that_does_not_tell_a_forgetful_store_what_it_has() {
    let mut world = World::with_providers(&["first", "second"]);
    world.publish(update("c", 9)).await;
    world.settle().await;
    world.stop_worker().await;
    world.store.wipe();
    for _ in 0..20 {
        world.providers[1].fail_next("list", Failure::Permanent("revoked"));
        world.providers[1].fail_next("inventory", Failure::ProviderDown);
    }
    world.start_worker();
    world.publish(update("c", 7)).await;
    world.settle().await;
    assert!(world.ends("c", "failed").is_empty());
    assert_eq!(world.shown("c"), Some(9));
    world.finish().await;
}
