//! Who may ask, how much, and how refusals are worded.

use foreshow_simulators::core::{BuildOutcome, Fault, FaultKind};
use foreshow_simulators::deno::{DenoOperation, ErrorShape};
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{World, read};

#[tokio::test]
async fn only_the_organizations_token_is_accepted() {
    let world = World::start().await;
    let url = format!("{}/api/v2/apps", world.simulator.api_url());
    let ask = |token: &'static str| {
        let request = world.http.get(&url).bearer_auth(token);
        read(request.header("x-deno-org", "acme"))
    };
    assert_eq!(ask("ddo_simulator").await.status, 200);
    for token in ["ddo_wrong", "ddp_simulator", ""] {
        assert_eq!(ask(token).await.code(), (401, "INVALID_TOKEN"));
    }
    assert_eq!(
        read(world.http.get(&url)).await.code(),
        (401, "INVALID_TOKEN")
    );
    world.simulator.turn(|knobs| knobs.personal_tokens = true);
    assert_eq!(ask("ddp_simulator").await.status, 200);
}

#[tokio::test]
async fn errors_have_one_of_two_shapes() {
    let world = World::start().await;
    let flat = world.get("apps/nobody").await.body;
    assert!(flat["code"].is_string() && flat["message"].is_string());
    world
        .simulator
        .turn(|knobs| knobs.errors = ErrorShape::Nested);
    let nested = world.get("apps/nobody").await.body;
    assert_eq!(nested["error"]["code"], flat["code"]);
    assert_eq!(nested["code"], Value::Null);
    world.simulator.fault(Fault {
        operation: Some("list_apps".to_owned()),
        skip: 0,
        times: Some(1),
        what: FaultKind::Status {
            status: 503,
            code: None,
            message: None,
            is_done: false,
        },
    });
    let fault = world.get("apps").await;
    assert_eq!(fault.status, 503);
    assert!(fault.body["error"]["code"].is_string());
}

#[tokio::test]
async fn what_is_unknown_and_what_takes_another_method_differ() {
    let world = World::start().await;
    assert_eq!(world.get("projects").await.status, 404);
    assert_eq!(world.ask("PUT", "apps", json!({})).await.status, 405);
    let broken = world.request(Method::POST, "apps").body("{");
    assert_eq!(read(broken).await.code(), (400, "MALFORMED_REQUEST"));
}

#[tokio::test]
async fn a_deploy_that_is_too_large_is_refused_and_costs_nothing() {
    let world = World::with(|knobs| knobs.max_deploy_bytes = 200).await;
    world.app("shop").await;
    world.deploy("shop", "small", Value::Null).await;
    let body = json!({ "assets": { "x": { "content": "y".repeat(200) } } });
    let refused = world.ask("POST", "apps/shop/deploy", body).await;
    assert_eq!(refused.status, 413);
    assert_eq!(
        world
            .get("apps/shop/revisions")
            .await
            .body
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn deploys_are_counted_by_the_hour() {
    let world = World::with(|knobs| knobs.deployments_per_hour = Some(1)).await;
    world.app("shop").await;
    let id = world
        .deploy("shop", "one", json!({ "production": false }))
        .await;
    world.over(&id).await;
    world
        .done("DELETE", &format!("revisions/{id}"), Value::Null)
        .await;
    let body = json!({ "assets": { "index.html": { "content": "two" } } });
    assert_eq!(
        world.ask("POST", "apps/shop/deploy", body).await.status,
        429
    );
}

#[tokio::test]
async fn builds_wait_for_each_other() {
    let world = World::with(|knobs| {
        knobs.concurrent_builds = Some(1);
        knobs.builds.next = [BuildOutcome::Never].into();
    })
    .await;
    world.app("shop").await;
    let one = world.deploy("shop", "one", Value::Null).await;
    let two = world.deploy("shop", "two", Value::Null).await;
    let three = world.deploy("shop", "three", Value::Null).await;
    assert_eq!(world.revision(&one).await["status"], "building");
    assert_eq!(world.revision(&two).await["status"], "queued");
    world
        .done("POST", &format!("revisions/{two}/cancel"), Value::Null)
        .await;
    assert_eq!(world.over(&two).await["failure_reason"], "cancelled");
    assert_eq!(world.revision(&three).await["status"], "queued");
    world
        .done("POST", &format!("revisions/{one}/cancel"), Value::Null)
        .await;
    assert_eq!(world.over(&three).await["status"], "succeeded");
}

#[tokio::test]
async fn a_build_over_its_limit_times_out() {
    let world = World::with(|knobs| {
        knobs.build_limit_ms = 1;
        knobs.builds.build_ms = 2;
    })
    .await;
    world.app("shop").await;
    let id = world.deploy("shop", "x", Value::Null).await;
    assert_eq!(world.over(&id).await["failure_reason"], "timed_out");
}

#[tokio::test]
async fn retention_is_for_enterprises() {
    let world = World::start().await;
    world.app("shop").await;
    let id = world.deploy("shop", "x", Value::Null).await;
    let path = format!("revisions/{id}");
    let keep = json!({ "retention": "indefinite" });
    let refused = world.ask("PATCH", &path, keep.clone()).await;
    assert_eq!(refused.code(), (403, "REVISION_RETENTION_NOT_AVAILABLE"));
    world.simulator.turn(|knobs| knobs.retention = true);
    assert_eq!(
        world.done("PATCH", &path, keep).await["retention"],
        "indefinite"
    );
}

#[tokio::test]
async fn a_create_whose_answer_is_lost_was_done() {
    let world = World::start().await;
    world.simulator.fault(Fault {
        operation: Some("create_app".to_owned()),
        skip: 0,
        times: Some(1),
        what: FaultKind::ResetAfter,
    });
    let lost = world
        .request(Method::POST, "apps")
        .json(&json!({ "slug": "shop" }))
        .send()
        .await;
    assert!(lost.is_err());
    assert_eq!(world.get("apps/shop").await.status, 200);
    assert_eq!(
        world
            .ask("POST", "apps", json!({ "slug": "shop" }))
            .await
            .status,
        409
    );
    let calls = world.simulator.calls_of(DenoOperation::CreateApp);
    assert_eq!(
        calls.iter().map(|call| call.status).collect::<Vec<_>>(),
        [None, Some(409)]
    );
}
