//! Listing: filters and pages.

use serde_json::{Value, json};

use crate::harness::{World, code};

fn ids(listed: &Value) -> Vec<String> {
    let all = listed["deployments"].as_array().unwrap();
    all.iter()
        .map(|one| one["uid"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn pages_hold_everything_once_newest_first() {
    let world = World::start().await;
    let mut expected = Vec::new();
    for _ in 0..7 {
        expected.insert(
            0,
            world.deploy(&[("index.html", "x")]).await["id"]
                .as_str()
                .unwrap()
                .to_owned(),
        );
    }
    let (mut got, mut until) = (Vec::new(), String::new());
    loop {
        let (_, page) = world.get(&format!("/v6/deployments?limit=3{until}")).await;
        got.extend(ids(&page));
        assert_eq!(page["pagination"]["count"], ids(&page).len());
        match page["pagination"]["next"].as_u64() {
            Some(next) => until = format!("&until={next}"),
            None => break,
        }
    }
    assert_eq!(got, expected);
    let (_, all) = world.get("/v7/deployments?limit=100").await;
    let since = all["deployments"][2]["created"].as_u64().unwrap();
    assert_eq!(
        ids(&world.get(&format!("/v7/deployments?since={since}")).await.1),
        expected[..2]
    );
}

#[tokio::test]
async fn filters_go_by_mark_project_state_and_target() {
    let world = World::start().await;
    let of =
        |n: u32| json!({"meta": {"foreshowContext": format!("ctx-{n}"), "foreshowTenant": "acme"}});
    let one = world.deploy_with(&[("index.html", "x")], of(1)).await;
    let two = world.deploy_with(&[("index.html", "x")], of(2)).await;
    let other = world
        .deploy_with(
            &[("index.html", "x")],
            json!({"name": "other", "target": "production"}),
        )
        .await;
    let list = async |query: &str| ids(&world.get(&format!("/v7/deployments?{query}")).await.1);

    assert_eq!(
        list("meta-foreshowContext=ctx-1").await,
        [one["id"].as_str().unwrap()]
    );
    assert_eq!(
        list("meta-foreshowTenant=acme&meta-foreshowContext=ctx-2").await,
        [two["id"].as_str().unwrap()]
    );
    assert_eq!(
        list("projectId=other").await,
        [other["id"].as_str().unwrap()]
    );
    assert_eq!(
        list(&format!("projectId={}", one["projectId"].as_str().unwrap()))
            .await
            .len(),
        2
    );
    assert_eq!(
        list("target=production").await,
        [other["id"].as_str().unwrap()]
    );
    assert_eq!(list("state=READY").await.len(), 3);
    assert!(list("state=ERROR,CANCELED").await.is_empty());
    assert!(list("teamId=team_simulator").await.is_empty());
    let both = world
        .get("/v7/deployments?projectId=site&projectIds=other")
        .await;
    assert_eq!(code(&both), (400, "bad_request"));

    world.simulator.turn(|knobs| knobs.filters_by_meta = false);
    assert_eq!(
        list("meta-foreshowContext=ctx-1").await.len(),
        3,
        "the filter is not in the reference"
    );
}

#[tokio::test]
async fn projects_are_made_once_listed_and_removed_with_all_that_is_theirs() {
    let world = World::start().await;
    let (status, made) = world
        .post(
            "/v11/projects",
            json!({"name": "site", "framework": "vite"}),
        )
        .await;
    assert_eq!(
        (status, &made["ssoProtection"]["deploymentType"]),
        (200, &json!("preview"))
    );
    assert_eq!(
        world.post("/v1/projects", json!({"name": "site"})).await.0,
        409,
        "old paths go on answering"
    );
    assert_eq!(
        code(&world.post("/v11/projects", json!({"name": "a---b"})).await),
        (400, "invalid_name")
    );
    assert_eq!(world.get("/v9/projects/site").await.1["id"], made["id"]);
    let (status, unversioned) = world.get("/projects/site").await;
    assert_eq!(
        (status, &unversioned["id"]),
        (200, &made["id"]),
        "and so do paths without a version: {unversioned}"
    );
    assert_eq!(
        world.get("/v10/projects").await.1["projects"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let created = world.deploy(&[("index.html", "x")]).await;
    assert_eq!(created["projectId"], made["id"]);
    assert_eq!(world.delete("/v9/projects/site").await.0, 204);
    assert_eq!(world.get("/v9/projects/site").await.0, 404);
    assert_eq!(
        world
            .get(&format!(
                "/v13/deployments/{}",
                created["id"].as_str().unwrap()
            ))
            .await
            .0,
        404
    );
}

#[tokio::test]
async fn environment_variables_are_not_told_twice() {
    let world = World::start().await;
    world.post("/v11/projects", json!({"name": "site"})).await;
    let variable = |value: &str| json!({"key": "API", "value": value, "type": "sensitive", "target": ["preview"]});
    let (status, made) = world
        .post("/v10/projects/site/env", variable("very-secret"))
        .await;
    assert_eq!(status, 201, "{made}");
    assert_eq!(
        code(
            &world
                .post("/v10/projects/site/env", variable("again"))
                .await
        ),
        (403, "ENV_ALREADY_EXISTS")
    );
    assert_eq!(
        world
            .post("/v10/projects/site/env?upsert=true", variable("again"))
            .await
            .0,
        201
    );
    let (_, listed) = world.get("/v10/projects/site/env?decrypt=true").await;
    assert_eq!(listed["envs"].as_array().unwrap().len(), 1);
    assert!(!listed.to_string().contains("again"));
    let id = made["created"]["id"].as_str().unwrap();
    assert_eq!(
        world.delete(&format!("/v9/projects/site/env/{id}")).await.0,
        200
    );
    assert_eq!(
        world.get(&format!("/v1/projects/site/env/{id}")).await.0,
        404
    );
    let no_target = json!({"key": "B", "value": "", "type": "plain"});
    assert_eq!(world.post("/v10/projects/site/env", no_target).await.0, 400);
}

#[tokio::test]
async fn a_wrong_token_and_a_foreign_team_are_refused() {
    let world = World::start().await;
    let url = format!("{}/v2/user", world.simulator.api_url());
    let wrong = crate::harness::answered(world.http.get(&url).bearer_auth("wrong")).await;
    assert_eq!(
        (code(&wrong), &wrong.1["error"]["invalidToken"]),
        ((403, "forbidden"), &json!(true))
    );
    assert_eq!(
        code(&crate::harness::answered(world.http.get(&url)).await),
        (403, "forbidden")
    );
    assert_eq!(
        world.get("/v2/user").await.1["user"]["username"],
        "simulator"
    );
    assert_eq!(world.get("/v2/teams").await.1["teams"][0]["slug"], "acme");
    assert_eq!(world.get("/v7/deployments?teamId=team_other").await.0, 403);
    assert_eq!(code(&world.get("/v13/nothing").await), (404, "not_found"));
    let authorized: Vec<_> = world
        .simulator
        .ledger()
        .iter()
        .map(|call| call.is_authorized)
        .collect();
    assert_eq!(authorized, [false, false, true, true, true, true]);
}
