//! Creating: what is uploaded, what is sent along, what is never done twice.

use std::collections::BTreeMap;
use std::sync::Arc;

use foreshow_bundle::{Limits, tree_from_bundle};
use foreshow_contract::{App, Framework, Secret};
use foreshow_engine::{BuildState, Failure, Provider as _, code};
use foreshow_simulators::core::{Fault, FaultKind};
use foreshow_simulators::vercel::VercelOperation as Op;
use serde_json::json;

use super::world::{World, create_with, key, site, tree};

#[tokio::test]
async fn a_site_is_uploaded_once_and_then_only_what_is_new() {
    let world = World::new().await;
    let created = world.try_create("ctx", 1, &site("hello")).await.unwrap();
    assert_eq!((created.bytes_uploaded, created.bytes_reused), (11, 0));
    assert_eq!(world.calls(Op::UploadFile), 2);
    let again = world.try_create("ctx", 2, &site("other")).await.unwrap();
    assert_eq!((again.bytes_uploaded, again.bytes_reused), (5, 6));
    let same = world.try_create("ctx", 3, &site("hello")).await.unwrap();
    assert_eq!((same.bytes_uploaded, same.bytes_reused), (0, 11));
    assert_eq!(world.calls(Op::UploadFile), 3);
    assert_eq!(world.calls(Op::CreateDeployment), 2 + 2 + 1);
    assert_eq!(world.calls(Op::CreateProject), 1);
    let ids = [created, again, same].map(|created| created.deployment.id);
    assert!(ids[0] != ids[1] && ids[1] != ids[2], "{ids:?}");
}

#[tokio::test]
async fn the_same_content_under_two_names_is_uploaded_once() {
    let world = World::new().await;
    let twins = tree(&[("a.css", "body{}"), ("b.css", "body{}")]);
    let created = world.try_create("ctx", 1, &twins).await.unwrap();
    assert_eq!((created.bytes_uploaded, created.bytes_reused), (6, 6));
    assert_eq!(world.calls(Op::UploadFile), 1);
}

#[tokio::test]
async fn a_few_pages_go_along_in_one_call() {
    let world = World::new().await;
    let page = tree(&[("index.html", "<h1>ü</h1>")]);
    let created = world.try_create("ctx", 1, &page).await.unwrap();
    assert_eq!((created.bytes_uploaded, created.bytes_reused), (11, 0));
    assert_eq!(world.calls(Op::UploadFile), 0);
    assert_eq!(world.calls(Op::CreateDeployment), 1);
}

#[tokio::test]
async fn a_bundles_files_are_read_from_where_they_are() {
    let world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("site");
    std::fs::create_dir(&source).unwrap();
    let page = "x".repeat(200_000);
    std::fs::write(source.join("index.html"), &page).unwrap();
    std::fs::write(source.join("app.js"), "let a = 1;").unwrap();
    let (bundle, limits) = (folder.path().join("bundle.tar"), Limits::default());
    let mut file = std::fs::File::create(&bundle).unwrap();
    let packed = foreshow_bundle::pack(&source, &limits, &mut file).unwrap();
    let tree = tree_from_bundle(&bundle, packed.sha256, &limits).unwrap();
    let created = world.try_create("ctx", 1, &Arc::new(tree)).await.unwrap();
    assert_eq!(created.bytes_uploaded, 200_010);
    assert_eq!(
        world.until_built(&created.deployment).await,
        BuildState::Ready
    );
}

#[tokio::test]
async fn what_is_asked_for_is_as_the_app_says() {
    let world = World::new().await;
    let env = BTreeMap::from([("API".to_owned(), Secret::new("https://api.example"))]);
    let next = App {
        framework: Framework::Next,
        build_command: Some("npm run build".into()),
        output_directory: Some("out".into()),
        ..App::default()
    };
    create_with(&world.provider, "ctx", 7, &site("a"), &next, &env)
        .await
        .unwrap();
    let body = world.last_create();
    let settings = json!({
        "framework": "nextjs", "buildCommand": "npm run build", "installCommand": null, "outputDirectory": "out"
    });
    assert_eq!(body["projectSettings"], settings);
    assert_eq!(body["env"]["API"], "https://api.example");
    assert_eq!(body["build"]["env"]["API"], "https://api.example");
    assert_eq!(body["meta"]["foreshowTenant"], "acme");
    assert_eq!(body["meta"]["foreshowContext"], "ctx");
    assert_eq!(body["meta"]["foreshowRevision"], "7");
    let call = &world.simulator.calls_of(Op::CreateDeployment)[0];
    assert_eq!(call.query("forceNew"), Some("1"));
    assert_eq!(call.query("withCache"), Some("1"));
    assert_eq!(call.query("skipAutoDetectionConfirmation"), Some("1"));
    assert_eq!(call.query("teamId"), None);

    let spa = App {
        spa_fallback: true,
        ..App::default()
    };
    create_with(
        &world.provider,
        "ctx",
        8,
        &site("a"),
        &spa,
        &BTreeMap::new(),
    )
    .await
    .unwrap();
    let body = world.last_create();
    assert_eq!(body["projectSettings"]["buildCommand"], "");
    assert_eq!(body.get("env"), None);
    assert_eq!(body["files"][2]["file"], "vercel.json");
}

