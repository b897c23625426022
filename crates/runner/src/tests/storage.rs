use std::num::NonZeroU32;

use foreshow_contract::DeploymentId;

use super::*;
use crate::{DeploymentState, PreviewError, Resolved, TOMBSTONES_KEPT};

#[tokio::test]
async fn a_blob_that_two_deployments_share_is_stored_once() {
    let world = World::new().await;
    let first = world
        .deploy("a", 1, &[("index.html", "hello"), ("logo.svg", "<svg/>")])
        .await;
    assert_eq!((first.bytes_uploaded, first.bytes_reused), (11, 0));
    let second = world
        .deploy(
            "b",
            1,
            &[("index.html", "other"), ("img/logo.svg", "<svg/>")],
        )
        .await;
    assert_eq!((second.bytes_uploaded, second.bytes_reused), (5, 6));
    assert_eq!(world.stored(), 3);
}

#[tokio::test]
async fn a_blob_is_uploaded_once_however_many_files_of_a_deployment_have_it() {
    let world = World::new().await;
    let created = world
        .deploy("a", 1, &[("one.txt", "same"), ("two.txt", "same")])
        .await;
    assert_eq!((created.bytes_uploaded, created.bytes_reused), (4, 4));
    assert_eq!(world.stored(), 1);
}

#[tokio::test]
async fn removing_removes_exactly_what_nothing_else_uses() {
    let world = World::new().await;
    let first = world
        .deploy("a", 1, &[("index.html", "hello"), ("logo.svg", "<svg/>")])
        .await;
    let second = world
        .deploy("b", 1, &[("index.html", "other"), ("logo.svg", "<svg/>")])
        .await;
    assert!(world.host.remove(&first.deployment.id, NOW).await.unwrap());
    assert_eq!(world.stored(), 2);
    assert!(
        !world.host.remove(&first.deployment.id, NOW).await.unwrap(),
        "removing twice is harmless"
    );
    assert!(world.host.remove(&second.deployment.id, NOW).await.unwrap());
    assert_eq!(world.stored(), 0);
    assert_eq!(world.host.list(&key("a"), NOW).await.unwrap(), []);
}

#[tokio::test]
async fn a_revision_has_one_deployment_however_often_it_is_created() {
    let world = World::new().await;
    let files = [("index.html", "hello")];
    let creations = (0..20).map(|_| {
        let (host, new) = (world.host.clone(), new("a", 1, &files));
        tokio::spawn(async move { host.create(new, NOW).await.unwrap().deployment.id })
    });
    let mut ids = Vec::new();
    for creation in creations.collect::<Vec<_>>() {
        ids.push(creation.await.unwrap());
    }
    ids.dedup();
    assert_eq!(ids.len(), 1);
    assert_eq!(world.host.list(&key("a"), NOW).await.unwrap().len(), 1);
    assert_eq!(world.half_written(), 0);
}

#[tokio::test]
async fn a_label_that_names_another_deployment_is_refused_and_leaves_no_blob() {
    let world = World::new().await;
    world.deploy("a", 1, &[("index.html", "hello")]).await;
    let mut second = new("b", 1, &[("index.html", "other")]);
    second.label = label("a-r1");
    assert!(matches!(
        world.host.create(second, NOW).await,
        Err(PreviewError::LabelTaken { .. })
    ));
    assert_eq!(world.stored(), 1);
}

#[tokio::test]
async fn a_build_ends_when_its_time_is_over() {
    let world = World::new().await;
    let mut slow = new("a", 1, &[("index.html", "hello")]);
    slow.build = Build {
        duration: secs(30),
        failure: None,
    };
    let id = world.host.create(slow, NOW).await.unwrap().deployment.id;
    let mut failing = new("a", 2, &[("index.html", "hello")]);
    failing.build = Build {
        duration: secs(30),
        failure: Some(vec!["boom".into()]),
    };
    let failing = world.host.create(failing, NOW).await.unwrap().deployment.id;

    let state = async |id, at| world.host.get(id, at).await.unwrap().unwrap().state;
    let until = NOW.saturating_add(secs(30));
    assert_eq!(state(&id, NOW).await, DeploymentState::Building { until });
    assert_eq!(state(&id, until).await, DeploymentState::Ready);
    assert_eq!(
        state(&failing, NOW).await,
        DeploymentState::Building { until }
    );
    assert_eq!(
        state(&failing, until).await,
        DeploymentState::Failed {
            log_tail: vec!["boom".into()]
        }
    );
}

