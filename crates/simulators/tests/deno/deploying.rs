//! From a deploy to an end, good or bad.

use foreshow_simulators::core::BuildOutcome;
use serde_json::{Value, json};

use crate::world::{World, hosts};

fn state(word: &str) -> BuildOutcome {
    BuildOutcome::State {
        state: word.to_owned(),
    }
}

#[tokio::test]
async fn a_deploy_is_accepted_and_becomes_a_site() {
    let world = World::start().await;
    world.app("shop").await;
    let body = json!({
        "assets": {
            "index.html": { "content": "<h1>hi</h1>" },
            "a/b.bin": { "encoding": "base64", "content": "AAEC/w==" },
            "link.html": { "kind": "symlink", "target": "index.html" },
        },
        "labels": { "custom.revision": "7", "custom.tags": ["a", "b"] },
        "env_vars": [{ "key": "GREETING", "value": "hello" }],
        "preview": true,
    });
    let accepted = world.ask("POST", "apps/shop/deploy", body).await;
    assert_eq!(accepted.status, 202);
    assert_eq!(accepted.body["labels"]["custom.tags"], json!(["a", "b"]));
    assert_eq!(
        accepted.body["env_vars"],
        json!([{ "key": "GREETING", "value": "hello" }])
    );
    assert_eq!(accepted.body["config"]["runtime"]["type"], "static");

    let revision = world.over(accepted.body["id"].as_str().unwrap()).await;
    assert_eq!(revision["status"], "succeeded");
    assert_eq!(revision["failure_reason"], Value::Null);
    assert!(revision["build_finished_at"].is_string());
    let host = &hosts(&revision, "Preview")[0];
    assert_eq!(
        world.visit(host, "/").await,
        (200, "<h1>hi</h1>".to_owned())
    );
    assert_eq!(world.visit(host, "/link.html").await.1, "<h1>hi</h1>");
    assert_eq!(world.visit(host, "/a/b.bin").await.0, 200);
    assert_eq!(world.visit(host, "/nothing").await.0, 404);
}

#[tokio::test]
async fn failures_tell_their_reason() {
    let world = World::with(|knobs| {
        let boot = "boot_failed";
        knobs.builds.next = [
            BuildOutcome::Failed {
                log: vec!["no such module".to_owned()],
            },
            state(boot),
            state("boot_internal"),
            state("timed_out"),
            state("skipped"),
            state("cancelled"),
            state("hibernating"),
        ]
        .into();
    })
    .await;
    world.app("shop").await;
    for (status, reason, detail) in [
        ("failed", json!("error"), Value::Null),
        ("failed", json!("error"), json!("boot_failed")),
        ("failed", json!("error"), json!("internal")),
        ("failed", json!("timed_out"), Value::Null),
        ("skipped", json!("skipped"), Value::Null),
        ("failed", json!("cancelled"), Value::Null),
        ("hibernating", Value::Null, Value::Null),
    ] {
        let id = world.deploy("shop", "x", json!({ "preview": true })).await;
        let revision = world.over(&id).await;
        assert_eq!(revision["status"], status);
        assert_eq!(revision["failure_reason"], reason, "{status}");
        assert_eq!(revision["failure_detail"]["code"], detail, "{status}");
        assert!(hosts(&revision, "Preview").is_empty());
    }
}

#[tokio::test]
async fn a_program_without_its_entrypoint_does_not_boot() {
    let world = World::start().await;
    world.app("shop").await;
    let config = json!({ "runtime": { "type": "dynamic", "entrypoint": "main.ts" } });
    let id = world.deploy("shop", "x", json!({ "config": config })).await;
    let failed = world.over(&id).await;
    assert_eq!(failed["failure_detail"]["stage"], "warmup");
    assert_eq!(failed["failure_detail"]["code"], "boot_failed");

    // What a deploy brings does not change the app.
    let id = world.deploy("shop", "x", Value::Null).await;
    assert_eq!(world.over(&id).await["status"], "succeeded");
}