#[tokio::test]
async fn every_call_is_in_the_teams_scope() {
    let world = World::with(|settings| settings.team_slug = Some("acme".into())).await;
    let deployment = world.ready("ctx", 1, "hello").await;
    world.provider.cancel(&deployment.id).await.unwrap();
    for call in world.simulator.ledger() {
        assert_eq!(call.query("slug"), Some("acme"), "{}", call.operation);
    }
    assert_eq!(world.provider.account().unwrap().as_str(), "vercel/acme");
}

#[tokio::test]
async fn a_create_whose_answer_was_lost_is_not_sent_again_and_is_found_by_its_tags() {
    let world = World::new().await;
    world.create("other", 1, "hello").await;
    world.simulator.fault(
        Fault::new(FaultKind::ResetAfter)
            .on(Op::CreateDeployment)
            .times(1),
    );
    let error = world
        .try_create("ctx", 1, &site("hello"))
        .await
        .unwrap_err();
    assert_eq!(error.failure, Failure::ProviderDown);
    assert_eq!(world.calls(Op::CreateDeployment), 2 + 1);
    assert_eq!(world.provider.list(&key("ctx")).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_upload_that_fails_for_a_moment_is_made_again() {
    let world = World::new().await;
    world
        .simulator
        .fault(Fault::status(503).on(Op::UploadFile).times(1));
    world.simulator.fault(
        Fault::new(FaultKind::ResetBefore)
            .on(Op::UploadFile)
            .times(1),
    );
    let created = world.try_create("ctx", 1, &site("hello")).await.unwrap();
    assert_eq!(created.bytes_uploaded, 11);
    assert_eq!(world.calls(Op::UploadFile), 4);
}

#[tokio::test]
async fn uploads_that_are_never_seen_end_in_an_error() {
    let world = World::new().await;
    let lost = FaultKind::Status {
        status: 200,
        code: None,
        message: None,
        is_done: false,
    };
    world.simulator.fault(Fault::new(lost).on(Op::UploadFile));
    let error = world
        .try_create("ctx", 1, &site("hello"))
        .await
        .unwrap_err();
    assert_eq!(error.failure, Failure::Retryable { after: None });
    assert_eq!(world.calls(Op::CreateDeployment), 4);
    assert_eq!(world.really_there(), 0);
}

#[tokio::test]
async fn a_project_that_went_is_made_anew() {
    let world = World::new().await;
    let first = world.create("ctx", 1, "hello").await;
    world.provider.delete(&first.id).await.unwrap();
    // As an operator would, in Vercel's dashboard.
    let url = format!(
        "{}/v9/projects/foreshow-previews",
        world.simulator.api_url()
    );
    let client = foreshow_tls::inward().build().unwrap();
    let answer = client
        .delete(url)
        .bearer_auth("simulator-token")
        .send()
        .await
        .unwrap();
    assert!(answer.status().is_success());
    world.create("ctx", 2, "hello").await;
    assert_eq!(world.calls(Op::CreateProject), 2);
}

#[tokio::test]
async fn a_context_may_have_a_project_of_its_own_which_goes_with_its_last_deployment() {
    let world = World::with(|settings| settings.project_per_context = true).await;
    let one = world.create("one", 1, "hello").await;
    let more = world.create("one", 2, "hello").await;
    let other = world.create("other", 1, "hello").await;
    let projects = || {
        world.simulator.state()["projects"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(projects(), 2);
    assert_eq!(
        world
            .provider
            .inventory(None)
            .await
            .unwrap()
            .deployments
            .len(),
        3
    );
    world.provider.delete(&one.id).await.unwrap();
    assert_eq!(projects(), 2);
    world.provider.delete(&more.id).await.unwrap();
    assert_eq!(projects(), 1);
    assert_eq!(world.provider.list(&key("one")).await.unwrap(), []);
    world.create("one", 3, "hello").await;
    assert_eq!(projects(), 2);
    assert_eq!(
        world.provider.list(&key("other")).await.unwrap()[0].id,
        other.id
    );
}

#[tokio::test]
async fn what_is_too_much_for_it_is_told_as_that() {
    let world = World::new().await;
    world.turn(|knobs| knobs.max_files = 1);
    let error = world
        .try_create("ctx", 1, &site("hello"))
        .await
        .unwrap_err();
    assert_eq!(
        error.failure,
        Failure::Permanent(code::TOO_LARGE_FOR_PROVIDER)
    );
    world.turn(|knobs| {
        knobs.max_files = 10;
        knobs.max_source_bytes = 1;
    });
    let error = world
        .try_create("ctx", 1, &site("hello"))
        .await
        .unwrap_err();
    assert_eq!(
        error.failure,
        Failure::Permanent(code::TOO_LARGE_FOR_PROVIDER)
    );
    assert_eq!(
        error.message,
        "the files are larger, or more, than it takes"
    );
}
