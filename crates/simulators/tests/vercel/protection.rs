//! Vercel's login, and the ways past it.

use foreshow_simulators::vercel::StrangerAnswer;
use serde_json::json;

use crate::harness::World;

#[tokio::test]
async fn strangers_are_kept_out_of_previews_of_new_projects() {
    let world = World::start().await;
    let preview = world.deploy(&[("index.html", "x")]).await;
    let host = preview["url"].as_str().unwrap();
    let page = world.visit(host, "/").await;
    assert_eq!(page.status, 401);
    assert!(
        page.body.contains("https://vercel.com/sso-api?url="),
        "{}",
        page.body
    );
    world
        .simulator
        .turn(|knobs| knobs.stranger = StrangerAnswer::Redirect);
    let page = world.visit(host, "/").await;
    assert_eq!(page.status, 302);
    assert!(
        page.headers["location"]
            .to_str()
            .unwrap()
            .starts_with("https://vercel.com/sso-api")
    );
    let production = world
        .deploy_with(&[("index.html", "live")], json!({"target": "production"}))
        .await;
    assert_eq!(
        world
            .visit(production["url"].as_str().unwrap(), "/")
            .await
            .body,
        "live"
    );

    world.open_previews().await;
    assert_eq!(world.visit(host, "/").await.status, 200);
    let all = json!({"ssoProtection": {"deploymentType": "all"}});
    world.patch("/v9/projects/site", all).await;
    assert_eq!(
        world
            .visit(production["url"].as_str().unwrap(), "/")
            .await
            .status,
        302
    );
}

#[tokio::test]
async fn the_bypass_secret_lets_in_by_header_query_and_cookie_until_it_is_revoked() {
    let world = World::start().await;
    let preview = world.deploy(&[("index.html", "x")]).await;
    let host = preview["url"].as_str().unwrap();
    let secret = "0123456789abcdefghijklmnopqrstuv";
    let path = "/v1/projects/site/protection-bypass";
    let (status, told) = world
        .patch(path, json!({"generate": {"secret": secret}}))
        .await;
    assert_eq!(
        (status, &told["protectionBypass"][secret]["scope"]),
        (200, &json!("automation-bypass"))
    );

    let by_header = [
        ("x-vercel-protection-bypass", secret),
        ("x-vercel-set-bypass-cookie", "true"),
    ];
    let page = world.visit_with(host, "/", &by_header).await;
    assert_eq!(page.status, 200);
    let cookie = page.headers["set-cookie"]
        .to_str()
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    assert!(!cookie.contains(secret), "{cookie}");
    assert_eq!(
        world
            .visit(host, &format!("/?x-vercel-protection-bypass={secret}"))
            .await
            .status,
        200
    );
    assert_eq!(
        world
            .visit_with(host, "/", &[("cookie", &cookie)])
            .await
            .status,
        200
    );
    assert_eq!(
        world
            .visit_with(host, "/", &[("x-vercel-protection-bypass", "wrong")])
            .await
            .status,
        401
    );

    assert_eq!(
        world
            .patch(path, json!({"revoke": {"secret": secret}}))
            .await
            .0,
        200
    );
    assert_eq!(world.visit_with(host, "/", &by_header).await.status, 401);
    assert_eq!(
        world
            .visit_with(host, "/", &[("cookie", &cookie)])
            .await
            .status,
        401
    );
    assert_eq!(
        world
            .patch(path, json!({"generate": {"secret": "short"}}))
            .await
            .0,
        400
    );
}

#[tokio::test]
async fn a_share_link_lets_in_to_one_deployment() {
    let world = World::start().await;
    let shared = world.deploy(&[("index.html", "x")]).await;
    let other = world.deploy(&[("index.html", "y")]).await;
    let path = format!(
        "/aliases/{}/protection-bypass",
        shared["id"].as_str().unwrap()
    );
    let (status, told) = world.patch(&path, json!({"ttl": 3600})).await;
    assert_eq!(status, 200, "{told}");
    let secret = told["protectionBypass"]
        .as_object()
        .unwrap()
        .keys()
        .next()
        .unwrap();
    let link = format!("/?_vercel_share={secret}");
    assert_eq!(
        world
            .visit(shared["url"].as_str().unwrap(), &link)
            .await
            .status,
        200
    );
    assert_eq!(
        world
            .visit(other["url"].as_str().unwrap(), &link)
            .await
            .status,
        401
    );
}
