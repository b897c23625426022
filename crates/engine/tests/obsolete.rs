//! Builds that became obsolete: cancelled where that saves something, and let go to their end where else nothing would ever
//! be shown.

mod world;

use std::time::Duration;

use foreshow_contract::ResultBody;
use foreshow_engine::{Failure, Store, testing::FakeBuild};
use world::{World, end, key, secs, update};

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// When each `ready` of the context was published, from the start.
async fn ready_at(world: &World) -> Vec<Duration> {
    world.settle().await;
    let mut ends = world.ends("c", "ready");
    ends.sort_by_key(|end| end.time);
    ends.iter()
        .map(|end| end.time.saturating_since(world.began_at()))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_newer_update_cancels_the_build_at_the_provider_at_once() {
    let world = World::start();
    world.provider.set_build(FakeBuild::Ready(secs(5)));
    world.publish(update("c", 1)).await;
    tokio::time::sleep(secs(1)).await;
    world.publish(update("c", 2)).await;
    insta::assert_snapshot!(world.story().await, @"
    0s acme/c/1/updated/building building
    1s acme/c/1/updated/superseded by 2 updated
    1s acme/c/2/updated/building building
    6s acme/c/2/updated/ready
    ");
    assert_eq!(
        world.provider.calls(),
        ["create c/1", "delete c/1", "create c/2", "alias c shows 2"]
    );
    let history = world.history("c").await;
    assert!(
        history[0].starts_with(
            "1 updated preview.superseded by 2 updated; cancelled: 2 updated was accepted; the build of dpl-1 was cancelled after"
        ),
        "{history:?}"
    );
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_bundle_whose_server_says_nothing() {
    let mut world = World::start();
    world.publish(update("c", 1).silent_bundle()).await;
    tokio::time::sleep(secs(1)).await;
    world.publish(update("c", 2).silent_bundle()).await;
    tokio::time::sleep(secs(1)).await;
    world.publish(end("c", 2)).await;
    world.settle().await;
    // Nor does a worker that is to stop: it gives the delivery back.
    world.publish(update("c", 3).silent_bundle()).await;
    tokio::time::sleep(secs(1)).await;
    world.stop_worker().await;
    world.start_worker();
    world.publish(update("c", 4)).await;
    insta::assert_snapshot!(world.story().await, @"
    0s acme/c/1/updated/building preparing
    1s acme/c/1/updated/superseded by 2 updated
    1s acme/c/2/updated/building preparing
    2s acme/c/2/updated/superseded by 2 ended
    2s acme/c/2/ended/removed/ended
    2s acme/c/3/updated/building preparing
    3s acme/c/3/updated/superseded by 4 updated
    3s acme/c/4/updated/ready
    ");
    assert_eq!(world.provider.calls(), ["create c/4", "alias c shows 4"]);
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_build_that_is_close_to_its_end_is_shown() {
    let world = World::start();
    world.provider.set_build(FakeBuild::Ready(secs(20)));
    world.publish(update("c", 1)).await;
    world.settle().await;
    world.publish(update("c", 2)).await;
    tokio::time::sleep(secs(18)).await;
    world.publish(update("c", 3)).await;
    world.settle().await;
    assert_eq!(world.ends("c", "ready").len(), 3);
    assert!(world.ends("c", "superseded").is_empty());
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn two_hundred_updates_in_two_seconds_deploy_a_handful() {
    let world = World::start();
    world.provider.set_build(FakeBuild::Ready(secs(1)));
    for revision in 1..=200 {
        world.publish(update("c", revision)).await;
        tokio::time::sleep(ms(10)).await;
    }
    world.settle().await;
    let created = world.provider.created().len();
    assert!(created <= 9, "{created} deployments");
    assert_eq!(world.shown("c"), Some(200));
    let superseded = world.ends("c", "superseded");
    let ready = world.ends("c", "ready");
    assert_eq!(superseded.len() + ready.len(), 200);
    for end in superseded {
        let ResultBody::Superseded(told) = &end.body else {
            unreachable!("filtered by kind")
        };
        assert!(told.winner.revision > told.revision, "{told:?}");
    }
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn constant_updates_get_fresh_previews() {
    let world = World::start();
    world.provider.set_build(FakeBuild::Ready(secs(2)));
    for revision in 1..=200 {
        world.publish(update("c", revision)).await;
        tokio::time::sleep(ms(300)).await;
    }
    let ready = ready_at(&world).await;
    // The bound of 10 s and one build.
    let mut last = Duration::ZERO;
    for at in &ready {
        assert!(at.saturating_sub(last) <= secs(12), "{ready:?}");
        last = *at;
    }
    assert!(last >= secs(60), "{ready:?}");
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn builds_that_take_longer_than_the_bound_are_shown_too() {
    let world = World::start();
    world.provider.set_build(FakeBuild::Ready(secs(30)));
    for revision in 1..=100 {
        world.publish(update("c", revision)).await;
        tokio::time::sleep(secs(2)).await;
    }
    let ready = ready_at(&world).await;
    let gaps: Vec<_> = ready
        .windows(2)
        .map(|pair| pair[1].saturating_sub(pair[0]))
        .collect();
    assert!(ready[0] <= secs(42), "{ready:?}");
    assert!(gaps.iter().all(|gap| *gap <= secs(42)), "{ready:?}");
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_cancel_that_was_not_confirmed_does_not_count() {
    let world = World::start();
    world.provider.set_build(FakeBuild::Ready(secs(20)));
    world.publish(update("c", 1)).await;
    tokio::time::sleep(secs(1)).await;
    world
        .provider
        .fail_next("cancel", Failure::Retryable { after: None });
    world.publish(update("c", 2)).await;
    tokio::time::sleep(ms(1)).await;
    assert!(world.ends("c", "superseded").is_empty(), "not confirmed");
    world.settle().await;
    assert_eq!(world.ends("c", "superseded").len(), 1);
    assert_eq!(world.shown("c"), Some(2));
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn an_end_cancels_however_close_the_build_is() {
    let world = World::start();
    world.provider.set_build(FakeBuild::Ready(secs(4)));
    world.publish(update("c", 1)).await;
    world.settle().await;
    world.publish(update("c", 2)).await;
    tokio::time::sleep(ms(3_900)).await;
    world.publish(end("c", 3)).await;
    world.settle().await;
    assert_eq!(world.ends("c", "ready").len(), 1);
    assert!(world.provider.deployments().is_empty());
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn what_waits_and_what_was_cancelled_is_in_the_record() {
    let world = World::start();
    world.provider.set_build(FakeBuild::Ready(secs(60)));
    world.publish(update("c", 1)).await;
    tokio::time::sleep(secs(1)).await;
    world.publish(update("c", 2)).await;
    tokio::time::sleep(secs(1)).await;
    let record = world.store.context(&key("c")).await.unwrap().unwrap();
    assert_eq!(record.cancels.unwrap().in_a_row, 1);
    assert!(record.stale_since.is_some());
    assert_eq!(record.lease.unwrap().owner.worker(), "w1");
    world.settle().await;
    let record = world.store.context(&key("c")).await.unwrap().unwrap();
    assert_eq!((record.cancels, record.stale_since), (None, None));
    assert!(record.build_ms.unwrap() >= 60_000);
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_newer_update_of_a_running_build_does_not_wait_for_a_slot() {
    let world = World::with(|options| {
        options.worker.concurrency = std::num::NonZeroUsize::new(1).unwrap();
    });
    world.provider.set_build(FakeBuild::Ready(secs(100)));
    world.publish(update("c", 1)).await;
    tokio::time::sleep(secs(1)).await;
    world.provider.set_build(FakeBuild::Ready(secs(1)));
    world.publish(update("c", 2)).await;
    world.settle().await;
    assert!(world.elapsed() < secs(20), "{:?}", world.elapsed());
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn an_update_that_waits_for_a_slot_cancels_the_build_that_takes_it_first() {
    let world = World::with(|options| {
        options.worker.concurrency = std::num::NonZeroUsize::new(1).unwrap();
    });
    world.provider.set_build(FakeBuild::Ready(secs(10)));
    world.publish(update("other", 1)).await;
    tokio::time::sleep(secs(1)).await;
    world.publish(update("c", 1)).await;
    world.publish(update("c", 2)).await;
    world.settle().await;
    assert_eq!(world.ends("c", "ready").len(), 1);
    assert!(world.elapsed() < secs(30), "{:?}", world.elapsed());
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_cancel_without_an_answer_left_is_superseded_and_not_failed() {
    let world = World::start();
    world.provider.set_build(FakeBuild::Failed(ms(1_500)));
    world.publish(update("c", 1)).await;
    tokio::time::sleep(secs(1)).await;
    for _ in 0..10 {
        world
            .provider
            .fail_next("cancel", Failure::Retryable { after: None });
    }
    world.publish(update("c", 2)).await;
    tokio::time::sleep(ms(1)).await;
    world.provider.set_build(FakeBuild::Ready(secs(1)));
    world.settle().await;
    assert!(world.ends("c", "failed").is_empty());
    assert_eq!(world.shown("c"), Some(2));
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn an_adopted_build_says_nothing_of_how_long_builds_take() {
    let mut world = World::start();
    world.provider.set_build(FakeBuild::Ready(secs(8)));
    world.publish(update("c", 1)).await;
    tokio::time::sleep(secs(6)).await;
    world.kill_worker().await;
    world.start_worker();
    world.settle().await;
    let record = world.store.context(&key("c")).await.unwrap().unwrap();
    assert_eq!(record.build_ms, None);
    // So the next build is not taken to be close to its end.
    world.publish(update("c", 2)).await;
    tokio::time::sleep(secs(2)).await;
    world.publish(update("c", 3)).await;
    world.settle().await;
    assert_eq!(world.ends("c", "superseded").len(), 1);
    world.finish().await;
}
