//! From files to a deployment.

use foreshow_simulators::vercel::VercelOperation;
use serde_json::json;

use crate::harness::{World, answered, body, code, sha};

#[tokio::test]
async fn what_is_missing_is_told_once_and_uploaded_once() {
    let world = World::start().await;
    let file = |path: &str, text: &str| json!({"file": path, "sha": sha(text), "size": text.len(), "mode": 33188});
    let wanted = json!({
        "name": "site",
        "version": 2,
        "source": "cli",
        "files": [file("index.html", "hello"), file("a/copy.html", "hello"), file("app.js", "1")],
        "projectSettings": {"framework": null},
    });

    let refused = world.post("/v13/deployments", wanted.clone()).await;
    assert_eq!(code(&refused), (400, "missing_files"));
    assert_eq!(
        refused.1["error"]["missing"],
        json!([sha("hello"), sha("1")])
    );
    assert_eq!(
        world.get("/v7/deployments").await.1["deployments"],
        json!([])
    );

    assert_eq!(world.upload("hello").await.0, 200);
    assert_eq!(world.upload("hello").await.0, 200);
    let still = world.post("/v13/deployments", wanted.clone()).await;
    assert_eq!(still.1["error"]["missing"], json!([sha("1")]));
    assert_eq!(world.upload("1").await.0, 200);

    let (status, created) = world.post("/v13/deployments", wanted).await;
    assert_eq!(status, 200, "{created}");
    world.open_previews().await;
    let page = world
        .visit(created["url"].as_str().unwrap(), "/a/copy.html")
        .await;
    assert_eq!((page.status, page.body.as_str()), (200, "hello"));
    assert_eq!(
        world.simulator.calls_of(VercelOperation::UploadFile).len(),
        3
    );
}

#[tokio::test]
async fn uploads_with_a_wrong_digest_or_size_are_refused_whichever_header_names_them() {
    let world = World::start().await;
    let upload = |name: &'static str, digest: String, size: Option<&'static str>| {
        let mut request = world
            .request(reqwest::Method::POST, "/v2/files")
            .body("hello")
            .header(name, digest);
        if let Some(size) = size {
            request = request.header("x-now-size", size);
        }
        answered(request)
    };
    assert_eq!(upload("x-vercel-digest", sha("hello"), None).await.0, 200);
    assert_eq!(upload("x-now-digest", sha("hello"), Some("5")).await.0, 200);
    assert_eq!(
        code(&upload("x-now-digest", sha("hello"), Some("6")).await),
        (400, "bad_request")
    );
    assert_eq!(upload("x-now-digest", sha("other"), None).await.0, 400);
    assert_eq!(
        upload("x-vercel-digest", sha("hello").to_uppercase(), None)
            .await
            .0,
        400
    );
    assert_eq!(upload("content-md5", sha("hello"), None).await.0, 400);
}

#[tokio::test]
async fn content_is_known_per_account() {
    let world = World::start().await;
    world.upload("hello").await;
    let of_user = json!({"name": "site", "files": [{"file": "index.html", "sha": sha("hello"), "size": 5}], "projectSettings": {"framework": null}});
    assert_eq!(
        code(
            &world
                .post("/v13/deployments?teamId=team_simulator", of_user.clone())
                .await
        ),
        (400, "missing_files")
    );
    assert_eq!(
        code(
            &world
                .post("/v13/deployments?slug=acme", of_user.clone())
                .await
        ),
        (400, "missing_files")
    );
    assert_eq!(world.post("/v13/deployments", of_user).await.0, 200);
}

#[tokio::test]
async fn the_first_deployment_of_a_project_tells_its_settings() {
    let world = World::start().await;
    let mut bare = body(&[("index.html", "x")], json!({}));
    bare.as_object_mut().unwrap().remove("projectSettings");
    assert_eq!(
        code(&world.post("/v13/deployments", bare.clone()).await),
        (400, "missing_project_settings")
    );
    assert_eq!(
        world
            .post(
                "/v13/deployments?skipAutoDetectionConfirmation=1",
                bare.clone()
            )
            .await
            .0,
        200
    );
    assert_eq!(
        world.post("/v13/deployments", bare).await.0,
        200,
        "it is remembered"
    );
}

