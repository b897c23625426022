use foreshow_engine::GiveBack;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};

use super::*;

const ALIAS: &str = "ctx-alias.localhost";

fn building(seconds: u64) -> Build {
    Build {
        duration: Duration::from_secs(seconds),
        failure: None,
    }
}

#[tokio::test]
async fn a_label_is_its_site_whatever_the_hosts_case_and_port() {
    let world = World::start().await;
    let deployment = world.deploy(1, "one", Build::default()).await;
    world
        .previews
        .move_alias(&alias(), &deployment.id)
        .await
        .unwrap();
    for host in [
        "ctx-r1.localhost",
        "ctx-r1.localhost:1234",
        "CTX-R1.LocalHost",
        "ctx-r1.localhost.",
        ALIAS,
    ] {
        let seen = world.get(host, "/").await;
        assert_eq!(
            (seen.status, seen.body.as_str()),
            (StatusCode::OK, "one"),
            "{host}"
        );
        assert_eq!(seen.header("x-foreshow-deployment"), deployment.id.as_str());
        assert_eq!(seen.header("x-foreshow-revision"), "1");
    }
    let head = world.ask(Method::HEAD, ALIAS, "/", &[]).await;
    assert_eq!(
        (
            head.status,
            head.header("content-length"),
            head.body.as_str()
        ),
        (StatusCode::OK, "3", "")
    );
    assert_eq!(
        world.ask(Method::POST, ALIAS, "/", &[]).await.status,
        StatusCode::METHOD_NOT_ALLOWED
    );
    let part = world
        .ask(Method::GET, ALIAS, "/", &[("range", "bytes=1-")])
        .await;
    assert_eq!(
        (part.status, part.body.as_str()),
        (StatusCode::PARTIAL_CONTENT, "ne")
    );
}

#[tokio::test]
async fn a_revisions_host_tells_how_its_build_stands() {
    let world = World::start().await;
    world.deploy(1, "one", building(30)).await;
    let failure = Some(vec!["<boom>".to_owned()]);
    world
        .deploy(
            2,
            "two",
            Build {
                duration: Duration::ZERO,
                failure,
            },
        )
        .await;

    let seen = world.get("ctx-r1.localhost", "/").await;
    assert_eq!(
        (seen.status, seen.header(RETRY_AFTER)),
        (StatusCode::SERVICE_UNAVAILABLE, "1")
    );
    assert!(
        !seen.headers.contains_key("x-foreshow-deployment"),
        "the gateway spoke, not the deployment"
    );
    let seen = world.get("ctx-r2.localhost", "/").await;
    assert_eq!(seen.status, StatusCode::BAD_GATEWAY);
    assert!(
        seen.body.contains("&lt;boom&gt;") && !seen.body.contains("<boom>"),
        "{}",
        seen.body
    );

    world.clock.advance(Duration::from_secs(30));
    assert_eq!(world.get("ctx-r1.localhost", "/").await.body, "one");
}

