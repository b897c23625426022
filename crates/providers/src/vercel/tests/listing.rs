//! Listing: whose deployments there are, page after page.

use foreshow_engine::{BuildState, Failure, Provider as _, code};
use foreshow_simulators::core::BuildOutcome;
use foreshow_simulators::vercel::VercelOperation as Op;

use super::world::{World, key};

#[tokio::test]
async fn a_context_has_its_own_deployments_and_no_others() {
    let world = World::new().await;
    let first = world.ready("ctx", 1, "one").await;
    let second = world.ready("ctx", 2, "two").await;
    world.create("other", 1, "one").await;
    let mut listed = world.provider.list(&key("ctx")).await.unwrap();
    listed.sort_by_key(|deployment| deployment.revision);
    assert_eq!(listed, [first.clone(), second]);
    assert_eq!(world.provider.list(&key("nobody")).await.unwrap(), []);
    let located = world.provider.locate(&first).await.unwrap().unwrap();
    assert_eq!(located, first.address);
    assert!(world.provider.url(&located).starts_with("http://"));
}

#[tokio::test]
async fn what_another_installation_made_is_not_ours() {
    let world = World::new().await;
    world.create("ctx", 1, "one").await;
    let another = world.another(8, |_| {});
    assert_eq!(another.list(&key("ctx")).await.unwrap(), []);
    assert_eq!(another.inventory(None).await.unwrap().deployments, []);
}

#[tokio::test]
async fn before_the_first_deployment_there_is_nothing() {
    let world = World::new().await;
    assert_eq!(world.provider.list(&key("ctx")).await.unwrap(), []);
    let inventory = world.provider.inventory(None).await.unwrap();
    assert_eq!((inventory.deployments.len(), inventory.next), (0, None));
}

#[tokio::test]
async fn all_pages_are_read_whether_or_not_the_filter_is_understood() {
    let world = World::new().await;
    for revision in 1..=7 {
        world.create("ctx", revision, "one").await;
        world.create("other", revision, "one").await;
    }
    for filters in [true, false] {
        world.turn(|knobs| {
            knobs.page_limit = 3;
            knobs.filters_by_meta = filters;
        });
        let mut revisions: Vec<_> = world
            .provider
            .list(&key("ctx"))
            .await
            .unwrap()
            .iter()
            .map(|deployment| deployment.revision.get())
            .collect();
        revisions.sort_unstable();
        assert_eq!(revisions, [1, 2, 3, 4, 5, 6, 7]);

        let (mut found, mut after) = (std::collections::BTreeSet::new(), None);
        loop {
            let page = world.provider.inventory(after.as_deref()).await.unwrap();
            assert!(page.deployments.len() <= 3);
            found.extend(page.deployments.into_iter().map(|deployment| deployment.id));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(found.len(), 14);
    }
}

#[tokio::test]
async fn a_page_that_nobody_gave_is_refused() {
    let world = World::new().await;
    let error = world.provider.inventory(Some("two")).await.unwrap_err();
    assert_eq!(error.failure, Failure::Permanent(code::INTERNAL));
    assert_eq!(world.calls(Op::ListDeployments), 0);
}

#[tokio::test]
async fn a_failed_deployment_is_listed_with_its_log() {
    let world = World::new().await;
    let log = vec!["error: no such file".to_owned()];
    world.next_ends(BuildOutcome::Failed { log });
    let failed = world.create("ctx", 1, "one").await;
    world.until_built(&failed).await;
    let listed = world.provider.list(&key("ctx")).await.unwrap();
    let BuildState::Failed { log_tail } = &listed[0].state else {
        panic!("{listed:?}")
    };
    assert!(
        log_tail.iter().any(|line| line == "error: no such file"),
        "{log_tail:?}"
    );
}

#[tokio::test]
async fn what_vanished_is_gone() {
    let world = World::new().await;
    let deployment = world.ready("ctx", 1, "one").await;
    assert!(world.simulator.vanish(deployment.id.as_str()));
    assert_eq!(
        world.provider.status(&deployment.id).await.unwrap(),
        BuildState::Gone
    );
    assert_eq!(world.provider.list(&key("ctx")).await.unwrap(), []);
}
