//! Cancelling and deleting.

use foreshow_engine::{BuildState, Failure, Provider as _};
use foreshow_simulators::{
    core::{BuildOutcome, Fault, FaultKind},
    deno::DenoOperation,
};

use super::world::{World, alias, name};

#[tokio::test]
async fn the_last_deployment_takes_the_app_along() {
    let world = World::new().await;
    let first = world.ready("ctx", 1, "one").await;
    assert!(
        world
            .provider
            .move_alias(&alias("ctx"), &first.id)
            .await
            .unwrap()
    );
    world.provider.delete(&first.id).await.unwrap();
    assert!(world.apps().is_empty());
    assert!(world.list("ctx").await.is_empty());
    // Twice is as good as once.
    world.provider.delete(&first.id).await.unwrap();
    // And the context may come back.
    let again = world.ready("ctx", 2, "two").await;
    assert!(world.serves(&again, "two").await);
}

#[tokio::test]
async fn an_older_deployment_goes_and_the_live_one_stays() {
    for routing_ms in [0, 800] {
        let world = World::with(|knobs| knobs.routing_ms = routing_ms).await;
        let first = world.ready("ctx", 1, "one").await;
        assert!(
            world
                .provider
                .move_alias(&alias("ctx"), &first.id)
                .await
                .unwrap()
        );
        let second = world.ready("ctx", 2, "two").await;
        assert!(
            world
                .provider
                .move_alias(&alias("ctx"), &second.id)
                .await
                .unwrap()
        );
        world.provider.delete(&first.id).await.unwrap();
        assert_eq!(
            world.provider.status(&first.id).await.unwrap(),
            BuildState::Gone
        );
        assert!(!world.serves(&first, "one").await);
        let left: Vec<_> = world
            .list("ctx")
            .await
            .into_iter()
            .map(|one| one.id)
            .collect();
        assert_eq!(left, std::slice::from_ref(&second.id));
        assert_eq!(
            world.provider.alias(&alias("ctx")).await.unwrap(),
            Some(second.id)
        );
        assert!(world.shows("ctx", "two").await);
    }
}

#[tokio::test]
async fn a_deployment_that_the_alias_shows_goes_with_the_alias() {
    let world = World::new().await;
    let first = world.ready("ctx", 1, "one").await;
    let second = world.ready("ctx", 2, "two").await;
    assert!(
        world
            .provider
            .move_alias(&alias("ctx"), &second.id)
            .await
            .unwrap()
    );
    world.provider.delete(&second.id).await.unwrap();
    assert_eq!(world.provider.alias(&alias("ctx")).await.unwrap(), None);
    assert!(!world.shows("ctx", "two").await);
    assert!(world.serves(&first, "one").await);
}

#[tokio::test]
async fn a_cancelled_build_is_over_and_gone_when_that_is_said() {
    let world = World::with(|knobs| {
        knobs.builds.outcome = BuildOutcome::Never;
        knobs.cancel_ms = 700;
    })
    .await;
    let building = world.create("ctx", 1, "x").await;
    assert_eq!(building.state, BuildState::Building);
    world.provider.cancel(&building.id).await.unwrap();
    assert_eq!(
        world.provider.status(&building.id).await.unwrap(),
        BuildState::Gone
    );
    assert!(world.list("ctx").await.is_empty());
    assert_eq!(world.calls(DenoOperation::CancelRevision), 1);
    // The next revision is waiting already.
    assert_eq!(world.apps().len(), 1);
    world.provider.cancel(&building.id).await.unwrap();
}

#[tokio::test]
async fn a_cancel_that_comes_too_late_removes_what_was_built() {
    let world = World::new().await;
    let ready = world.ready("ctx", 1, "x").await;
    world.provider.cancel(&ready.id).await.unwrap();
    assert_eq!(
        world.provider.status(&ready.id).await.unwrap(),
        BuildState::Gone
    );
    assert!(!world.serves(&ready, "x").await);
}

#[tokio::test]
async fn a_build_is_cancelled_before_it_is_deleted() {
    let world = World::with(|knobs| knobs.builds.outcome = BuildOutcome::Never).await;
    let first = world.create("ctx", 1, "x").await;
    let second = world.create("ctx", 2, "x").await;
    world.provider.delete(&first.id).await.unwrap();
    let left: Vec<_> = world
        .list("ctx")
        .await
        .into_iter()
        .map(|one| one.id)
        .collect();
    assert_eq!(left, [second.id]);
}

#[tokio::test]
async fn a_refusal_to_delete_is_waited_out() {
    let world = World::new().await;
    let first = world.ready("ctx", 1, "one").await;
    world.ready("ctx", 2, "two").await;
    world.simulator.fault(
        Fault::status(409)
            .on(DenoOperation::DeleteRevision)
            .times(2),
    );
    world.provider.delete(&first.id).await.unwrap();
    assert_eq!(world.calls(DenoOperation::DeleteRevision), 3);
    assert_eq!(
        world.provider.status(&first.id).await.unwrap(),
        BuildState::Gone
    );
}

#[tokio::test]
async fn what_could_not_be_removed_is_said_to_be_there() {
    let world = World::new().await;
    let first = world.ready("ctx", 1, "one").await;
    world.ready("ctx", 2, "two").await;
    world
        .simulator
        .fault(Fault::status(503).on(DenoOperation::DeleteRevision));
    let error = world.provider.delete(&first.id).await.unwrap_err();
    assert_eq!(error.failure, Failure::ProviderDown);
    assert_eq!(world.list("ctx").await.len(), 2);
}

#[tokio::test]
async fn an_app_is_not_deleted_on_an_old_sight_of_it() {
    let world = World::new().await;
    let first = world.ready("ctx", 1, "one").await;
    // Slower than what was seen is believed: as if this worker had been frozen in between.
    let slow = Fault::new(FaultKind::Slow { ms: 3_200 });
    world
        .simulator
        .fault(slow.on(DenoOperation::ListRevisions).times(3));
    world.provider.delete(&first.id).await.unwrap();
    let story = world.story();
    let at = |operation| story.iter().position(|one| *one == name(operation));
    let (revision, app) = (
        at(DenoOperation::DeleteRevision),
        at(DenoOperation::DeleteApp),
    );
    assert!(
        revision.is_some() && (app.is_none() || app > revision),
        "{story:?}"
    );
    let gone = world.provider.status(&first.id).await.unwrap();
    assert_eq!(gone, BuildState::Gone);
}