#[tokio::test]
async fn what_was_removed_is_gone_for_thirty_days_and_then_unknown() {
    let world = World::start().await;
    let deployment = world.deploy(1, "one", Build::default()).await;
    world
        .previews
        .remove(&deployment.id, world.clock.now())
        .await
        .unwrap();
    assert_eq!(
        world.get("ctx-r1.localhost", "/any/path").await.status,
        StatusCode::GONE
    );
    world.clock.advance(31 * 24 * HOUR);
    assert_eq!(
        world.get("ctx-r1.localhost", "/").await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn a_host_that_was_never_a_label_is_unknown() {
    let world = World::start().await;
    for host in [
        "nobody.localhost",
        "a.b.localhost",
        "-.localhost",
        "a_b.localhost",
    ] {
        assert_eq!(
            world.get(host, "/").await.status,
            StatusCode::NOT_FOUND,
            "{host}"
        );
    }
}

#[tokio::test]
async fn an_alias_follows_its_context_through_its_life() {
    let world = World::start().await;
    assert_eq!(world.get(ALIAS, "/").await.status, StatusCode::NOT_FOUND);

    let lease = world.accept(1, OrdinalKind::Update).await;
    let seen = world.get(ALIAS, "/some/page").await;
    assert_eq!(seen.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        (seen.header(RETRY_AFTER), seen.header(CACHE_CONTROL)),
        ("1", "no-store")
    );
    assert!(
        seen.body.contains("http-equiv=\"refresh\""),
        "the page loads itself again"
    );

    world.settle(&lease, failed("it <broke>")).await;
    let seen = world.get(ALIAS, "/").await;
    assert_eq!(seen.status, StatusCode::BAD_GATEWAY);
    assert!(
        seen.body.contains("it &lt;broke&gt;") && seen.body.contains("main.js: &lt;oops&gt;"),
        "{}",
        seen.body
    );

    let lease = world.accept(2, OrdinalKind::Update).await;
    assert_eq!(
        world.get(ALIAS, "/").await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
    let deployment = world.deploy(2, "two", Build::default()).await;
    world.go_live(&lease, &deployment).await;
    assert_eq!(
        world.get(ALIAS, "/").await.status,
        StatusCode::SERVICE_UNAVAILABLE,
        "the alias has yet to follow"
    );
    world
        .previews
        .move_alias(&alias(), &deployment.id)
        .await
        .unwrap();
    assert_eq!(world.get(ALIAS, "/").await.body, "two");
    let back = GiveBack::HandedOver;
    world.store.release(lease.id(), &back).await.unwrap();

    let lease = world.accept(3, OrdinalKind::Update).await;
    assert_eq!(
        world.get(ALIAS, "/").await.body,
        "two",
        "the last live revision is shown while the next is built"
    );
    world.settle(&lease, failed("no")).await;
    assert_eq!(
        world.get(ALIAS, "/").await.body,
        "two",
        "and when that fails"
    );

    let lease = world.accept(4, OrdinalKind::End).await;
    world
        .previews
        .remove(&deployment.id, world.clock.now())
        .await
        .unwrap();
    world.settle(&lease, Outcome::removed()).await;
    assert_eq!(world.get(ALIAS, "/").await.status, StatusCode::GONE);

    let _lease = world.accept(5, OrdinalKind::Update).await;
    assert_eq!(
        world.get(ALIAS, "/").await.status,
        StatusCode::SERVICE_UNAVAILABLE,
        "it comes back"
    );
}

#[tokio::test]
async fn a_live_preview_whose_files_are_gone_is_not_building() {
    let world = World::start().await;
    let lease = world.accept(1, OrdinalKind::Update).await;
    let deployment = world.deploy(1, "one", Build::default()).await;
    world.go_live(&lease, &deployment).await;
    let state = async || {
        let seen = world.get_json(ALIAS).await;
        assert_eq!(seen.status, StatusCode::SERVICE_UNAVAILABLE);
        let is_promised = seen.headers.contains_key(RETRY_AFTER);
        (
            seen.json()["state"].as_str().unwrap().to_owned(),
            is_promised,
        )
    };
    let (building, lost) = (
        ("building".to_owned(), true),
        ("unavailable".to_owned(), false),
    );
    assert_eq!(
        state().await,
        building,
        "somebody is about to move the alias"
    );

    // The one who worked on it is gone, and so, by hand, is what it had made.
    world
        .previews
        .remove(&deployment.id, world.clock.now())
        .await
        .unwrap();
    world.clock.advance(2 * HOUR);
    assert_eq!(state().await, lost);
    let page = world.get(ALIAS, "/").await;
    assert!(
        page.body.contains("Publish it again") && !page.body.contains("http-equiv=\"refresh\""),
        "{}",
        page.body
    );

    // The next update is accepted, and waits for another attempt.
    let lease = world.accept(2, OrdinalKind::Update).await;
    assert_eq!(state().await, building);
    let back = GiveBack::HandedOver;
    world.store.release(lease.id(), &back).await.unwrap();
    assert_eq!(state().await, building);

    let lease = world.accept(2, OrdinalKind::Update).await;
    world.settle(&lease, failed("no")).await;
    assert_eq!(state().await, lost);
}

#[tokio::test]
async fn states_are_told_to_programs_as_json() {
    let world = World::start().await;
    let lease = world.accept(1, OrdinalKind::Update).await;
    let seen = world.get_json(ALIAS).await;
    assert_eq!(
        (seen.status, seen.header(CONTENT_TYPE)),
        (StatusCode::SERVICE_UNAVAILABLE, "application/json")
    );
    assert_eq!(
        (&seen.json()["state"], &seen.json()["retryAfterSeconds"]),
        (&"building".into(), &1.into())
    );
    world.settle(&lease, failed("it broke")).await;
    let seen = world.get_json(ALIAS).await.json();
    assert_eq!(seen["state"], "failed");
    assert_eq!(seen["code"], "build_failed");
    assert_eq!(seen["message"], "it broke");
    assert_eq!(seen["logTail"][0], "main.js: <oops>");
    assert_eq!(
        world.get_json("nobody.localhost").await.json()["state"],
        "unknown"
    );
}

#[tokio::test]
async fn a_store_that_does_not_answer_stops_no_site() {
    let world = World::start().await;
    let deployment = world.deploy(1, "one", Build::default()).await;
    world
        .previews
        .move_alias(&alias(), &deployment.id)
        .await
        .unwrap();
    world.store.set_down(true);
    assert_eq!(world.get(ALIAS, "/").await.body, "one");
    let seen = world.get("nobody.localhost", "/").await;
    assert_eq!(
        (seen.status, seen.header(RETRY_AFTER)),
        (StatusCode::SERVICE_UNAVAILABLE, "5")
    );
    assert_eq!(
        world.get_json("nobody.localhost").await.json()["state"],
        "unavailable"
    );
}

#[tokio::test]
async fn a_file_deleted_by_hand_is_an_answer_and_no_crash() {
    let world = World::start().await;
    world.deploy(1, "one", Build::default()).await;
    std::fs::remove_dir_all(world.folder.path().join("blobs")).unwrap();
    assert_eq!(
        world.get("ctx-r1.localhost", "/").await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
}
