//! Tenants take turns, and a flood waits in the backlog: told in turns, not in seconds.
#![allow(clippy::unwrap_used, reason = "a test ends where something is missing")]

mod world;

use std::{
    collections::BTreeMap,
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

use foreshow_contract::{OutcomeKind, ResultBody};
use foreshow_engine::{EngineOptions, Queue, testing::FakeBuild};

use self::world::{World, key, secs, touch, update};

const SLOTS: usize = 4;
/// Of which thirty may wait: half of what does not run.
const WINDOW: u32 = 64;
const WAIT: usize = 30;

fn small(options: &mut EngineOptions) {
    options.worker.concurrency = NonZeroUsize::new(SLOTS).unwrap();
    options.worker.prefetch = NonZeroU32::new(WINDOW).unwrap();
}

fn small_world() -> World {
    let world = World::with(small);
    world.provider.set_build(FakeBuild::Ready(secs(1)));
    world
}

async fn flood(world: &World, events: usize) {
    for n in 0..events {
        world.publish(update(&format!("c{n}"), 1).of("flood")).await;
    }
}

/// The tenants of the previews that became ready, in their order.
fn readies(world: &World) -> Vec<String> {
    let published = world.broker.published();
    let ready = published
        .iter()
        .filter(|result| result.outcome() == OutcomeKind::Ready);
    ready
        .map(|result| result.key().unwrap().tenant.to_string())
        .collect()
}

/// How often each preview became ready.
fn ends(world: &World) -> BTreeMap<String, usize> {
    let mut ends = BTreeMap::new();
    for result in world.broker.published() {
        if let ResultBody::Ready(_) = result.body {
            *ends.entry(result.id).or_default() += 1;
        }
    }
    ends
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(secs(10_000), waiting)
        .await
        .unwrap_or_else(|_| panic!("{what} never was so"));
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_one_tenant_does_not_keep_others_waiting() {
    let world = small_world();
    flood(&world, 400).await;
    for tenant in 0..9 {
        for n in 0..3 {
            let event = update(&format!("c{n}"), 1).of(&format!("small{tenant}"));
            world.publish(event).await;
        }
    }
    world.settle().await;
    let order = readies(&world);
    assert_eq!(order.len(), 427);
    let last_small = order.iter().rposition(|tenant| tenant != "flood").unwrap();
    let flooded = order[..last_small]
        .iter()
        .filter(|tenant| *tenant == "flood")
        .count();
    // What ran when they came, and one slot of four for as long as they shared them.
    assert!(
        flooded <= SLOTS + 27,
        "{flooded} of the flood were ready before the last of the others"
    );
    assert!(world.broker.moves() >= 300, "{}", world.broker.moves());
    world.finish().await;
}

/// The others always have something fresh in line, and yet the flood has its turns.
#[tokio::test(start_paused = true)]
async fn a_backlog_does_not_starve_behind_fresh_deliveries() {
    let world = small_world();
    flood(&world, 60).await;
    until("the flood has gone to the backlog", || {
        world.broker.ready(Queue::Deploy) == 0
    })
    .await;
    let mut published = 0;
    while ends(&world)
        .keys()
        .filter(|id| id.starts_with("flood/"))
        .count()
        < 60
    {
        for tenant in ["one", "two"] {
            for _ in 0..4 {
                let event = update(&format!("c{published}"), 1).of(tenant);
                world.publish(event).await;
                published += 1;
            }
        }
        assert!(published < 1_000, "the flood starves");
        tokio::time::sleep(secs(1)).await;
    }
    world.settle().await;
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_is_served_in_the_middle_of_a_backlog() {
    let world = small_world();
    flood(&world, 200).await;
    until("the flood has gone to the backlog", || {
        world.broker.ready(Queue::Deploy) == 0 && readies(&world).len() >= 20
    })
    .await;
    let before = readies(&world).len();
    world.publish(update("c1", 1).of("newcomer")).await;
    world.settle().await;
    let order = readies(&world);
    let at = order
        .iter()
        .position(|tenant| tenant == "newcomer")
        .unwrap();
    assert!(
        at - before <= 2 * SLOTS,
        "{} were served before it",
        at - before
    );
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_moved_while_all_of_it_may_wait_here() {
    let world = small_world();
    flood(&world, SLOTS + WAIT).await;
    world.settle().await;
    assert_eq!(world.broker.moves(), 0);
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn at_a_hundred_percent_nothing_is_moved() {
    let world = World::with(|options| {
        small(options);
        options.worker.waiting_percent = 100;
    });
    world.provider.set_build(FakeBuild::Ready(secs(1)));
    flood(&world, 100).await;
    world.settle().await;
    assert_eq!((world.broker.moves(), readies(&world).len()), (0, 100));
    world.finish().await;
}

/// Each goes to the backlog once and is read with a free slot: nothing goes round in circles.
#[tokio::test(start_paused = true)]
async fn a_flood_pays_one_move_for_each_event_at_most() {
    let world = small_world();
    for event in 0..300 {
        let (tenant, context) = (event % 3, event / 3);
        let event = update(&format!("c{context}"), 1).of(&format!("flood{tenant}"));
        world.publish(event).await;
    }
    world.settle().await;
    assert_eq!(readies(&world).len(), 300);
    assert!(world.broker.moves() <= 300, "{}", world.broker.moves());
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_dies_while_it_moves_loses_nothing() {
    let mut world = small_world();
    flood(&world, 150).await;
    for life in 0..12 {
        // Deaths early in a life, while most is being moved, and later.
        tokio::time::sleep(Duration::from_millis(life * life * 40)).await;
        world.kill_worker().await;
        world.start_worker();
    }
    world.settle().await;
    assert_eq!(ends(&world).len(), 150);
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_stops_gives_back_what_it_took_from_the_backlog() {
    let mut world = small_world();
    flood(&world, 120).await;
    until("it works on the backlog", || readies(&world).len() >= 60).await;
    world.stop_worker().await;
    let done = readies(&world).len();
    assert_eq!(world.broker.pending(), 120 - done, "nothing is out");
    assert!(world.broker.ready(Queue::Backlog) > 0);
    world.start_worker();
    world.settle().await;
    assert_eq!(ends(&world).len(), 120);
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_touch_passes_the_slots_by() {
    let world = small_world();
    world.publish(update("live", 1)).await;
    world.settle().await;
    let before = world.expires_at("live").await.unwrap();
    world.provider.set_build(FakeBuild::Ready(secs(600)));
    flood(&world, 100).await;
    tokio::time::sleep(secs(60)).await;
    world.publish(touch("live")).await;
    tokio::time::sleep(secs(1)).await;
    assert!(world.expires_at("live").await.unwrap() > before);
    assert_eq!(readies(&world).len(), 1, "no slot was free meanwhile");
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn an_update_of_what_is_being_built_asks_before_it_could_be_moved() {
    let world = small_world();
    world.provider.set_build(FakeBuild::Ready(secs(600)));
    world.publish(update("c0", 1)).await;
    flood(&world, 100).await;
    tokio::time::sleep(secs(5)).await;
    world.publish(update("c0", 2)).await;
    until("the older is superseded", || {
        !world.ends("c0", "superseded").is_empty()
    })
    .await;
    assert!(readies(&world).is_empty(), "before any slot was free");
    assert!(world.provider.created().contains(&(key("c0"), 1)));
    world.settle().await;
    assert_eq!(world.shown("c0"), Some(2));
    world.finish().await;
}

/// Its next attempt does not stand behind the flood.
#[tokio::test(start_paused = true)]
async fn what_failed_once_comes_back_to_the_deploy_queue() {
    let world = small_world();
    flood(&world, 200).await;
    until("it works on the backlog", || readies(&world).len() >= 40).await;
    let retry = foreshow_engine::Failure::Retryable { after: None };
    world.provider.fail_next("create", retry);
    world.settle().await;
    let attempts = world.broker.published().into_iter().filter_map(|result| {
        let ResultBody::Ready(ready) = result.body else {
            return None;
        };
        Some(ready.attempts)
    });
    let attempts: Vec<_> = attempts.collect();
    let again = attempts.iter().position(|attempts| *attempts == 2).unwrap();
    assert!(again < 150, "it was number {again} of 200");
    world.finish().await;
}
