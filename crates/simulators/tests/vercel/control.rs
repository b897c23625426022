//! Control over HTTP.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{World, answered};

async fn control(world: &World, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
    let url = format!("{}/_simulator/{path}", world.simulator.api_url());
    let request = world.http.request(method, url);
    answered(match body {
        Some(body) => request.json(&body),
        None => request,
    })
    .await
}

#[tokio::test]
async fn the_ledger_tells_what_was_asked_and_never_the_token() {
    let world = World::start().await;
    world
        .post(
            "/v11/projects?teamId=team_simulator",
            json!({"name": "site"}),
        )
        .await;
    world.upload("hello").await;
    let (_, ledger) = control(&world, Method::GET, "ledger", None).await;
    assert_eq!(
        (&ledger[0]["operation"], &ledger[0]["status"]),
        (&json!("create_project"), &json!(200))
    );
    assert_eq!(ledger[0]["body"], json!({"json": {"name": "site"}}));
    assert_eq!(ledger[0]["query"], json!([["teamId", "team_simulator"]]));
    assert_eq!(ledger[1]["body"]["bytes"]["length"], 5);
    assert!(!ledger.to_string().contains("simulator-token"));
    let (_, of) = control(&world, Method::GET, "ledger?operation=upload_file", None).await;
    assert_eq!(of.as_array().unwrap().len(), 1);
    control(&world, Method::DELETE, "ledger", None).await;
    assert_eq!(
        control(&world, Method::GET, "ledger", None).await.1,
        json!([])
    );
}

#[tokio::test]
async fn faults_are_switched_on_and_off_and_unknown_ones_are_refused() {
    let world = World::start().await;
    let fault = json!({"operation": "get_user", "what": {"kind": "status", "status": 503}});
    let (status, told) = control(&world, Method::POST, "faults", Some(fault)).await;
    assert_eq!(status, 200, "{told}");
    assert_eq!(world.get("/v2/user").await.0, 503);
    let (_, standing) = control(&world, Method::GET, "faults", None).await;
    assert_eq!(
        (&standing[0]["applied"], &standing[0]["what"]["kind"]),
        (&json!(1), &json!("status"))
    );
    assert_eq!(
        control(
            &world,
            Method::DELETE,
            &format!("faults/{}", told["id"]),
            None
        )
        .await
        .0,
        200
    );
    assert_eq!(
        control(
            &world,
            Method::DELETE,
            &format!("faults/{}", told["id"]),
            None
        )
        .await
        .0,
        404
    );
    assert_eq!(world.get("/v2/user").await.0, 200);
    let unknown = json!({"operation": "get_usr", "what": {"kind": "hang"}});
    let (status, told) = control(&world, Method::POST, "faults", Some(unknown)).await;
    assert!(
        status == 400 && told["error"].as_str().unwrap().contains("get_user"),
        "{told}"
    );
}

#[tokio::test]
async fn knobs_are_turned_one_by_one() {
    let world = World::start().await;
    let patch =
        json!({"builds": {"next": [{"kind": "state", "state": "BLOCKED"}]}, "max_files": 7});
    let (status, knobs) = control(&world, Method::PUT, "knobs", Some(patch)).await;
    assert_eq!(
        (status, &knobs["max_files"], &knobs["builds"]["build_ms"]),
        (200, &json!(7), &json!(0))
    );
    assert_eq!(
        world.deploy(&[("index.html", "x")]).await["readyState"],
        "BLOCKED"
    );
    assert_eq!(
        control(&world, Method::PUT, "knobs", Some(json!({"max_file": 7})))
            .await
            .0,
        400
    );
    assert_eq!(
        control(&world, Method::GET, "knobs", None).await.1["max_files"],
        7
    );
}

#[tokio::test]
async fn the_state_and_a_vanished_deployment_are_within_reach() {
    let world = World::start().await;
    let created = world.deploy(&[("index.html", "x")]).await;
    let (_, state) = control(&world, Method::GET, "state", None).await;
    assert_eq!(
        (
            &state["deployments"][0]["id"],
            &state["projects"][0]["name"]
        ),
        (&created["id"], &json!("site"))
    );
    let path = format!("vanish/{}", created["id"].as_str().unwrap());
    assert_eq!(control(&world, Method::POST, &path, None).await.0, 200);
    assert_eq!(control(&world, Method::POST, &path, None).await.0, 404);
    let (_, help) = control(&world, Method::GET, "", None).await;
    assert_eq!(help["simulator"], "vercel");
    assert_eq!(control(&world, Method::GET, "nothing", None).await.0, 404);
}
