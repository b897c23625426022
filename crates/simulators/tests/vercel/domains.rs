//! A domain of one's own: added, proved, bound.

use reqwest::Method;
use serde_json::json;

use crate::harness::{World, answered, code};

#[tokio::test]
async fn a_domain_is_bound_only_after_its_record_is_there_and_was_looked_for() {
    let world = World::start().await;
    let created = world.deploy(&[("index.html", "hello")]).await;
    world.open_previews().await;
    let aliases = format!(
        "/v2/deployments/{}/aliases",
        created["id"].as_str().unwrap()
    );
    let wanted = json!({"alias": "preview.example.com"});

    let (status, added) = world
        .post(
            "/v10/projects/site/domains",
            json!({"name": "preview.example.com"}),
        )
        .await;
    assert_eq!((status, &added["verified"]), (200, &json!(false)));
    assert_eq!(
        (&added["apexName"], &added["verification"][0]["type"]),
        (&json!("example.com"), &json!("TXT"))
    );
    assert_eq!(
        world
            .post(
                "/v10/projects/site/domains",
                json!({"name": "preview.example.com"})
            )
            .await
            .0,
        409
    );
    assert_eq!(
        code(&world.post(&aliases, wanted.clone()).await),
        (400, "domain_not_verified")
    );
    let verify = "/v9/projects/site/domains/preview.example.com/verify";
    assert_eq!(
        code(&world.post(verify, json!({})).await),
        (400, "missing_txt_record")
    );
    assert_eq!(
        world.get("/v6/domains/preview.example.com/config").await.1["misconfigured"],
        json!(true)
    );

    let control = format!(
        "{}/_simulator/verify-domain/preview.example.com",
        world.simulator.api_url()
    );
    assert_eq!(
        answered(world.http.request(Method::POST, &control)).await.0,
        200
    );
    assert_eq!(
        world
            .get("/v9/projects/site/domains/preview.example.com")
            .await
            .1["verified"],
        json!(false)
    );
    let (status, verified) = world.post(verify, json!({})).await;
    assert_eq!((status, &verified["verified"]), (200, &json!(true)));
    assert!(verified.get("verification").is_none());

    assert_eq!(world.post(&aliases, wanted).await.0, 200);
    assert_eq!(world.visit("preview.example.com", "/").await.body, "hello");
    assert_eq!(
        world
            .delete("/v9/projects/site/domains/preview.example.com")
            .await
            .0,
        200
    );
    assert_eq!(
        world.visit("preview.example.com", "/v2/user").await.status,
        403,
        "the host leads to the API again"
    );
    assert!(!world.simulator.verify_domain("preview.example.com"));
}
