//! Finding our own, all of it and nothing else.

use foreshow_engine::{BuildState, Deployment, Provider as _};
use foreshow_simulators::{core::BuildOutcome, deno::DenoOperation};
use reqwest::Method;
use serde_json::json;

use super::world::{World, alias, key, until};
use crate::deno::{DenoProvider, tags::slug};

async fn inventory(provider: &DenoProvider) -> (Vec<Deployment>, usize) {
    let (mut all, mut pages, mut after) = (Vec::new(), 0, None);
    loop {
        let page = provider.inventory(after.as_deref()).await.unwrap();
        all.extend(page.deployments);
        pages += 1;
        after = page.next;
        if after.is_none() {
            return (all, pages);
        }
    }
}

#[tokio::test]
async fn a_list_has_every_revision_of_the_context_with_its_state() {
    let world = World::with(|knobs| {
        let failed = BuildOutcome::Failed {
            log: vec!["no such module".to_owned()],
        };
        knobs.builds.next = [
            BuildOutcome::Ready,
            failed.clone(),
            failed,
            BuildOutcome::Never,
        ]
        .into();
    })
    .await;
    let ready = world.ready("ctx", 1, "one").await;
    for revision in 2..=3 {
        let failed = world.create("ctx", revision, "x").await;
        world.until_built(&failed).await;
    }
    world.create("ctx", 4, "x").await;
    world.create("other", 9, "x").await;

    // By a process that has not seen any of it.
    let mut listed = world.provider_of(7).list(&key("ctx")).await.unwrap();
    listed.sort_by_key(|one| one.revision);
    assert_eq!(listed.len(), 4);
    assert_eq!(listed[0], ready);
    assert!(matches!(&listed[1].state, BuildState::Failed { .. }));
    let BuildState::Failed { log_tail } = &listed[2].state else {
        panic!("{listed:?}");
    };
    assert!(
        log_tail.contains(&"no such module".to_owned()),
        "{log_tail:?}"
    );
    assert_eq!(listed[3].state, BuildState::Building);
    assert!(listed.iter().all(|one| one.key == key("ctx")));
}

#[tokio::test]
async fn where_a_revision_is_reached_is_asked_for_once() {
    let world = World::new().await;
    world.ready("ctx", 1, "one").await;
    world.story();
    for _ in 0..3 {
        world.list("ctx").await;
    }
    assert_eq!(world.calls(DenoOperation::GetRevision), 0);
    assert_eq!(world.calls(DenoOperation::ListRevisions), 3);
}

#[tokio::test]
async fn the_inventory_has_everything_of_this_installation_page_after_page() {
    let world = World::new().await;
    let mut expected = Vec::new();
    // More than a page, whose size is the provider's.
    for n in 0..27 {
        expected.push(world.create(&format!("ctx-{n}"), 1, "x").await.id);
    }
    world
        .by_hand(
            Method::POST,
            "/v2/apps",
            json!({ "slug": "blog", "labels": { "custom.team": "web" } }),
        )
        .await;
    for relative in [false, true] {
        world
            .simulator
            .turn(|knobs| knobs.relative_links = relative);
        let (all, pages) = inventory(&world.provider).await;
        assert_eq!(pages, 2);
        let mut ids: Vec<_> = all.into_iter().map(|one| one.id).collect();
        ids.sort();
        expected.sort();
        assert_eq!(ids, expected);
    }
    let (others, _) = inventory(&world.provider_of(8)).await;
    assert!(others.is_empty());
}

#[tokio::test]
async fn the_token_stays_with_the_host_that_was_set() {
    let world = World::new().await;
    for n in 0..26 {
        world.create(&format!("ctx-{n}"), 1, "x").await;
    }
    world.story();
    inventory(&world.provider).await;
    // The link of a page names the console's mount; the next page is asked for where the first was.
    let asked = world.simulator.calls_of(DenoOperation::ListApps);
    assert_eq!(asked.len(), 2);
    assert!(
        asked.iter().all(|call| call.path == "/v2/apps"),
        "{asked:?}"
    );
}

#[tokio::test]
async fn an_app_that_stays_without_revisions_is_removed_by_the_inventory() {
    let world = World::with(|knobs| knobs.builds.next = [BuildOutcome::Never].into()).await;
    let building = world.create("ctx", 1, "x").await;
    world.provider.cancel(&building.id).await.unwrap();
    world.ready("other", 1, "x").await;
    inventory(&world.provider).await;
    assert_eq!(world.apps().len(), 2, "somebody may be about to use it");
    world.clock.step(3_600);
    inventory(&world.provider).await;
    assert_eq!(world.apps(), [slug(&alias("other"))]);
}

#[tokio::test]
async fn an_inventory_tells_states_and_can_be_used_to_find_the_rest() {
    let world = World::new().await;
    let ready = world.ready("ctx", 1, "one").await;
    // A process that has not seen the host.
    let another = world.provider_of(7);
    let (all, _) = inventory(&another).await;
    let [listed] = all.as_slice() else {
        panic!("{all:?}");
    };
    assert_eq!((&listed.id, &listed.state), (&ready.id, &BuildState::Ready));
    assert_eq!(
        another.locate(listed).await.unwrap(),
        Some(ready.address.clone())
    );
    // What it would have shown before matches what the service does.
    assert_eq!(
        another.url(&listed.address),
        world.provider.url(&ready.address)
    );
    until(async || world.serves(listed, "one").await.then_some(())).await;
}
