//! Builds: how they go, what is seen meanwhile, how they are cancelled and removed.

use foreshow_simulators::core::{BuildOutcome, SiteAnswer, SiteDelay};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{World, code};

#[tokio::test]
async fn what_builds_is_not_served_yet() {
    let world = World::start().await;
    world
        .simulator
        .turn(|knobs| knobs.builds.next.push_back(BuildOutcome::Never));
    let created = world.deploy(&[("index.html", "hello")]).await;
    let (id, host) = (
        created["id"].as_str().unwrap(),
        created["url"].as_str().unwrap(),
    );
    world.open_previews().await;
    assert_eq!(created["aliasAssigned"], json!(false));
    world.until(id, "BUILDING").await;
    let page = world.visit(host, "/").await;
    assert_eq!(
        (page.status, page.error.as_deref()),
        (303, Some("DEPLOYMENT_NOT_READY_REDIRECTING"))
    );
}

#[tokio::test]
async fn what_is_ready_has_its_alias_and_is_served() {
    let world = World::start().await;
    world.simulator.turn(|knobs| knobs.builds.build_ms = 50);
    let created = world.deploy(&[("index.html", "hello")]).await;
    let (id, host) = (
        created["id"].as_str().unwrap(),
        created["url"].as_str().unwrap(),
    );
    world.open_previews().await;
    let ready = world.until(id, "READY").await;
    assert_eq!(
        ready["ready"].as_u64().unwrap() - ready["buildingAt"].as_u64().unwrap(),
        50
    );
    assert_eq!(ready["aliasAssigned"], ready["ready"]);
    assert!(
        ready["alias"][0]
            .as_str()
            .unwrap()
            .starts_with("site-simulator")
    );
    let page = world.visit(host, "/").await;
    assert_eq!((page.status, page.body.as_str()), (200, "hello"));
    assert!(page.headers.contains_key("x-vercel-id"));
    let (_, by_host) = world.get(&format!("/v13/deployments/{host}")).await;
    assert_eq!(by_host["id"], id);
}

#[tokio::test]
async fn a_failed_build_tells_why_and_in_both_shapes_of_the_log() {
    let world = World::start().await;
    let failed = BuildOutcome::Failed {
        log: vec!["no such module".to_owned()],
    };
    world
        .simulator
        .turn(|knobs| knobs.builds.next.push_back(failed));
    let created = world.deploy(&[("index.html", "x")]).await;
    assert_eq!(
        (&created["readyState"], &created["errorCode"]),
        (&json!("ERROR"), &json!("BUILD_FAILED"))
    );
    let id = created["id"].as_str().unwrap();

    let (_, flat) = world
        .get(&format!("/v3/deployments/{id}/events?limit=-1"))
        .await;
    let (_, nested) = world.get(&format!("/v2/deployments/{id}/events")).await;
    let says = |events: &Value, text: &dyn Fn(&Value) -> Value| {
        events
            .as_array()
            .unwrap()
            .iter()
            .any(|event| event["type"] == "stderr" && text(event) == "no such module")
    };
    assert!(says(&flat, &|event| event["text"].clone()), "{flat}");
    assert!(
        says(&nested, &|event| event["payload"]["text"].clone()),
        "{nested}"
    );
    let (_, last) = world
        .get(&format!(
            "/v3/deployments/{id}/events?direction=backward&limit=1"
        ))
        .await;
    assert_eq!(last[0]["text"], "ERROR");
    assert_eq!(
        world.deploy(&[("index.html", "x")]).await["readyState"],
        "READY",
        "only the next one failed"
    );
}

