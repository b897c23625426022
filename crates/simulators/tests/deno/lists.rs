//! Apps, layers, lists and logs.

use serde_json::{Value, json};

use crate::world::{World, hosts};

fn slugs(list: &Value) -> Vec<&str> {
    let items = list.as_array().unwrap().iter();
    items.map(|item| item["slug"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_list_is_bare_and_its_next_page_an_absolute_link() {
    let world = World::start().await;
    for slug in ["app-a", "app-b", "app-c"] {
        world
            .done(
                "POST",
                "apps",
                json!({ "slug": slug, "labels": { "fleet": "x y" } }),
            )
            .await;
    }
    world.app("other").await;
    let first = world.get("apps?limit=2&labels[fleet]=x%20y").await;
    assert_eq!(slugs(&first.body), ["app-c", "app-b"]);
    let link = first.link.unwrap();
    let url = link
        .strip_prefix('<')
        .unwrap()
        .strip_suffix(">; rel=\"next\"")
        .unwrap();
    let prefix = format!("{}/api/v2/apps?", world.simulator.api_url());
    assert!(url.starts_with(&prefix), "{url}");
    let (_, query) = url.split_once('?').unwrap();
    let second = world.get(&format!("apps?{query}")).await;
    assert_eq!((slugs(&second.body), second.link), (vec!["app-a"], None));

    world.simulator.turn(|knobs| knobs.relative_links = true);
    let relative = world.get("apps?limit=1").await.link.unwrap();
    assert!(
        relative.starts_with("</v2/apps?limit=1&cursor="),
        "{relative}"
    );
}

#[tokio::test]
async fn secrets_are_never_told_and_updates_merge() {
    let world = World::start().await;
    let vars = json!([
        { "key": "TOKEN", "value": "s3cret", "secret": true, "contexts": ["production"] },
        { "key": "MODE", "value": "fast" },
    ]);
    let app = world
        .done("POST", "apps", json!({ "slug": "shop", "env_vars": vars }))
        .await;
    assert_eq!(app["env_vars"][0].get("value"), None);
    assert_eq!(app["env_vars"][1]["value"], "fast");

    let update = json!({ "env_vars": [{ "id": app["env_vars"][0]["id"], "value": "n3w" }] });
    let after = world.done("PATCH", "apps/shop", update).await;
    assert!(!after.to_string().contains("n3w"));
    assert_eq!(
        world.simulator.state()["apps"][0]["env_vars"][0]["value"],
        "n3w"
    );
    let removal = json!({ "env_vars": [{ "key": "MODE", "delete": true }] });
    let after = world.done("PATCH", "apps/shop", removal).await;
    assert_eq!(after["env_vars"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_app_has_a_name_of_its_own_and_five_labels_at_most() {
    let world = World::start().await;
    let invented = world.done("POST", "apps", json!({})).await;
    assert!(invented["slug"].as_str().unwrap().len() >= 3);
    world.app("shop").await;
    for (body, status) in [
        (json!({ "slug": "shop" }), 409),
        (json!({ "slug": "No" }), 400),
        (json!({ "slug": "api" }), 400),
        (
            json!({ "labels": { "a": "1", "b": "2", "c": "3", "d": "4", "e": "5", "f": "6" } }),
            400,
        ),
    ] {
        assert_eq!(world.ask("POST", "apps", body).await.status, status);
    }
}

#[tokio::test]
async fn a_deploy_inherits_config_and_layers_as_a_whole() {
    let world = World::start().await;
    world
        .done("POST", "layers", json!({ "slug": "shared" }))
        .await;
    let config = json!({ "install": "npm ci", "runtime": { "type": "static", "cwd": "" } });
    let app = json!({ "slug": "shop", "config": config, "layers": ["shared"] });
    world.done("POST", "apps", app).await;
    let inherits = world.deploy("shop", "x", Value::Null).await;
    let inherits = world.revision(&inherits).await;
    assert_eq!(inherits["config"]["install"], "npm ci");
    assert_eq!(inherits["layers"][0]["slug"], "shared");
    let own = json!({ "config": { "runtime": { "type": "static", "cwd": "" } }, "layers": [] });
    let replaces = world.deploy("shop", "x", own).await;
    let replaces = world.revision(&replaces).await;
    assert_eq!(replaces["config"]["install"], Value::Null);
    assert_eq!(replaces["layers"], json!([]));
}

#[tokio::test]
async fn a_layer_in_use_cannot_be_deleted() {
    let world = World::start().await;
    let layer = world
        .ask("POST", "layers", json!({ "slug": "shared" }))
        .await;
    assert_eq!(layer.status, 201);
    world
        .done(
            "POST",
            "apps",
            json!({ "slug": "shop", "layers": ["shared"] }),
        )
        .await;
    assert_eq!(
        world
            .ask("DELETE", "layers/shared", Value::Null)
            .await
            .status,
        409
    );
    let apps = world.get("layers/shared/apps").await.body;
    assert_eq!(
        (slugs(&apps), &apps[0]["layer_position"]),
        (vec!["shop"], &json!(0))
    );
    assert_eq!(slugs(&world.get("apps?layer=shared").await.body), ["shop"]);
    world
        .done("PATCH", "apps/shop", json!({ "layers": [] }))
        .await;
    assert_eq!(
        world
            .ask("DELETE", "layers/shared", Value::Null)
            .await
            .status,
        204
    );
}

#[tokio::test]
async fn revisions_are_listed_by_status_and_without_timelines() {
    let world = World::start().await;
    world.app("shop").await;
    let id = world.deploy("shop", "x", Value::Null).await;
    world.over(&id).await;
    let list = world.get("apps/shop/revisions?status=succeeded").await.body;
    assert_eq!(list[0]["id"], id);
    assert_eq!(list[0].get("timelines"), None);
    assert_eq!(
        world.get("apps/shop/revisions?status=failed").await.body,
        json!([])
    );
    assert_eq!(
        world.get("apps/shop/revisions?status=odd").await.status,
        400
    );
}

#[tokio::test]
async fn pages_of_logs_overlap_by_a_row() {
    let world = World::start().await;
    world.app("shop").await;
    let id = world.deploy("shop", "x", Value::Null).await;
    let host = hosts(&world.over(&id).await, "Production").remove(0);
    for _ in 0..3 {
        world.visit(&host, "/").await;
        // The next visit is of another instant: its row is told apart by its time.
        tokio::time::sleep(std::time::Duration::from_millis(3)).await;
    }
    let range = "apps/shop/logs?start=2020-01-01T00:00:00Z&end=2100-01-01T00:00:00Z&query=GET";
    let first = world.get(&format!("{range}&limit=2")).await.body;
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = world
        .get(&format!("{range}&limit=2&cursor={cursor}"))
        .await
        .body;
    assert_eq!(first["logs"][1], second["logs"][0]);
    assert_eq!(second["next_cursor"], Value::Null);
    assert_eq!(second["logs"][1]["message"], "GET / 200");
    assert_eq!(
        world
            .get("apps/shop/logs?end=2100-01-01T00:00:00Z")
            .await
            .status,
        400
    );

    let buckets = world.get("apps/shop/analytics").await.body;
    let visits: u64 = buckets["values"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row[1].as_u64().unwrap())
        .sum();
    assert_eq!(visits, 3);
}
