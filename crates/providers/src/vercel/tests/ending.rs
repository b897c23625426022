//! How builds end, and how they are ended.

use std::time::Duration;

use foreshow_engine::{BuildState, Failure, Provider as _};
use foreshow_simulators::core::{BuildOutcome, Fault, FaultKind};
use foreshow_simulators::vercel::{EventShape, VercelOperation as Op};

use super::world::{World, alias, key};

async fn failed(world: &World, outcome: BuildOutcome) -> Vec<String> {
    world.next_ends(outcome);
    let created = world.create("ctx", 1, "one").await;
    match world.until_built(&created).await {
        BuildState::Failed { log_tail } => log_tail,
        state => panic!("{state:?}"),
    }
}

fn state(word: &str) -> BuildOutcome {
    BuildOutcome::State {
        state: word.to_owned(),
    }
}

#[tokio::test]
async fn a_failed_build_is_told_with_the_end_of_its_log_in_every_shape() {
    let world = World::new().await;
    for shape in [EventShape::Nested, EventShape::Flat, EventShape::Mixed] {
        world.turn(|knobs| knobs.events = shape);
        let log = ["one", "two", "error: three"].map(str::to_owned).to_vec();
        let told = failed(&world, BuildOutcome::Failed { log: log.clone() }).await;
        let at = told.iter().position(|line| *line == log[0]).unwrap();
        assert_eq!(told[at..at + 3], log, "{told:?}");
        assert!(told.last().unwrap().contains("BUILD_FAILED"), "{told:?}");
    }
}

#[tokio::test]
async fn a_log_that_cant_be_had_does_not_hide_the_failure() {
    let world = World::new().await;
    world.simulator.fault(Fault::status(403).on(Op::ListEvents));
    let told = failed(&world, BuildOutcome::Failed { log: vec![] }).await;
    assert_eq!(told.len(), 1);
}

#[tokio::test]
async fn other_ends_say_what_they_are() {
    let world = World::new().await;
    for (word, said) in [
        ("CANCELED", "somebody else"),
        ("BLOCKED", "Vercel blocked the deployment"),
        ("LAMBDA_ERROR", ""),
    ] {
        let told = failed(&world, state(word)).await;
        assert!(told.last().unwrap().contains(said), "{word}: {told:?}");
    }
}

#[tokio::test]
async fn a_state_that_nobody_has_heard_of_is_in_progress() {
    let world = World::new().await;
    world.next_ends(state("PONDERING"));
    let created = world.create("ctx", 1, "one").await;
    until_pondering(&world, created.id.as_str()).await;
    assert_eq!(
        world.provider.status(&created.id).await.unwrap(),
        BuildState::Building
    );
}

#[tokio::test]
async fn a_cancelled_build_leaves_nothing_and_may_be_cancelled_again() {
    let world = World::new().await;
    world.next_ends(BuildOutcome::Never);
    let created = world.create("ctx", 1, "one").await;
    assert_eq!(
        world.provider.status(&created.id).await.unwrap(),
        BuildState::Building
    );
    for _ in 0..2 {
        world.provider.cancel(&created.id).await.unwrap();
        assert_eq!(
            world.provider.status(&created.id).await.unwrap(),
            BuildState::Gone
        );
    }
    assert_eq!(world.really_there(), 0);
}

#[tokio::test]
async fn what_is_in_a_state_that_nobody_has_heard_of_can_be_cancelled() {
    let world = World::new().await;
    world.next_ends(state("PONDERING"));
    let created = world.create("ctx", 1, "one").await;
    until_pondering(&world, created.id.as_str()).await;
    world.provider.cancel(&created.id).await.unwrap();
    assert_eq!(world.really_there(), 0);
}

async fn until_pondering(world: &World, id: &str) {
    super::world::until("the build is in that state", async || {
        let told = world.simulator.state()["deployments"].to_string();
        (told.contains(id) && told.contains("PONDERING")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_cancel_that_comes_too_late_removes_what_was_built() {
    let world = World::new().await;
    let ready = world.ready("ctx", 1, "one").await;
    world.provider.cancel(&ready.id).await.unwrap();
    assert_eq!(world.really_there(), 0);
}

#[tokio::test]
async fn a_cancel_that_is_not_confirmed_is_an_error() {
    let world = World::new().await;
    world.next_ends(BuildOutcome::Never);
    let created = world.create("ctx", 1, "one").await;
    // It says yes, and does nothing.
    let said = FaultKind::Status {
        status: 200,
        code: None,
        message: None,
        is_done: false,
    };
    let fault = world
        .simulator
        .fault(Fault::new(said).on(Op::CancelDeployment));
    let error = world.provider.cancel(&created.id).await.unwrap_err();
    assert_eq!(error.failure, Failure::Retryable { after: None });
    assert_eq!(world.really_there(), 1);
    world.simulator.clear_fault(fault);
    world.provider.cancel(&created.id).await.unwrap();
    assert_eq!(world.really_there(), 0);
}

#[tokio::test]
async fn a_deleted_deployment_takes_its_alias_along_and_is_deleted_twice_in_peace() {
    let world = World::new().await;
    let ready = world.ready("ctx", 1, "one").await;
    assert!(
        world
            .provider
            .move_alias(&alias("ctx"), &ready.id)
            .await
            .unwrap()
    );
    for _ in 0..2 {
        world.provider.delete(&ready.id).await.unwrap();
        assert_eq!(world.provider.alias(&alias("ctx")).await.unwrap(), None);
        assert_eq!(world.provider.list(&key("ctx")).await.unwrap(), []);
    }
}

#[tokio::test]
async fn a_delete_whose_answer_was_lost_is_asked_again() {
    let world = World::new().await;
    let ready = world.ready("ctx", 1, "one").await;
    world.simulator.fault(
        Fault::new(FaultKind::ResetAfter)
            .on(Op::DeleteDeployment)
            .times(1),
    );
    world.provider.delete(&ready.id).await.unwrap();
    assert_eq!(world.really_there(), 0);
}

#[tokio::test]
async fn a_build_is_asked_after_in_vercels_own_rhythm() {
    let world = World::new().await;
    let every = |seconds| {
        world
            .provider
            .look_every(Duration::from_secs(seconds))
            .unwrap()
            .as_secs()
    };
    assert_eq!(
        [0, 14, 15, 59, 60, 299, 300, 3_000].map(every),
        [1, 1, 5, 5, 15, 15, 30, 30]
    );
}