#[tokio::test]
async fn what_is_not_in_order_creates_nothing() {
    let world = World::start().await;
    let file = |file: &str| json!({"file": file, "data": "x"});
    for (more, expected) in [
        (json!({"name": "Site"}), "invalid_name"),
        (json!({"name": null}), "bad_request"),
        (json!({"project": "nobody"}), "project_not_found"),
        (json!({"meta": {"n": 1}}), "bad_request"),
        (json!({"env": {"A": 1}}), "env_value_invalid_type"),
        (json!({"files": []}), "bad_request"),
        (json!({"files": [file("../up")]}), "bad_request"),
        (json!({"files": [file("/root")]}), "bad_request"),
        (
            json!({"files": [file("a"), file("a")]}),
            "conflicting_file_path",
        ),
        (
            json!({"files": [file("a"), file("a/b")]}),
            "conflicting_file_path",
        ),
        (
            json!({"files": [{"file": "a", "data": "?", "encoding": "base64"}]}),
            "bad_request",
        ),
        (json!({"files": [{"file": "a"}]}), "bad_request"),
    ] {
        let refused = world
            .post(
                "/v13/deployments",
                body(&[("index.html", "x")], more.clone()),
            )
            .await;
        assert_eq!(code(&refused).1, expected, "{more}: {refused:?}");
    }
    world.simulator.turn(|knobs| knobs.max_files = 1);
    let many = body(&[("a", "x"), ("b", "x")], json!({}));
    assert_eq!(
        code(&world.post("/v13/deployments", many).await),
        (400, "too_many_files")
    );
    let state = world.simulator.state();
    assert_eq!(
        (&state["deployments"], &state["projects"]),
        (&json!([]), &json!([]))
    );
}

#[tokio::test]
async fn environment_is_told_by_name_only() {
    let world = World::start().await;
    let more = json!({"env": {"TOKEN": "very-secret"}, "build": {"env": {"MODE": "very-secret"}}});
    let created = world.deploy_with(&[("index.html", "x")], more).await;
    assert_eq!(
        (&created["env"], &created["build"]["env"]),
        (&json!(["TOKEN"]), &json!(["MODE"]))
    );
    assert!(!created.to_string().contains("very-secret"));
}

#[tokio::test]
async fn the_same_body_twice_is_two_deployments() {
    let world = World::start().await;
    let one = world.deploy(&[("index.html", "x")]).await;
    let other = world.deploy(&[("index.html", "x")]).await;
    assert_ne!(one["id"], other["id"]);
    assert_ne!(one["url"], other["url"]);
    assert_eq!(one["projectId"], other["projectId"]);
}

#[tokio::test]
async fn daily_limits_refuse_with_their_name_and_the_time_of_the_next_place() {
    let world = World::start().await;
    world.simulator.turn(|knobs| {
        knobs.deployments_per_day = Some(1);
        knobs.uploads_per_day = Some(1);
    });
    world.deploy(&[("index.html", "x")]).await;
    let (status, told) = world
        .post("/v13/deployments", body(&[("index.html", "x")], json!({})))
        .await;
    let error = &told["error"];
    assert_eq!((status, &error["code"]), (429, &json!("rate_limited")));
    assert_eq!(
        (&error["limit"]["remaining"], &error["limit"]["total"]),
        (&json!(0), &json!(1))
    );
    assert!(
        error["limit"]["resetMs"].as_u64().unwrap() / 1000
            <= error["limit"]["reset"].as_u64().unwrap()
    );
    assert_eq!(world.upload("a").await.0, 200);
    let (status, told) = world.upload("b").await;
    assert_eq!(
        (status, &told["error"]["name"]),
        (429, &json!("api-upload-free"))
    );
}

#[tokio::test]
async fn files_can_be_read_back() {
    let world = World::start().await;
    let created = world
        .deploy(&[("index.html", "x"), ("a/b.txt", "deep")])
        .await;
    let id = created["id"].as_str().unwrap();
    let (_, tree) = world.get(&format!("/v6/deployments/{id}/files")).await;
    let folder = tree
        .as_array()
        .unwrap()
        .iter()
        .find(|node| node["name"] == "a")
        .unwrap();
    assert_eq!(
        (&folder["type"], &folder["children"][0]["name"]),
        (&json!("directory"), &json!("b.txt"))
    );
    let uid = folder["children"][0]["uid"].as_str().unwrap();
    let (_, file) = world
        .get(&format!("/v8/deployments/{id}/files/{uid}"))
        .await;
    assert_eq!(file["data"], "ZGVlcA==");
}
