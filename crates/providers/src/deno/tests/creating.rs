//! What a create sends, and what becomes of one whose answer was lost.

use std::collections::BTreeMap;

use foreshow_contract::{App, Encoding, Framework, Secret};
use foreshow_engine::{BuildState, Failure, code};
use foreshow_simulators::{
    core::{Fault, FaultKind},
    deno::DenoOperation,
};
use reqwest::Method;
use serde_json::{Value, json};

use super::world::{World, alias, files, name, tree};
use crate::deno::tags::slug;

fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, Secret> {
    let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), Secret::new(*value));
    pairs.iter().map(pair).collect()
}

#[tokio::test]
async fn a_deployment_is_reached_at_its_own_host_with_the_very_files() {
    let world = World::new().await;
    let tree = files(&[
        ("index.html", "<h1>hello</h1>", Encoding::Utf8),
        ("logo.png", "iVBORw3/", Encoding::Base64),
    ]);
    let created = world
        .create_with("ctx", 7, &tree, &App::default(), &BTreeMap::new())
        .await
        .unwrap();
    assert_eq!(
        (created.bytes_uploaded, created.bytes_reused),
        (tree.total_bytes(), 0)
    );
    let deployment = world.until_ready(created.deployment).await;
    assert!(world.serves(&deployment, "<h1>hello</h1>").await);
    assert!(!world.serves(&deployment, "<h1>other</h1>").await);

    let app = slug(&alias("ctx"));
    let url = foreshow_engine::Provider::url(&world.provider, &deployment.address);
    let revision = deployment.id.as_str().split_once(':').unwrap().1;
    let port = world.simulator.address().port();
    assert_eq!(
        url,
        format!("http://{app}-{revision}.acme.localhost:{port}")
    );

    let deploys = world.simulator.calls_of(DenoOperation::Deploy);
    let [deploy] = deploys.as_slice() else {
        panic!("one push: {deploys:?}");
    };
    let body = deploy.json();
    assert_eq!(body["production"], false);
    assert_eq!(body["preview"], true);
    assert_eq!(body["assets"]["logo.png"]["encoding"], "base64");
    assert_eq!(
        body["config"],
        json!({ "runtime": { "type": "static", "cwd": ".", "spa": false } })
    );
    assert_eq!(body["env_vars"], Value::Null);
}

#[tokio::test]
async fn a_context_has_one_app_and_each_revision_a_host_of_its_own() {
    let world = World::new().await;
    let first = world.ready("ctx", 1, "one").await;
    let second = world.ready("ctx", 2, "two").await;
    assert_eq!(world.apps(), [slug(&alias("ctx"))]);
    assert_eq!(world.calls(DenoOperation::CreateApp), 1);
    assert!(world.serves(&first, "one").await);
    assert!(world.serves(&second, "two").await);
}

#[tokio::test]
async fn the_environment_is_the_apps_secret_and_follows_the_newest_revision() {
    let world = World::new().await;
    let create = async |revision, env: &BTreeMap<String, Secret>| {
        let app = App::default();
        let created = world
            .create_with("ctx", revision, &tree("x"), &app, env)
            .await;
        world.until_ready(created.unwrap().deployment).await
    };
    create(1, &env(&[("A", "a-1"), ("B", "b-1")])).await;
    create(2, &env(&[("A", "a-2"), ("C", "c-2")])).await;
    let app = &world.simulator.state()["apps"][0];
    let mut told: Vec<_> = app["env_vars"].as_array().unwrap().iter().collect();
    told.sort_by_key(|one| one["key"].as_str());
    let keys: Vec<_> = told
        .iter()
        .map(|one| one["key"].as_str().unwrap())
        .collect();
    assert_eq!(keys, ["A", "C"]);
    assert!(
        told.iter()
            .all(|one| one["secret"] == true && one["contexts"] == "all"),
        "{told:?}"
    );

    create(3, &env(&[])).await;
    let app = &world.simulator.state()["apps"][0];
    assert_eq!(app["env_vars"].as_array().unwrap().len(), 0);
    for deploy in world.simulator.calls_of(DenoOperation::Deploy) {
        let body = deploy.json().to_string();
        assert!(!body.contains("a-2") && !body.contains("c-2"), "{body}");
    }
}

#[tokio::test]
async fn what_the_platform_cannot_host_is_refused_before_anything_is_made() {
    let world = World::new().await;
    let server = App {
        framework: Framework::Deno,
        ..App::default()
    };
    let nothing = BTreeMap::new();
    let bad_env = env(&[("LD_PRELOAD", "hunter2")]);
    let static_files = App::default();
    for (app, env, word) in [
        (&server, &nothing, "entrypoint"),
        (&static_files, &bad_env, "LD_PRELOAD"),
    ] {
        let error = world
            .create_with("ctx", 1, &tree("x"), app, env)
            .await
            .unwrap_err();
        assert_eq!(error.failure, Failure::Permanent(code::PROVIDER_REFUSED));
        assert!(
            error.message.contains(word) && !error.message.contains("hunter2"),
            "{error}"
        );
    }
    assert!(world.story().is_empty());
}

