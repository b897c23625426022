//! The vendor takes what it is given, and nothing good comes of it.

use foreshow_engine::code;
use foreshow_simulators::core::{BuildOutcome, SiteAnswer, SiteDelay};

use crate::{vendor::Vendor, world::World};

/// It would fail again, and anywhere.
pub(crate) async fn a_build_that_fails_ends_the_event_with_its_log<V: Vendor>() {
    let log = ["compiling", "error: the roof is on fire"].map(str::to_owned);
    ends_as_failed::<V>(BuildOutcome::Failed { log: log.to_vec() }, &log[1]).await;
}

/// In a state of the vendor's own, which its log or we put into words.
pub(crate) async fn ends_as_failed_in<V: Vendor>(state: &str, words: &str) {
    let state = state.to_owned();
    ends_as_failed::<V>(BuildOutcome::State { state }, words).await;
}

async fn ends_as_failed<V: Vendor>(outcome: BuildOutcome, words: &str) {
    let world = World::<V>::with_second().await;
    world.turn(|builds| builds.outcome = outcome);
    world.update(1, "page").await;
    let error = world.failed(1).await.error;
    assert_eq!(error.code.as_str(), code::BUILD_FAILED, "{error:#?}");
    assert_eq!(error.attempts.len(), 1);
    assert!(
        error.log_tail.iter().any(|line| line.contains(words)),
        "{error:#?}"
    );
    assert_eq!(world.creates(), 1);
    assert_eq!(world.second.created(), []);
    world.finish(0).await;
}

/// And leaves nothing that builds on.
pub(crate) async fn a_build_that_never_ends_is_cancelled<V: Vendor>() {
    ends_in_time::<V>(BuildOutcome::Never).await;
}

/// It passes for building, for that is what a state that is new most likely means.
pub(crate) async fn a_state_that_nobody_knows_ends_in_time<V: Vendor>() {
    let state = "hibernating".to_owned();
    ends_in_time::<V>(BuildOutcome::State { state }).await;
}

async fn ends_in_time<V: Vendor>(outcome: BuildOutcome) {
    let world = World::<V>::with(true, |options| options.build.timeout_seconds = 1).await;
    world.turn(|builds| builds.outcome = outcome);
    world.update(1, "page").await;
    let error = world.failed(1).await.error;
    assert_eq!(error.code.as_str(), code::BUILD_TIMEOUT, "{error:#?}");
    assert_eq!(error.attempts.len(), 1);
    assert_eq!(world.creates(), 1);
    assert_eq!(world.deployments(), [""; 0]);
    assert_eq!(world.second.created(), []);
    world.finish(0).await;
}

/// Within the attempt that watched it.
pub(crate) async fn a_build_that_vanishes_is_begun_anew<V: Vendor>() {
    let world = World::<V>::alone().await;
    world.turn(|builds| builds.next.push_back(BuildOutcome::Never));
    world.update(1, "page").await;
    let building = world.building().await;
    assert!(world.simulator.vanish(V::own_id(&building)));
    let ready = world.ready(1).await;
    assert_eq!(ready.attempts, 1);
    assert_ne!(ready.deployment_id, building);
    assert_eq!(world.creates(), 2);
    world.finish(1).await;
}

/// Retention takes away what was live: the next sweep notices, and the same files are no longer "unchanged".
pub(crate) async fn what_vanished_is_deployed_anew<V: Vendor>() {
    let world = World::<V>::alone().await;
    world.update(1, "page").await;
    let first = world.ready(1).await;
    assert!(world.simulator.vanish(V::own_id(&first.deployment_id)));
    assert_eq!(world.sweep().await.mended, 1);
    world.update(2, "page").await;
    let second = world.ready(2).await;
    assert!(!second.unchanged);
    assert_ne!(second.deployment_id, first.deployment_id);
    assert_eq!(world.creates(), 2);
    world.finish(1).await;
}

/// Ready is the vendor's word for its own part.
pub(crate) async fn a_preview_that_never_answers_ends_the_event<V: Vendor>() {
    let world = World::<V>::with(true, |options| options.probe.timeout_seconds = 1).await;
    let answer = SiteAnswer::NotFound;
    world.turn(|builds| {
        builds.site_delay = Some(SiteDelay {
            ms: 3_600_000,
            answer,
        });
    });
    world.update(1, "page").await;
    let error = world.failed(1).await.error;
    assert_eq!(error.code.as_str(), code::NOT_REACHABLE, "{error:#?}");
    assert_eq!(error.attempts.len(), 1);
    assert_eq!(world.creates(), 1);
    assert_eq!(world.second.created(), []);
    world.finish(0).await;
}
