//! The lifecycle, told as stories on a paused clock.

mod world;

use std::time::Duration;

use foreshow_engine::{Failure, code, testing::FakeBuild};
use world::{World, end, secs, touch, update};

#[tokio::test(start_paused = true)]
async fn an_update_becomes_a_live_preview() {
    let world = World::start();
    world.publish(update("ctx-42", 7)).await;
    insta::assert_snapshot!(world.story().await, @r#"
      0s acme/ctx-42/7/updated/ready
    "#);
    assert_eq!(world.shown("ctx-42"), Some(7));
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_storm_costs_a_handful_of_deployments() {
    let world = World::start();
    for revision in 1..=50 {
        world.publish(update("ctx-42", revision)).await;
    }
    world.settle().await;
    assert!(
        world.provider.created().len() <= 2,
        "{:?}",
        world.provider.calls()
    );
    assert_eq!(world.shown("ctx-42"), Some(50));
    assert_eq!(
        world.ends("ctx-42", "superseded").len(),
        50 - world.ends("ctx-42", "ready").len()
    );
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn an_older_revision_never_replaces_a_newer_one() {
    let world = World::start();
    world.publish(update("ctx-42", 7)).await;
    world.settle().await;
    world.publish(update("ctx-42", 6)).await;
    insta::assert_snapshot!(world.story().await, @r#"
    0s acme/ctx-42/7/updated/ready
    0s acme/ctx-42/6/updated/superseded by 7 updated
    "#);
    assert_eq!(world.shown("ctx-42"), Some(7));
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_repeated_event_ends_again_with_the_same_id() {
    let world = World::start();
    world.publish(update("ctx-42", 7)).await;
    world.settle().await;
    world.publish(update("ctx-42", 7)).await;
    world.settle().await;
    let ends = world.ends("ctx-42", "ready");
    assert_eq!(ends.len(), 2);
    assert_eq!(ends[0].id, ends[1].id);
    assert_eq!(ends[0].body, ends[1].body);
    assert_eq!(world.provider.created().len(), 1);
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn the_same_files_again_are_unchanged() {
    let world = World::start();
    world
        .publish(update("ctx-42", 1).file("index.html", "same"))
        .await;
    world.settle().await;
    world
        .publish(update("ctx-42", 2).file("index.html", "same"))
        .await;
    insta::assert_snapshot!(world.story().await, @r#"
    0s acme/ctx-42/1/updated/ready
    0s acme/ctx-42/2/updated/ready unchanged
    "#);
    assert_eq!(world.provider.created().len(), 1);
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn an_end_removes_everything_and_a_later_update_reopens() {
    let world = World::start();
    world.publish(update("ctx-42", 1)).await;
    world.settle().await;
    world.publish(end("ctx-42", 2)).await;
    world.settle().await;
    assert!(world.provider.deployments().is_empty());
    world.publish(update("ctx-42", 2)).await;
    world.settle().await;
    world.publish(update("ctx-42", 3)).await;
    insta::assert_snapshot!(world.story().await, @r#"
    0s acme/ctx-42/1/updated/ready
    0s acme/ctx-42/2/ended/removed/ended
    0s acme/ctx-42/2/updated/superseded by 2 ended
    0s acme/ctx-42/3/updated/ready
    "#);
    assert_eq!(world.shown("ctx-42"), Some(3));
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn an_end_stops_a_running_build() {
    let world = World::start();
    world.provider.set_build(FakeBuild::Never);
    world.publish(update("ctx-42", 1)).await;
    tokio::time::sleep(secs(1)).await;
    world.publish(end("ctx-42", 1)).await;
    insta::assert_snapshot!(world.story().await, @r#"
    0s acme/ctx-42/1/updated/building building
    1s acme/ctx-42/1/updated/superseded by 1 ended
    1s acme/ctx-42/1/ended/removed/ended
    "#);
    assert!(world.provider.deployments().is_empty());
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_rate_limited_deploy_resumes_when_the_provider_allows_and_uses_no_attempt() {
    let world = World::start();
    world.provider.fail_next(
        "create",
        Failure::RateLimited {
            until: world.in_secs(30),
        },
    );
    world.publish(update("ctx-42", 7)).await;
    insta::assert_snapshot!(world.story().await, @r#"
     30s acme/ctx-42/7/updated/ready
    "#);
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_passing_fault_is_tried_again_and_a_lasting_one_ends_as_failed_with_its_history() {
    let world = World::start();
    for _ in 0..5 {
        world
            .provider
            .fail_next("create", Failure::Retryable { after: None });
    }
    world.publish(update("ctx-42", 7)).await;
    world.settle().await;
    let failed = world.ends("ctx-42", "failed");
    assert_eq!(failed.len(), 1);
    let foreshow_contract::ResultBody::Failed(failed) = &failed[0].body else {
        panic!()
    };
    assert_eq!(failed.error.code.as_str(), code::ATTEMPTS_EXHAUSTED);
    assert_eq!(
        failed
            .error
            .attempts
            .iter()
            .map(|attempt| attempt.number)
            .collect::<Vec<_>>(),
        [1, 2, 3, 4, 5]
    );
    assert_eq!(world.broker.dead_letters().len(), 1);
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_build_tells_its_log_and_leaves_the_old_preview_alone() {
    let world = World::start();
    world.publish(update("ctx-42", 1)).await;
    world.settle().await;
    world.provider.set_build(FakeBuild::Failed(secs(2)));
    world.publish(update("ctx-42", 2)).await;
    insta::assert_snapshot!(world.story().await, @r#"
    0s acme/ctx-42/1/updated/ready
    0s acme/ctx-42/2/updated/building building
    2s acme/ctx-42/2/updated/failed build_failed ["error: expected `;`"]
    "#);
    assert_eq!(world.shown("ctx-42"), Some(1));
    assert_eq!(world.broker.dead_letters().len(), 1);
    // The same event once more: told again, with a dead letter again.
    world.publish(update("ctx-42", 2)).await;
    world.settle().await;
    assert_eq!(world.ends("ctx-42", "failed").len(), 2);
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_is_down_passes_the_job_on_within_the_attempt() {
    let world = World::with_providers(&["first", "second"]);
    world.providers[0].fail_next("create", Failure::ProviderDown);
    world.publish(update("ctx-42", 1)).await;
    world.settle().await;
    assert_eq!(world.providers[1].created().len(), 1);
    assert_eq!(world.ends("ctx-42", "ready").len(), 1);
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_killed_worker_is_followed_by_one_that_adopts_its_deployment() {
    let mut world = World::start();
    world.provider.set_build(FakeBuild::Ready(secs(60)));
    world.publish(update("ctx-42", 1)).await;
    tokio::time::sleep(secs(10)).await;
    world.kill_worker().await;
    world.start_worker();
    insta::assert_snapshot!(world.story().await, @r#"
    0s acme/ctx-42/1/updated/building building
    25s acme/ctx-42/1/updated/building building
    60s acme/ctx-42/1/updated/ready
    "#);
    assert_eq!(
        world.provider.created().len(),
        1,
        "one deployment for the revision"
    );
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_is_asked_to_stop_hands_its_build_over_at_once() {
    let mut world = World::start();
    world.provider.set_build(FakeBuild::Ready(secs(60)));
    world.publish(update("ctx-42", 1)).await;
    tokio::time::sleep(secs(10)).await;
    world.stop_worker().await;
    assert!(world.elapsed() < secs(11), "it does not wait for the build");
    world.start_worker();
    world.settle().await;
    assert!(
        world.elapsed() < secs(63),
        "the successor does not wait for the lease to run out: {:?}",
        world.elapsed()
    );
    assert_eq!(world.provider.created().len(), 1);
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn the_store_or_the_broker_away_for_a_while_loses_nothing() {
    let world = World::start();
    world.provider.set_build(FakeBuild::Ready(secs(20)));
    world.publish(update("ctx-42", 1)).await;
    world.publish(update("ctx-43", 1)).await;
    tokio::time::sleep(secs(2)).await;
    world.store.set_down(true);
    tokio::time::sleep(secs(40)).await;
    world.store.set_down(false);
    world.broker.set_down(true);
    tokio::time::sleep(secs(5)).await;
    world.broker.set_down(false);
    world.settle().await;
    assert_eq!(world.ends("ctx-42", "ready").len(), 1);
    assert_eq!(world.ends("ctx-43", "ready").len(), 1);
    assert_eq!(world.provider.created().len(), 2);
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_while_the_first_is_being_built_waits_along() {
    // Nothing is cancelled, so the first goes on to its end though a newer one is desired.
    let world = World::with(|options| options.cancel.stale_ms = 0);
    world.provider.set_build(FakeBuild::Ready(secs(5)));
    world.publish(update("ctx-42", 1)).await;
    world.publish(update("ctx-42", 1)).await;
    tokio::time::sleep(secs(1)).await;
    world.publish(update("ctx-42", 2)).await;
    insta::assert_snapshot!(world.story().await, @r#"
    0s acme/ctx-42/1/updated/building building
    1s acme/ctx-42/2/updated/building queued
    5s acme/ctx-42/1/updated/ready
    5s acme/ctx-42/1/updated/ready
    5s acme/ctx-42/2/updated/building building
    11s acme/ctx-42/2/updated/ready
    11s acme/ctx-42/1/updated/removed/replaced
    "#);
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_lost_in_mid_build_ends_once() {
    let world = World::start();
    world.provider.set_build(FakeBuild::Ready(secs(5)));
    world.publish(update("ctx-42", 1)).await;
    tokio::time::sleep(secs(1)).await;
    world.broker.drop_connections();
    world.settle().await;
    let ends = world.ends("ctx-42", "ready");
    assert!(!ends.is_empty());
    assert!(
        ends.iter()
            .all(|end| end.id == ends[0].id && end.body == ends[0].body)
    );
    assert_eq!(world.provider.created().len(), 1);
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_conflicting_revision_is_rejected_by_name_and_kept() {
    let world = World::start();
    world
        .publish(update("ctx-42", 1).file("index.html", "a"))
        .await;
    world.settle().await;
    world
        .publish(update("ctx-42", 1).file("index.html", "b"))
        .await;
    insta::assert_snapshot!(world.story().await, @r#"
    0s acme/ctx-42/1/updated/ready
    0s rejected revision_conflict
    "#);
    assert_eq!(world.broker.dead_letters()[0].1.code, "revision_conflict");
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn rubbish_is_rejected_and_the_queue_flows_on() {
    let world = World::start();
    world
        .publish_raw("context.updated.acme", b"{ not json")
        .await;
    world
        .publish(update("ctx-42", 1).file("../../etc/passwd", "x"))
        .await;
    world.publish(update("ctx-43", 1)).await;
    insta::assert_snapshot!(world.story().await, @r#"
    0s rejected malformed_json
    0s acme/ctx-42/1/updated/failed unsafe_path []
    0s acme/ctx-43/1/updated/ready
    "#);
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn the_live_preview_cap_stops_new_contexts_only() {
    let world = World::with(|options| options.limits.live_previews = std::num::NonZeroU32::new(1));
    world.publish(update("ctx-1", 1)).await;
    world.settle().await;
    world.publish(update("ctx-2", 1)).await;
    world.publish(update("ctx-1", 2)).await;
    world.settle().await;
    assert_eq!(world.ends("ctx-1", "ready").len(), 2);
    let failed = world.ends("ctx-2", "failed");
    let foreshow_contract::ResultBody::Failed(failed) = &failed[0].body else {
        panic!()
    };
    assert_eq!(failed.error.code.as_str(), code::QUOTA_EXCEEDED);
    world.publish(end("ctx-1", 3)).await;
    world.settle().await;
    world.publish(update("ctx-2", 2)).await;
    world.settle().await;
    assert_eq!(world.ends("ctx-2", "ready").len(), 1);
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn builds_over_the_limit_wait_and_use_no_attempt() {
    let world =
        World::with(|options| options.limits.concurrent_builds = std::num::NonZeroU32::new(1));
    world.provider.set_build(FakeBuild::Ready(secs(5)));
    for context in ["a", "b", "c"] {
        world.publish(update(context, 1)).await;
    }
    world.settle().await;
    for context in ["a", "b", "c"] {
        let ready = world.ends(context, "ready");
        let foreshow_contract::ResultBody::Ready(ready) = &ready[0].body else {
            panic!()
        };
        assert_eq!(ready.attempts, 1);
    }
    assert!(
        world.elapsed() >= secs(15),
        "they were built one after another"
    );
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn ready_waits_until_the_url_answers_with_this_revision() {
    let world = World::start();
    for _ in 0..10 {
        world.provider.fail_next("probe", Failure::ProviderDown);
    }
    world.publish(update("ctx-42", 1)).await;
    world.settle().await;
    assert_eq!(world.ends("ctx-42", "ready").len(), 1);
    assert!(world.elapsed() > Duration::from_secs(2));
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn kept_revisions_stay_and_what_makes_room_is_announced() {
    let world = World::start();
    for revision in 1..=3 {
        world.publish(update("ctx-42", revision).keep(2)).await;
        world.settle().await;
    }
    let left: Vec<_> = world
        .provider
        .deployments()
        .iter()
        .map(|deployment| deployment.revision.get())
        .collect();
    assert_eq!(left, [2, 3]);
    assert_eq!(
        world
            .ends("ctx-42", "removed")
            .iter()
            .map(|removed| removed.id.as_str())
            .collect::<Vec<_>>(),
        ["acme/ctx-42/1/updated/removed/replaced"]
    );
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_touch_prolongs_and_ends_silently() {
    let world = World::start();
    world.publish(update("ctx-42", 1)).await;
    world.settle().await;
    let before = world.expires_at("ctx-42").await.unwrap();
    tokio::time::sleep(secs(100)).await;
    world.publish(touch("ctx-42")).await;
    world.publish(touch("nobody-knows-me")).await;
    world.settle().await;
    let after = world.expires_at("ctx-42").await.unwrap();
    assert!(after.saturating_since(before) >= secs(99));
    assert_eq!(world.broker.published().len(), 1);
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn no_provider_for_the_app_is_a_failure_that_says_so() {
    let world = World::start();
    world.publish(update("ctx-42", 1).provider("vercel")).await;
    world.settle().await;
    let failed = world.ends("ctx-42", "failed");
    let foreshow_contract::ResultBody::Failed(failed) = &failed[0].body else {
        panic!()
    };
    assert_eq!(failed.error.code.as_str(), code::NO_SUITABLE_PROVIDER);
    assert!(
        failed.error.message.contains("vercel"),
        "{}",
        failed.error.message
    );
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_build_that_outlasts_the_brokers_patience_is_parked_and_adopted() {
    let world = World::with(|options| {
        options.worker.hold_seconds = 60;
        options.build.timeout_seconds = 600;
    });
    world.provider.set_build(FakeBuild::Ready(secs(200)));
    world.publish(update("ctx-42", 1)).await;
    world.settle().await;
    let ready = world.ends("ctx-42", "ready");
    let foreshow_contract::ResultBody::Ready(ready) = &ready[0].body else {
        panic!()
    };
    assert_eq!(ready.attempts, 1, "parking is no attempt");
    assert_eq!(world.provider.deployments().len(), 1);
    assert!(
        world.broker.longest_held() <= secs(61),
        "a delivery was out for {:?}",
        world.broker.longest_held()
    );
    world.finish().await;
}