#[tokio::test]
async fn a_program_serves_its_files_and_else_tells_its_revision() {
    let world = World::start().await;
    world.app("shop").await;
    let body = json!({
        "assets": { "main.ts": { "content": "Deno.serve()" }, "logo.svg": { "content": "<svg/>" } },
        "config": { "install": "deno install", "runtime": { "type": "dynamic", "entrypoint": "main.ts" } },
    });
    let id = world.done("POST", "apps/shop/deploy", body).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let revision = world.over(&id).await;
    let host = &hosts(&revision, "Production")[0];
    assert_eq!(
        world.visit(host, "/logo.svg").await,
        (200, "<svg/>".to_owned())
    );
    for path in ["/", "/main.ts", "/api/things"] {
        let (status, page) = world.visit(host, path).await;
        assert_eq!(status, 200);
        assert!(page.contains(&id) && !page.contains("Deno.serve"), "{page}");
    }
}

#[tokio::test]
async fn a_single_page_app_answers_with_its_page_and_a_folder_is_a_root() {
    let world = World::start().await;
    world.app("shop").await;
    let spa = json!({ "runtime": { "type": "static", "cwd": "./dist/", "spa": true } });
    let assets = json!({
        "dist/index.html": { "content": "spa" },
        "secret.txt": { "content": "outside" },
    });
    let id = world
        .deploy("shop", "", json!({ "config": spa, "assets": assets }))
        .await;
    let revision = world.over(&id).await;
    let host = &hosts(&revision, "Production")[0];
    for path in ["/", "/deep/link", "/secret.txt"] {
        assert_eq!(world.visit(host, path).await, (200, "spa".to_owned()));
    }
}

#[tokio::test]
async fn a_build_that_never_ends_can_be_cancelled_and_then_deleted() {
    let world = World::with(|knobs| knobs.builds.outcome = BuildOutcome::Never).await;
    world.app("shop").await;
    let id = world.deploy("shop", "x", Value::Null).await;
    world
        .until(&id, |revision| revision["status"] == "building")
        .await;
    let refused = world
        .ask("DELETE", &format!("revisions/{id}"), Value::Null)
        .await;
    assert_eq!(refused.status, 409);

    let asked = world
        .done("POST", &format!("revisions/{id}/cancel"), Value::Null)
        .await;
    assert!(asked["cancellation_requested_at"].is_string());
    let over = world.over(&id).await;
    assert_eq!(
        (&over["status"], &over["failure_reason"]),
        (&json!("failed"), &json!("cancelled"))
    );
    world
        .done("DELETE", &format!("revisions/{id}"), Value::Null)
        .await;
    assert_eq!(world.get(&format!("revisions/{id}")).await.status, 404);
}

#[tokio::test]
async fn a_cancel_may_be_answered_while_it_still_builds() {
    let world = World::with(|knobs| {
        knobs.builds.outcome = BuildOutcome::Never;
        knobs.cancel_ms = u64::MAX;
    })
    .await;
    world.app("shop").await;
    let id = world.deploy("shop", "x", Value::Null).await;
    let asked = world
        .done("POST", &format!("revisions/{id}/cancel"), Value::Null)
        .await;
    assert_eq!(asked["status"], "building");
    assert!(asked["cancellation_requested_at"].is_string());
}

#[tokio::test]
async fn what_is_no_deploy_is_refused_by_its_field() {
    let world = World::start().await;
    world.app("shop").await;
    let page = json!({ "index.html": { "content": "" } });
    for (body, field) in [
        (json!({}), "at assets"),
        (
            json!({ "assets": page, "production": "true" }),
            "at production",
        ),
        (
            json!({ "assets": page, "preview": { "domains": [1] } }),
            "at preview.domains.0",
        ),
        (
            json!({ "assets": page, "env_vars": [{ "key": "DENO_X", "value": "" }] }),
            "at env_vars.0.key",
        ),
        (
            json!({ "assets": page, "config": { "runtime": { "type": "wasm" } } }),
            "at config.runtime.type",
        ),
        (
            json!({ "assets": { "../x": { "content": "" } } }),
            "at assets.../x",
        ),
    ] {
        let refused = world.ask("POST", "apps/shop/deploy", body).await;
        assert_eq!(refused.code(), (400, "MALFORMED_REQUEST"));
        let message = refused.body["message"].as_str().unwrap();
        assert!(message.ends_with(field), "{message}");
    }
    assert_eq!(
        world
            .ask("POST", "apps/nobody/deploy", json!({ "assets": page }))
            .await
            .status,
        404
    );
}
