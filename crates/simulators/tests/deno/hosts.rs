//! Which revision answers where.

use foreshow_simulators::core::{SiteAnswer, SiteDelay};
use serde_json::{Value, json};

use crate::world::{World, hosts};

const FOREVER_MS: u64 = 3_600_000;

#[tokio::test]
async fn hosts_tell_app_revision_and_port() {
    let world = World::start().await;
    world.app("shop").await;
    let id = world
        .deploy("shop", "one", json!({ "preview": true }))
        .await;
    let revision = world.over(&id).await;
    let port = world.simulator.address().port();
    assert_eq!(
        hosts(&revision, "Production"),
        [format!("shop.acme.localhost:{port}")]
    );
    assert_eq!(
        hosts(&revision, "Preview"),
        [format!("shop-{id}.acme.localhost:{port}")]
    );
    let timelines = world
        .done("GET", &format!("revisions/{id}/timelines"), Value::Null)
        .await;
    assert_eq!(timelines[0]["slug"], "production");
    assert_eq!(timelines[1]["context"]["slug"], "development");
    assert_eq!(
        timelines[1]["domains"][0]["domain"],
        format!("shop-{id}.acme.localhost:{port}")
    );
}

#[tokio::test]
async fn neither_lane_is_wired_where_a_deploy_says_so() {
    let world = World::start().await;
    world.app("shop").await;
    for target in [json!(false), json!({ "domains": [] })] {
        let id = world
            .deploy("shop", "x", json!({ "production": target }))
            .await;
        assert_eq!(world.over(&id).await["timelines"], json!([]));
    }
    let id = world
        .deploy("shop", "x", json!({ "production": {}, "preview": {} }))
        .await;
    assert_eq!(
        world.over(&id).await["timelines"].as_array().unwrap().len(),
        2
    );
}

#[tokio::test]
async fn the_newest_wins_until_one_is_promoted() {
    let world = World::start().await;
    world.app("shop").await;
    let one = world
        .deploy("shop", "one", json!({ "preview": true }))
        .await;
    let host = hosts(&world.over(&one).await, "Production").remove(0);
    let two = world.deploy("shop", "two", Value::Null).await;
    world.over(&two).await;
    world.sees(&host, (200, "two")).await;
    assert!(hosts(&world.revision(&one).await, "Production").is_empty());

    let promoted = world
        .ask("POST", &format!("revisions/{one}/promote"), Value::Null)
        .await;
    assert_eq!(promoted.status, 204);
    world.sees(&host, (200, "one")).await;
    assert_eq!(
        hosts(&world.revision(&one).await, "Production").first(),
        Some(&host)
    );

    // It is held there: a newer one does not take it.
    let three = world.deploy("shop", "three", Value::Null).await;
    world.over(&three).await;
    assert_eq!(world.visit(&host, "/").await.1, "one");
    world
        .done("POST", &format!("revisions/{three}/promote"), Value::Null)
        .await;
    world.sees(&host, (200, "three")).await;
}

#[tokio::test]
async fn only_what_was_built_can_be_promoted() {
    let world = World::with(|knobs| knobs.builds.build_ms = FOREVER_MS).await;
    world.app("shop").await;
    let id = world.deploy("shop", "x", Value::Null).await;
    let refused = world
        .ask("POST", &format!("revisions/{id}/promote"), Value::Null)
        .await;
    assert_eq!(refused.status, 409);
}

#[tokio::test]
async fn a_revision_is_deleted_once_it_was_detached() {
    let world = World::start().await;
    world.app("shop").await;
    let id = world
        .deploy(
            "shop",
            "one",
            json!({ "production": false, "preview": true }),
        )
        .await;
    let host = hosts(&world.over(&id).await, "Preview").remove(0);
    let revision = format!("revisions/{id}");
    assert_eq!(
        world.ask("DELETE", &revision, Value::Null).await.status,
        409
    );

    let zone = host.split_once('.').unwrap().1;
    let template = format!("%7Bdeno.app.slug%7D-%7Bdeno.revision.id%7D.{zone}");
    let detach = format!("{revision}/domains/{template}");
    assert_eq!(world.ask("DELETE", &detach, Value::Null).await.status, 204);
    assert_eq!(world.visit(&host, "/").await.0, 404);
    assert_eq!(world.ask("DELETE", &detach, Value::Null).await.status, 404);
    assert_eq!(
        world.ask("DELETE", &revision, Value::Null).await.status,
        204
    );
}

#[tokio::test]
async fn a_host_can_be_detached_and_attached_by_its_name() {
    let world = World::start().await;
    world.app("shop").await;
    let id = world
        .deploy("shop", "one", json!({ "preview": true }))
        .await;
    let host = hosts(&world.over(&id).await, "Preview").remove(0);
    world
        .done(
            "DELETE",
            &format!("revisions/{id}/domains/{host}"),
            Value::Null,
        )
        .await;
    assert_eq!(world.visit(&host, "/").await.0, 404);
    world
        .done(
            "PUT",
            &format!("revisions/{id}/domains"),
            json!({ "preview": [host] }),
        )
        .await;
    assert_eq!(world.visit(&host, "/").await, (200, "one".to_owned()));
}

