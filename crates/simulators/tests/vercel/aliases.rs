//! Aliases: moved, listed, removed, and gone with what they showed.

use foreshow_simulators::core::BuildOutcome;
use serde_json::json;

use crate::harness::{World, code};

#[tokio::test]
async fn an_alias_shows_the_deployment_it_was_given_last() {
    let world = World::start().await;
    let first = world.deploy(&[("index.html", "first")]).await;
    let second = world.deploy(&[("index.html", "second")]).await;
    world.open_previews().await;
    let assign = async |id: &serde_json::Value, alias: &str| {
        world
            .post(
                &format!("/v2/deployments/{}/aliases", id.as_str().unwrap()),
                json!({"alias": alias}),
            )
            .await
    };
    let (status, told) = assign(&first["id"], "ctx-42").await;
    assert_eq!(status, 200, "{told}");
    let host = told["alias"].as_str().unwrap().to_owned();
    assert_eq!(
        host,
        format!("ctx-42.localhost:{}", world.simulator.address().port())
    );
    assert_eq!(world.visit(&host, "/").await.body, "first");

    let (_, moved) = assign(&second["id"], &host).await;
    assert_eq!(
        (&moved["uid"], &moved["oldDeploymentId"]),
        (&told["uid"], &first["id"])
    );
    assert_eq!(world.visit(&host, "/").await.body, "second");
    assert_eq!(
        code(&assign(&second["id"], &host).await),
        (409, "not_modified")
    );

    let (_, by_host) = world.get(&format!("/v4/aliases/{host}")).await;
    assert_eq!(
        (&by_host["deploymentId"], &by_host["deployment"]["url"]),
        (&second["id"], &second["url"])
    );
    let (_, of) = world
        .get(&format!(
            "/v2/deployments/{}/aliases",
            second["id"].as_str().unwrap()
        ))
        .await;
    assert_eq!(
        of["aliases"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|one| one["alias"] == host)
            .count(),
        1
    );

    let gone = world
        .delete(&format!("/v2/aliases/{}", told["uid"].as_str().unwrap()))
        .await;
    assert_eq!(gone, (200, json!({"status": "SUCCESS"})));
    assert_eq!(
        world.visit(&host, "/").await.error.as_deref(),
        Some("DEPLOYMENT_NOT_FOUND")
    );
    assert_eq!(world.get(&format!("/v4/aliases/{host}")).await.0, 404);
}

#[tokio::test]
async fn an_alias_goes_with_its_deployment() {
    let world = World::start().await;
    let created = world.deploy(&[("index.html", "x")]).await;
    let id = created["id"].as_str().unwrap();
    world
        .post(
            &format!("/v2/deployments/{id}/aliases"),
            json!({"alias": "ctx-42.vercel.app"}),
        )
        .await;
    let (_, listed) = world.get("/v4/aliases?projectId=site").await;
    assert_eq!(
        listed["aliases"].as_array().unwrap().len(),
        2,
        "its own and the one that was given: {listed}"
    );
    world.delete(&format!("/v13/deployments/{id}")).await;
    assert_eq!(world.get("/v4/aliases").await.1["aliases"], json!([]));
}

#[tokio::test]
async fn what_cannot_have_an_alias_is_told_by_code() {
    let world = World::start().await;
    let ready = world.deploy(&[("index.html", "x")]).await;
    world
        .simulator
        .turn(|knobs| knobs.builds.next.push_back(BuildOutcome::Never));
    let building = world.deploy(&[("index.html", "x")]).await;
    for (id, alias, expected) in [
        (&building["id"], "ctx-1", (400, "deployment_not_ready")),
        (&json!("dpl_nobody"), "ctx-1", (404, "deployment_not_found")),
        (&ready["id"], "-bad-.vercel.app", (400, "invalid_alias")),
        (
            &ready["id"],
            &format!("{}.vercel.app", "x".repeat(64)),
            (400, "invalid_alias"),
        ),
        (&ready["id"], "www.example.com", (404, "domain_not_found")),
    ] {
        let path = format!("/v2/deployments/{}/aliases", id.as_str().unwrap());
        assert_eq!(
            code(&world.post(&path, json!({"alias": alias})).await),
            expected,
            "{alias}"
        );
    }
}

#[tokio::test]
async fn production_has_the_projects_own_host() {
    let world = World::start().await;
    world
        .deploy_with(&[("index.html", "one")], json!({"target": "production"}))
        .await;
    let host = format!("site.localhost:{}", world.simulator.address().port());
    assert_eq!(world.visit(&host, "/").await.body, "one");
    world.deploy(&[("index.html", "preview")]).await;
    assert_eq!(world.visit(&host, "/").await.body, "one");
    world
        .deploy_with(&[("index.html", "two")], json!({"target": "production"}))
        .await;
    assert_eq!(world.visit(&host, "/").await.body, "two");
}