#[tokio::test]
async fn an_app_whose_making_was_not_answered_is_used_as_it_is() {
    for what in [
        FaultKind::ResetAfter,
        FaultKind::Html {
            status: 502,
            is_done: true,
        },
        FaultKind::MalformedJson,
    ] {
        let world = World::new().await;
        world.simulator.fault(
            Fault::new(what.clone())
                .on(DenoOperation::CreateApp)
                .times(1),
        );
        let deployment = world.ready("ctx", 1, "hello").await;
        assert!(world.serves(&deployment, "hello").await);
        assert_eq!(world.apps().len(), 1);
        assert_eq!(world.calls(DenoOperation::CreateApp), 1, "{what:?}");
    }
}

#[tokio::test]
async fn an_app_that_was_not_made_is_no_deployment() {
    let world = World::new().await;
    world
        .simulator
        .fault(Fault::status(503).on(DenoOperation::CreateApp).times(1));
    let error = world.try_create("ctx", 1, "hello").await.unwrap_err();
    assert_eq!(error.failure, Failure::ProviderDown);
    assert_eq!(world.apps().len(), 0);
    world.ready("ctx", 1, "hello").await;
}

#[tokio::test]
async fn a_push_whose_answer_was_lost_is_not_repeated_and_is_found_by_its_labels() {
    for what in [
        FaultKind::ResetAfter,
        FaultKind::Html {
            status: 502,
            is_done: true,
        },
        FaultKind::MalformedJson,
    ] {
        let world = World::new().await;
        world
            .simulator
            .fault(Fault::new(what.clone()).on(DenoOperation::Deploy).times(1));
        let error = world.try_create("ctx", 7, "hello").await.unwrap_err();
        assert_eq!(error.failure, Failure::ProviderDown, "{error}");
        assert_eq!(world.calls(DenoOperation::Deploy), 1, "{what:?}");
        let listed = world.list("ctx").await;
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0].revision.get(), 7);
        let found = world.until_ready(listed[0].clone()).await;
        assert!(world.serves(&found, "hello").await);
    }
}

#[tokio::test]
async fn an_app_of_somebody_elses_is_left_alone() {
    let world = World::new().await;
    let slug = slug(&alias("ctx"));
    let theirs = json!({ "slug": slug, "labels": { "custom.team": "web" } });
    world.by_hand(Method::POST, "/v2/apps", theirs).await;
    world.story();
    let error = world.try_create("ctx", 1, "hello").await.unwrap_err();
    assert_eq!(error.failure, Failure::Permanent(code::PROVIDER_REFUSED));
    assert!(!error.message.contains(&slug), "{error}");
    assert_eq!(world.story(), [name(DenoOperation::GetApp)]);
}

#[tokio::test]
async fn an_app_that_another_made_meanwhile_is_used_if_it_is_ours() {
    let world = World::new().await;
    let first = world.ready("ctx", 1, "one").await;
    // As if it had been made between our look and our making it.
    world
        .simulator
        .fault(Fault::status(404).on(DenoOperation::GetApp).times(1));
    let second = world.ready("ctx", 2, "two").await;
    assert_eq!(world.calls(DenoOperation::CreateApp), 2);
    assert_eq!(world.apps().len(), 1);
    assert!(world.serves(&first, "one").await && world.serves(&second, "two").await);
}

#[tokio::test]
async fn an_app_that_went_away_under_a_push_is_made_anew_by_the_next_attempt() {
    let world = World::new().await;
    world
        .simulator
        .fault(Fault::status(404).on(DenoOperation::Deploy).times(1));
    let error = world.try_create("ctx", 1, "hello").await.unwrap_err();
    assert_eq!(error.failure, Failure::Retryable { after: None });
    let created = world.create("ctx", 1, "hello").await;
    assert_eq!(world.until_built(&created).await, BuildState::Ready);
}

#[tokio::test]
async fn a_name_that_a_deleted_app_keeps_is_told_as_that() {
    let world = World::new().await;
    world
        .simulator
        .fault(Fault::status(409).on(DenoOperation::CreateApp));
    let error = world.try_create("ctx", 1, "hello").await.unwrap_err();
    assert_eq!(error.failure, Failure::Permanent(code::PROVIDER_REFUSED));
    let beneath = error.source.unwrap().to_string();
    assert!(beneath.contains("30 days"), "{beneath}");
    assert_eq!(world.calls(DenoOperation::Deploy), 0);
}