#[tokio::test]
async fn an_alias_shows_what_it_was_moved_to_and_goes_with_it() {
    let world = World::new().await;
    let alias = label("a-alias");
    let first = world
        .deploy("a", 1, &[("index.html", "one")])
        .await
        .deployment;
    let second = world
        .deploy("a", 2, &[("index.html", "two")])
        .await
        .deployment;
    assert_eq!(world.host.alias(&alias).await.unwrap(), None);
    assert_eq!(
        world.host.resolve(&alias, NOW).await.unwrap(),
        Resolved::Unknown
    );
    assert!(world.host.move_alias(&alias, &first.id).await.unwrap());
    assert!(world.host.move_alias(&alias, &second.id).await.unwrap());
    assert_eq!(
        world.host.alias(&alias).await.unwrap(),
        Some(second.id.clone())
    );
    assert_eq!(
        world.host.resolve(&alias, NOW).await.unwrap(),
        Resolved::Alias(second.clone())
    );

    world.host.remove(&first.id, NOW).await.unwrap();
    assert_eq!(
        world.host.resolve(&alias, NOW).await.unwrap(),
        Resolved::Alias(second.clone())
    );
    world.host.remove(&second.id, NOW).await.unwrap();
    assert_eq!(
        world.host.resolve(&alias, NOW).await.unwrap(),
        Resolved::Removed { at: NOW }
    );
    assert!(
        !world.host.move_alias(&alias, &second.id).await.unwrap(),
        "the deployment is gone"
    );

    let third = world
        .deploy("a", 3, &[("index.html", "three")])
        .await
        .deployment;
    assert!(world.host.move_alias(&alias, &third.id).await.unwrap());
    assert_eq!(
        world.host.resolve(&alias, NOW).await.unwrap(),
        Resolved::Alias(third)
    );
}

#[tokio::test]
async fn what_was_removed_is_remembered_for_thirty_days() {
    let world = World::new().await;
    let id = world
        .deploy("a", 1, &[("index.html", "one")])
        .await
        .deployment
        .id;
    world.host.remove(&id, NOW).await.unwrap();
    let own = label("a-r1");
    let last_day = NOW.saturating_add(TOMBSTONES_KEPT);
    let after = last_day.saturating_add(secs(1));
    assert_eq!(
        world.host.resolve(&own, last_day).await.unwrap(),
        Resolved::Removed { at: NOW }
    );
    assert_eq!(
        world.host.resolve(&own, after).await.unwrap(),
        Resolved::Unknown
    );
    assert_eq!(world.host.collect(last_day).await.unwrap().tombstones, 0);
    assert_eq!(world.host.collect(after).await.unwrap().tombstones, 1);
}

#[tokio::test]
async fn a_revision_that_comes_back_is_no_longer_removed() {
    let world = World::new().await;
    let id = world
        .deploy("a", 1, &[("index.html", "one")])
        .await
        .deployment
        .id;
    world.host.remove(&id, NOW).await.unwrap();
    let again = world
        .deploy("a", 1, &[("index.html", "one")])
        .await
        .deployment;
    assert_ne!(again.id, id, "an id is never given out twice");
    assert_eq!(
        world.host.resolve(&label("a-r1"), NOW).await.unwrap(),
        Resolved::Revision(again)
    );
    assert!(
        !world.host.remove(&id, NOW).await.unwrap(),
        "the old id names nothing"
    );
    assert_eq!(
        world
            .host
            .get(&DeploymentId::from("dpl_unknown"), NOW)
            .await
            .unwrap(),
        None
    );
}