#[tokio::test]
async fn hosts_appear_only_after_a_while() {
    let world = World::with(|knobs| knobs.routing_ms = FOREVER_MS).await;
    world.app("shop").await;
    let late = world
        .deploy("shop", "late", json!({ "preview": true }))
        .await;
    let revision = world.over(&late).await;
    assert_eq!(revision["status"], "succeeded");
    assert!(hosts(&revision, "Preview").is_empty() && hosts(&revision, "Production").is_empty());
    let port = world.simulator.address().port();
    assert_eq!(
        world
            .visit(&format!("shop-{late}.acme.localhost:{port}"), "/")
            .await
            .0,
        404
    );

    world.simulator.turn(|knobs| knobs.routing_ms = 300);
    let soon = world.deploy("shop", "soon", Value::Null).await;
    let seen = world
        .until(&soon, |revision| !hosts(revision, "Production").is_empty())
        .await;
    world
        .sees(&hosts(&seen, "Production")[0], (200, "soon"))
        .await;
}

#[tokio::test]
async fn a_promotion_and_a_detach_are_seen_only_after_a_while() {
    let world = World::start().await;
    world.app("shop").await;
    let one = world.deploy("shop", "one", Value::Null).await;
    let host = hosts(&world.over(&one).await, "Production").remove(0);
    let two = world.deploy("shop", "two", Value::Null).await;
    world.over(&two).await;

    world.simulator.turn(|knobs| knobs.routing_ms = FOREVER_MS);
    world
        .done("POST", &format!("revisions/{one}/promote"), Value::Null)
        .await;
    world
        .done(
            "DELETE",
            &format!("revisions/{two}/domains/{host}"),
            Value::Null,
        )
        .await;
    assert_eq!(world.visit(&host, "/").await, (200, "two".to_owned()));
    assert_eq!(
        world
            .ask("DELETE", &format!("revisions/{two}"), Value::Null)
            .await
            .status,
        409
    );
}

#[tokio::test]
async fn a_site_may_come_later_than_its_host() {
    for (answer, wanted) in [
        (SiteAnswer::NotFound, 404),
        (SiteAnswer::BadGateway, 502),
        (SiteAnswer::Previous, 200),
    ] {
        let world = World::start().await;
        world.app("shop").await;
        let one = world.deploy("shop", "one", Value::Null).await;
        world.over(&one).await;
        let two = world
            .deploy("shop", "two", json!({ "preview": true }))
            .await;
        let revision = world.over(&two).await;
        let delay = SiteDelay {
            ms: FOREVER_MS,
            answer,
        };
        world
            .simulator
            .turn(|knobs| knobs.builds.site_delay = Some(delay));
        for lane in ["Production", "Preview"] {
            let (status, page) = world.visit(&hosts(&revision, lane)[0], "/").await;
            assert_eq!(status, wanted);
            assert_eq!(page == "one", answer == SiteAnswer::Previous, "{page}");
        }
        world.simulator.turn(|knobs| knobs.builds.site_delay = None);
        world
            .sees(&hosts(&revision, "Preview")[0], (200, "two"))
            .await;
    }
}

#[tokio::test]
async fn what_retention_removed_is_gone_and_what_was_never_there_is_not_found() {
    let world = World::start().await;
    world.app("shop").await;
    let id = world
        .deploy("shop", "one", json!({ "preview": true }))
        .await;
    let host = hosts(&world.over(&id).await, "Preview").remove(0);
    assert!(world.simulator.vanish(&id) && !world.simulator.vanish(&id));
    assert_eq!(world.visit(&host, "/").await.0, 410);
    assert_eq!(world.visit("nobody.acme.localhost", "/").await.0, 404);
    assert_eq!(world.get(&format!("revisions/{id}")).await.status, 404);
}

#[tokio::test]
async fn an_app_with_another_slug_answers_at_other_hosts() {
    let world = World::start().await;
    world.app("shop").await;
    let id = world
        .deploy("shop", "one", json!({ "preview": true }))
        .await;
    let before = hosts(&world.over(&id).await, "Preview").remove(0);
    world
        .done("PATCH", "apps/shop", json!({ "slug": "store" }))
        .await;
    let after = hosts(&world.revision(&id).await, "Preview").remove(0);
    assert!(after.starts_with(&format!("store-{id}.")));
    assert_eq!(world.visit(&after, "/").await.0, 200);
    assert_eq!(world.visit(&before, "/").await.0, 404);
}

#[tokio::test]
async fn an_app_goes_with_all_its_revisions() {
    let world = World::start().await;
    let app = world.app("shop").await;
    let id = world
        .deploy("shop", "one", json!({ "preview": true }))
        .await;
    let host = hosts(&world.over(&id).await, "Preview").remove(0);
    assert_eq!(
        world.ask("DELETE", "apps/shop", Value::Null).await.status,
        204
    );
    assert_eq!(
        world.ask("DELETE", "apps/shop", Value::Null).await.status,
        404
    );
    assert_eq!(
        world
            .get(&format!("apps/{}", app["id"].as_str().unwrap()))
            .await
            .status,
        404
    );
    assert_eq!(world.get(&format!("revisions/{id}")).await.status, 404);
    assert_eq!(world.visit(&host, "/").await.0, 404);
}
