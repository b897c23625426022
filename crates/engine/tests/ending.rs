//! A context ends while its build is at any step, and at any step of the end itself something newer comes.
//!
//! A step is a call of the provider, before it lands or after it has and nobody heard the answer: between these lie all
//! the moments at which a worker can be told of an end, or be gone.

#[path = "ending/gated.rs"]
mod gated;
mod world;

use std::{collections::BTreeSet, sync::Arc};

use foreshow_contract::{ResultBody, Revision};
use foreshow_engine::{Store, testing::FakeBuild};
use gated::{Gate, Gated, Side};
use world::{World, end, key, secs, update};

/// Calls of a build that is the first of its context, in their order: looking for what was begun, uploading, building,
/// built, live but not shown, shown but not settled.
const BUILD: [&str; 6] = ["list", "create", "status", "probe", "move_alias", "alias"];
/// Calls of a clean-up.
const CLEAN_UP: [&str; 2] = ["list", "delete"];

const SIDES: [Side; 2] = [Side::Before, Side::After];

/// A world whose first build stands at that step.
async fn at(operation: &'static str, side: Side) -> (World, Gate) {
    let gate = Gate::at(operation, side);
    let world = World::wrapped(|provider| Arc::new(Gated::new(provider, gate.clone())));
    world.provider.set_build(FakeBuild::Ready(secs(2)));
    // The store of a new installation has nothing to remember: from here on no look-up comes between.
    world.sweep().await;
    world.publish(update("c", 1)).await;
    gate.reached().await;
    (world, gate)
}

