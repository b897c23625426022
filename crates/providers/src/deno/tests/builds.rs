//! How builds stand, and how they are told to have failed.

use foreshow_contract::{App, Encoding, Framework};
use foreshow_engine::{BuildState, Probe, ProbeQuestion, Provider as _};
use foreshow_simulators::{
    core::{BuildOutcome, Fault},
    deno::{DenoKnobs, DenoOperation, StreamForm},
};

use super::world::{World, files, until};

fn failing(knobs: &mut DenoKnobs) {
    let log = (1..=60)
        .map(|n| format!("line {n} of the compiler"))
        .collect();
    knobs.builds.outcome = BuildOutcome::Failed { log };
}

fn state(knobs: &mut DenoKnobs, state: &str) {
    knobs.builds.outcome = BuildOutcome::State {
        state: state.to_owned(),
    };
}

async fn log_of(world: &World) -> Vec<String> {
    let created = world.create("ctx", 1, "x").await;
    match world.until_built(&created).await {
        BuildState::Failed { log_tail } => log_tail,
        other => panic!("it should have failed: {other:?}"),
    }
}

#[tokio::test]
async fn a_build_is_not_ready_as_long_as_its_host_is_not_told() {
    let world = World::with(|knobs| knobs.routing_ms = 3_600_000).await;
    let created = world.create("ctx", 1, "hello").await;
    until(async || {
        let state = world.simulator.state().to_string();
        state.contains("succeeded").then_some(())
    })
    .await;
    let state = world.provider.status(&created.id).await.unwrap();
    assert_eq!(state, BuildState::Building);
    assert_eq!(world.provider.locate(&created).await.unwrap(), None);
    assert_eq!(world.list("ctx").await[0].state, BuildState::Building);
    let question = ProbeQuestion {
        path: "/",
        expected: None,
    };
    let probe = world.provider.probe(&created, question).await.unwrap();
    assert!(matches!(probe, Probe::NotYet { .. }), "{probe:?}");
}

#[tokio::test]
async fn a_build_is_ready_once_its_host_is_told() {
    let world = World::with(|knobs| knobs.routing_ms = 300).await;
    let ready = world.ready("ctx", 1, "hello").await;
    assert!(world.serves(&ready, "hello").await);
}

#[tokio::test]
async fn a_failed_build_brings_the_end_of_its_log_in_either_form_of_stream() {
    for form in [StreamForm::AsAsked, StreamForm::Ndjson] {
        let world = World::with(|knobs| {
            failing(knobs);
            knobs.streams = form;
        })
        .await;
        let log = log_of(&world).await;
        assert!(log.len() <= 52, "{log:?}");
        assert!(
            log.contains(&"line 60 of the compiler".to_owned()),
            "{log:?}"
        );
        assert!(
            !log.contains(&"line 1 of the compiler".to_owned()),
            "{log:?}"
        );
    }
}

#[tokio::test]
async fn a_log_that_breaks_off_or_is_refused_does_not_hide_the_failure() {
    let world = World::with(|knobs| {
        failing(knobs);
        knobs.cut_streams = [2].into();
    })
    .await;
    assert!(!log_of(&world).await.is_empty());

    let world = World::with(failing).await;
    world
        .simulator
        .fault(Fault::status(404).on(DenoOperation::BuildLogs));
    assert!(
        log_of(&world)
            .await
            .iter()
            .any(|line| line.contains("did not give"))
    );
}

#[tokio::test]
async fn every_way_to_fail_says_what_happened() {
    for (word, said) in [
        ("boot_failed", "Deno.serve"),
        ("boot_internal", "warmup"),
        ("timed_out", "longer"),
        ("cancelled", "cancelled"),
        ("skipped", "skipped"),
    ] {
        let world = World::with(|knobs| state(knobs, word)).await;
        let log = log_of(&world).await;
        assert!(
            log.iter().any(|line| line.contains(said)),
            "{word}: {log:?}"
        );
    }
}

#[tokio::test]
async fn a_server_without_its_file_is_refused_and_one_with_it_is_deployed() {
    let world = World::new().await;
    let app = App {
        framework: Framework::Deno,
        ..App::default()
    };
    let tree = files(&[(
        "main.ts",
        "Deno.serve(() => new Response('hi'))",
        Encoding::Utf8,
    )]);
    let created = world
        .create_with("ctx", 1, &tree, &app, &std::collections::BTreeMap::new())
        .await;
    world.until_ready(created.unwrap().deployment).await;
    let deploy = &world.simulator.calls_of(DenoOperation::Deploy)[0];
    assert_eq!(deploy.json()["config"]["runtime"]["entrypoint"], "main.ts");
    assert_eq!(deploy.json()["config"]["install"], "deno install");
}

#[tokio::test]
async fn a_status_that_nobody_has_heard_of_is_watched_on() {
    let world = World::with(|knobs| state(knobs, "hibernating")).await;
    let created = world.create("ctx", 1, "x").await;
    until(async || {
        world
            .simulator
            .state()
            .to_string()
            .contains("hibernating")
            .then_some(())
    })
    .await;
    assert_eq!(
        world.provider.status(&created.id).await.unwrap(),
        BuildState::Building
    );
    world.provider.delete(&created.id).await.unwrap();
    assert_eq!(
        world.provider.status(&created.id).await.unwrap(),
        BuildState::Gone
    );
}

#[tokio::test]
async fn what_was_removed_there_is_gone() {
    let world = World::new().await;
    let ready = world.ready("ctx", 1, "x").await;
    let revision = ready.id.as_str().split_once(':').unwrap().1;
    assert!(world.simulator.vanish(revision));
    assert_eq!(
        world.provider.status(&ready.id).await.unwrap(),
        BuildState::Gone
    );
    assert!(world.list("ctx").await.is_empty());
    assert!(!world.serves(&ready, "x").await);
    world.provider.delete(&ready.id).await.unwrap();
    let foreign = "dpl_of_somebody_else".into();
    assert_eq!(
        world.provider.status(&foreign).await.unwrap(),
        BuildState::Gone
    );
    world.provider.delete(&foreign).await.unwrap();
}