#[tokio::test]
async fn many_files_are_stored_and_removed_together() {
    let world = World::new().await;
    let files: Vec<_> = (0..600)
        .map(|n| (format!("dir{}/f{n}.txt", n % 7), format!("content {n}")))
        .collect();
    let files: Vec<_> = files
        .iter()
        .map(|(path, content)| (path.as_str(), content.as_str()))
        .collect();
    let id = world.deploy("a", 1, &files).await.deployment.id;
    assert_eq!(world.stored(), 600);
    world.host.remove(&id, NOW).await.unwrap();
    assert_eq!(world.stored(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn creating_and_removing_the_same_content_at_once_never_loses_a_blob() {
    let world = World::new().await;
    // A second handle to the folder stands for a second process.
    let other = PreviewHost::open(world.folder.path(), NOW).await.unwrap();
    // And a third one starts over and over, taking what is in flight for a dead one's.
    let starting = tokio::spawn({
        let host = other.clone();
        async move {
            for _ in 0..20 {
                host.collect(NOW).await.unwrap();
                tokio::task::yield_now().await;
            }
        }
    });
    let tasks = (0..8_u64).map(|task| {
        let host = if task % 2 == 0 {
            world.host.clone()
        } else {
            other.clone()
        };
        tokio::spawn(async move {
            for round in 0..25 {
                let context = format!("c{task}");
                let shared = format!("shared {}", round % 3);
                let new = new(
                    &context,
                    round,
                    &[("index.html", &shared), ("own.txt", &context)],
                );
                let created = host.create(new, NOW).await.unwrap().deployment;
                for digest in
                    [shared, context].map(|text| foreshow_contract::Sha256::of(text.as_bytes()))
                {
                    assert!(
                        host.blobs.path(&digest).exists(),
                        "a committed deployment has its blobs"
                    );
                }
                host.remove(&created.id, NOW).await.unwrap();
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    starting.await.unwrap();
    assert_eq!(world.stored(), 0);
}

/// Every page, as a sweep asks for them; `between` is done after each.
async fn all_pages(world: &World, limit: u32, mut between: impl AsyncFnMut(usize)) -> Vec<String> {
    let limit = NonZeroU32::new(limit).unwrap();
    let (mut met, mut after, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = world.host.page(after, limit, NOW).await.unwrap();
        let Some(last) = page.last() else { return met };
        after = Some(last.row());
        met.extend(
            page.iter()
                .map(|one| format!("{}/{}", one.key.context, one.revision)),
        );
        pages += 1;
        between(pages).await;
    }
}

#[tokio::test]
async fn pages_have_every_deployment_once_in_the_order_of_creation() {
    let world = World::new().await;
    let files = [("index.html", "hello")];
    for (context, revision) in [("b", 2), ("a", 7), ("b", 1), ("c", 1), ("a", 9)] {
        world.deploy(context, revision, &files).await;
    }
    for limit in [1, 2, 5, 100] {
        let met = all_pages(&world, limit, async |_| {}).await;
        assert_eq!(met, ["b/2", "a/7", "b/1", "c/1", "a/9"], "{limit} a page");
    }
}

#[tokio::test]
async fn what_comes_and_goes_between_pages_hides_and_repeats_nothing_else() {
    let world = World::new().await;
    let files = [("index.html", "hello")];
    let mut ids = Vec::new();
    for context in ["a", "b", "c", "d", "e"] {
        ids.push(world.deploy(context, 1, &files).await.deployment.id);
    }
    let met = all_pages(&world, 2, async |page| {
        if page == 1 {
            // The one that the next page begins after, one behind it, and one ahead; and their places are not taken again.
            for gone in [1, 0, 3] {
                world.host.remove(&ids[gone], NOW).await.unwrap();
            }
            world.deploy("f", 1, &files).await;
        }
    })
    .await;
    assert_eq!(met, ["a/1", "b/1", "c/1", "e/1", "f/1"]);
}