/// Returns once the end of revision `n` is accepted, whoever runs it.
async fn ended(world: &World, n: u64) {
    let floor = Revision::try_new(n).ok();
    let accepted = async {
        loop {
            let record = world.store.context(&key("c")).await.expect("it answers");
            if record.is_some_and(|record| record.floor >= floor) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    let accepted = tokio::time::timeout(secs(600), accepted).await;
    accepted.expect("an end is accepted, whatever is being built");
}

/// Ids of the ends of the context's events, of one revision and kind.
fn ends(world: &World, event: &str) -> BTreeSet<String> {
    let begin = format!("acme/c/{event}/");
    let published = world.broker.published();
    let ends = published.iter().filter(|result| result.is_end());
    ends.filter_map(|result| result.id.strip_prefix(&begin).map(str::to_owned))
        .collect()
}

fn only(ends: &BTreeSet<String>) -> Option<&str> {
    let only = ends.first().filter(|_| ends.len() == 1);
    only.map(String::as_str)
}

/// Nothing is left at the provider; the update and its end have ended once each.
fn assert_gone(world: &World, gate: &Gate) {
    let left = world.provider.deployments();
    assert!(left.is_empty(), "{gate}: {left:?}");
    assert_eq!(world.shown("c"), None, "{gate}");
    let end = ends(world, "1/ended");
    assert_eq!(only(&end), Some("removed/ended"), "{gate}: {end:?}");
    let build = ends(world, "1/updated");
    assert!(
        matches!(only(&build), Some("superseded" | "ready")),
        "{gate}: {build:?}"
    );
    let created = world.provider.created().len();
    assert!(
        created <= 1,
        "{gate}: {created} deployments of one revision"
    );
}

/// Revision 2 is live, alone.
fn assert_lives(world: &World, gate: &Gate) {
    assert_eq!(world.shown("c"), Some(2), "{gate}");
    let there: Vec<_> = world.provider.deployments();
    let revisions: Vec<_> = there.iter().map(|one| one.revision.get()).collect();
    assert_eq!(revisions, [2], "{gate}");
    let second = ends(world, "2/updated");
    assert_eq!(only(&second), Some("ready"), "{gate}: {second:?}");
}

#[tokio::test(start_paused = true)]
async fn an_end_at_any_step_of_a_build_leaves_nothing_and_a_later_update_lives() {
    for operation in BUILD {
        for side in SIDES {
            let (world, gate) = at(operation, side).await;
            world.publish(end("c", 1)).await;
            ended(&world, 1).await;
            gate.open();
            world.settle().await;
            assert_gone(&world, &gate);
            // Whoever heard that it was ready hears afterwards that it is gone.
            let published = world.broker.published();
            let last = published.last().map(|result| &result.body);
            assert!(
                matches!(last, Some(ResultBody::Removed(_))),
                "{gate}: {last:?}"
            );
            world.publish(update("c", 2)).await;
            world.settle().await;
            assert_lives(&world, &gate);
            world.finish().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_dies_at_any_step_with_the_end_waiting_leaves_nothing() {
    for operation in BUILD {
        for side in SIDES {
            let (mut world, gate) = at(operation, side).await;
            world.publish(end("c", 1)).await;
            ended(&world, 1).await;
            world.kill_worker().await;
            gate.open();
            world.start_worker();
            world.settle().await;
            assert_gone(&world, &gate);
            world.publish(update("c", 2)).await;
            world.settle().await;
            assert_lives(&world, &gate);
            world.finish().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_dies_at_any_step_before_the_end_comes_leaves_nothing() {
    for operation in BUILD {
        for side in SIDES {
            let (mut world, gate) = at(operation, side).await;
            world.kill_worker().await;
            world.publish(end("c", 1)).await;
            gate.open();
            world.start_worker();
            world.settle().await;
            assert_gone(&world, &gate);
            world.finish().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_context_that_is_ended_and_opened_again_at_any_step_of_a_build_lives() {
    for operation in BUILD {
        for side in SIDES {
            let (world, gate) = at(operation, side).await;
            world.publish(end("c", 1)).await;
            ended(&world, 1).await;
            world.publish(update("c", 2)).await;
            tokio::time::sleep(secs(1)).await;
            gate.open();
            world.settle().await;
            assert_lives(&world, &gate);
            let build = ends(&world, "1/updated");
            assert!(
                matches!(only(&build), Some("superseded" | "ready")),
                "{gate}: {build:?}"
            );
            // Its own run may have found the newer update accepted.
            let end = ends(&world, "1/ended");
            assert!(
                matches!(only(&end), Some("superseded" | "removed/ended")),
                "{gate}: {end:?}"
            );
            world.finish().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_context_that_is_opened_again_at_any_step_of_its_clean_up_lives() {
    for operation in CLEAN_UP {
        for side in SIDES {
            for dies in [false, true] {
                let gate = Gate::at(operation, side);
                let behind = gate.clone();
                let mut world =
                    World::wrapped(move |provider| Arc::new(Gated::new(provider, behind.clone())));
                world.sweep().await;
                // The build's own calls are not the ones that are meant.
                gate.open();
                world.publish(update("c", 1)).await;
                world.settle().await;
                gate.shut();
                world.publish(end("c", 1)).await;
                gate.reached().await;
                world.publish(update("c", 2)).await;
                tokio::time::sleep(secs(1)).await;
                if dies {
                    world.kill_worker().await;
                    world.start_worker();
                }
                gate.open();
                world.settle().await;
                assert_lives(&world, &gate);
                let end = ends(&world, "1/ended");
                assert!(
                    matches!(only(&end), Some("superseded" | "removed/ended")),
                    "{gate}: {end:?}"
                );
                world.finish().await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_preview_that_is_ready_and_not_yet_told_is_told_before_its_removal() {
    let (mut world, gate) = at("alias", Side::After).await;
    // It settles, and then nobody takes its result.
    world.broker.set_down(true);
    gate.open();
    tokio::time::sleep(secs(1)).await;
    let record = world.store.context(&key("c")).await.expect("it answers");
    let record = record.expect("it was claimed");
    assert!(record.lease.is_none() && record.live.is_some());
    world.kill_worker().await;
    world.broker.set_down(false);
    world.publish(end("c", 1)).await;
    world.start_worker();
    world.settle().await;
    assert_gone(&world, &gate);
    assert_eq!(only(&ends(&world, "1/updated")), Some("ready"));
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn an_update_whose_end_is_accepted_first_is_never_begun() {
    let gate = Gate::at("create", Side::Before);
    let behind = gate.clone();
    let mut world = World::wrapped(move |provider| Arc::new(Gated::new(provider, behind.clone())));
    world.stop_worker().await;
    world.publish(update("c", 1)).await;
    world.publish(end("c", 1)).await;
    world.start_worker();
    gate.open();
    world.settle().await;
    assert_gone(&world, &gate);
    world.publish(update("c", 2)).await;
    world.settle().await;
    assert_lives(&world, &gate);
    world.finish().await;
}