#[tokio::test]
async fn whoever_follows_the_log_hears_all_of_it_and_then_the_end() {
    let world = World::start().await;
    world.simulator.turn(|knobs| {
        knobs.builds.build_ms = 100;
        knobs.alias_ms = 50;
    });
    let created = world.deploy(&[("index.html", "x")]).await;
    let id = created["id"].as_str().unwrap();
    let path = format!("/v3/now/deployments/{id}/events?follow=1&format=lines");
    let response = world.request(Method::GET, &path).send().await.unwrap();
    assert_eq!(
        response.headers()["content-type"],
        "application/stream+json"
    );
    let text = response.text().await.unwrap();
    let kinds: Vec<_> = text
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["type"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(kinds.first().map(String::as_str), Some("stdout"));
    assert_eq!(
        kinds.last().map(String::as_str),
        Some("alias-assigned"),
        "{text}"
    );
    assert_eq!(
        kinds
            .iter()
            .filter(|kind| *kind == "deployment-state")
            .count(),
        1
    );
}

#[tokio::test]
async fn builds_without_a_place_wait_and_a_cancel_makes_room() {
    let world = World::start().await;
    world.simulator.turn(|knobs| {
        knobs.concurrent_builds = std::num::NonZeroUsize::MIN;
        knobs.builds.next.push_back(BuildOutcome::Never);
    });
    let stuck = world.deploy(&[("index.html", "x")]).await;
    let waiting = world.deploy(&[("index.html", "y")]).await;
    assert_eq!(
        (
            &waiting["readyState"],
            &waiting["isInConcurrentBuildsQueue"]
        ),
        (&json!("QUEUED"), &json!(true))
    );
    let (_, listed) = world.get("/v7/deployments?state=QUEUED").await;
    assert_eq!(
        (
            &listed["deployments"][0]["uid"],
            &listed["deployments"][0]["url"]
        ),
        (&waiting["id"], &Value::Null)
    );

    let path = format!("/v12/deployments/{}/cancel", stuck["id"].as_str().unwrap());
    let (status, canceled) = world.patch(&path, json!({})).await;
    assert_eq!((status, &canceled["readyState"]), (200, &json!("CANCELED")));
    world.until(waiting["id"].as_str().unwrap(), "READY").await;
    assert_eq!(
        code(&world.patch(&path, json!({})).await),
        (400, "bad_request"),
        "it has ended"
    );
    assert_eq!(
        world
            .patch("/v12/deployments/dpl_nobody/cancel", json!({}))
            .await
            .0,
        404
    );
}

#[tokio::test]
async fn the_vendors_other_states_and_unknown_ones_come_about() {
    let world = World::start().await;
    for (state, field) in [
        ("BLOCKED", "seatBlock"),
        ("CANCELED", "canceledAt"),
        ("UPLOAD_ERROR", "errorCode"),
        ("PONDERING", "id"),
    ] {
        let outcome = BuildOutcome::State {
            state: state.to_owned(),
        };
        world
            .simulator
            .turn(|knobs| knobs.builds.next.push_back(outcome));
        let created = world.deploy(&[("index.html", "x")]).await;
        assert_eq!(created["readyState"], state);
        assert!(
            created.get(field).is_some_and(|value| !value.is_null()),
            "{created}"
        );
    }
}

#[tokio::test]
async fn removing_takes_the_site_and_twice_is_told() {
    let world = World::start().await;
    let created = world.deploy(&[("index.html", "x")]).await;
    let (id, host) = (
        created["id"].as_str().unwrap(),
        created["url"].as_str().unwrap(),
    );
    let (status, told) = world.delete(&format!("/v13/deployments/{id}")).await;
    assert_eq!(
        (status, told),
        (200, json!({"uid": id, "state": "DELETED"}))
    );
    assert_eq!(
        code(&world.delete(&format!("/v13/deployments/{id}")).await),
        (404, "not_found")
    );
    assert_eq!(world.get(&format!("/v13/deployments/{id}")).await.0, 404);
    let page = world.visit(host, "/").await;
    assert_eq!(
        (page.status, page.error.as_deref()),
        (404, Some("DEPLOYMENT_NOT_FOUND"))
    );

    let other = world.deploy(&[("index.html", "x")]).await;
    let path = format!(
        "/v13/deployments/dpl_nobody?url={}",
        other["url"].as_str().unwrap()
    );
    assert_eq!(
        world.delete(&path).await.1["uid"],
        other["id"],
        "the URL wins"
    );
}

#[tokio::test]
async fn what_retention_removed_is_gone_and_says_so() {
    let world = World::start().await;
    let created = world.deploy(&[("index.html", "x")]).await;
    let (id, host) = (
        created["id"].as_str().unwrap(),
        created["url"].as_str().unwrap(),
    );
    assert!(world.simulator.vanish(id));
    assert!(!world.simulator.vanish(id));
    let page = world.visit(host, "/").await;
    assert_eq!(
        (page.status, page.error.as_deref()),
        (410, Some("DEPLOYMENT_DELETED"))
    );
    assert_eq!(world.get(&format!("/v13/deployments/{id}")).await.0, 404);
}

#[tokio::test]
async fn the_edge_can_lag_behind_in_three_ways() {
    let world = World::start().await;
    world.deploy(&[("index.html", "first")]).await;
    world.open_previews().await;
    let second = world.deploy(&[("index.html", "second")]).await;
    let host = second["url"].as_str().unwrap();
    for (answer, expected) in [
        (SiteAnswer::NotFound, (404, None)),
        (SiteAnswer::BadGateway, (502, None)),
        (SiteAnswer::Previous, (200, Some("first"))),
    ] {
        world.simulator.turn(|knobs| {
            knobs.builds.site_delay = Some(SiteDelay {
                ms: u64::MAX / 2,
                answer,
            });
        });
        let page = world.visit(host, "/").await;
        assert_eq!(page.status, expected.0, "{answer:?}");
        if let Some(body) = expected.1 {
            assert_eq!(page.body, body);
        }
    }
    world.simulator.turn(|knobs| {
        knobs.builds.site_delay = Some(SiteDelay {
            ms: 0,
            answer: SiteAnswer::NotFound,
        });
    });
    assert_eq!(world.visit(host, "/").await.body, "second");
}

#[tokio::test]
async fn sites_are_served_as_a_static_host_serves_them() {
    let world = World::start().await;
    let config =
        r#"{"cleanUrls": true, "rewrites": [{"source": "/app/(.*)", "destination": "/"}]}"#;
    let settings = json!({"projectSettings": {"framework": "vite", "outputDirectory": "dist"}});
    let files = [
        ("dist/index.html", "home"),
        ("dist/about.html", "about"),
        ("dist/a/style.css", "b{}"),
        ("vercel.json", config),
        ("package.json", "{}"),
    ];
    let created = world.deploy_with(&files, settings).await;
    world.open_previews().await;
    let host = created["url"].as_str().unwrap();
    for (path, status, body) in [
        ("/", 200, "home"),
        ("/about", 200, "about"),
        ("/a/style.css?v=1", 200, "b{}"),
        ("/app/x", 200, "home"),
    ] {
        let page = world.visit(host, path).await;
        assert_eq!((page.status, page.body.as_str()), (status, body), "{path}");
    }
    let page = world.visit(host, "/a/style.css").await;
    assert_eq!(page.headers["content-type"], "text/css; charset=utf-8");
    let tag = page.headers["etag"].to_str().unwrap();
    assert_eq!(
        world
            .visit_with(host, "/a/style.css", &[("if-none-match", tag)])
            .await
            .status,
        304
    );
    let plain = world
        .deploy_with(
            &[("index.html", "x"), ("404.html", "lost")],
            json!({"name": "other", "target": "production"}),
        )
        .await;
    let page = world
        .visit(plain["url"].as_str().unwrap(), "/nowhere")
        .await;
    assert_eq!((page.status, page.body.as_str()), (404, "lost"));
}
