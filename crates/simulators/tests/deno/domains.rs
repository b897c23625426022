//! Custom domains.

use foreshow_simulators::deno::DenoOperation;
use serde_json::{Value, json};

use crate::world::{World, hosts};

#[tokio::test]
async fn a_domain_is_proven_given_a_certificate_and_bound() {
    let world = World::start().await;
    world.app("shop").await;
    let body = json!({ "domain": "preview.example.com", "kind": "base_and_wildcard" });
    let domain = world.done("POST", "domains", body.clone()).await;
    assert_eq!(domain["is_validated"], false);
    assert!(
        domain["dns_records"].as_array().unwrap().len() > 1,
        "records are alternatives"
    );
    assert_eq!(world.ask("POST", "domains", body).await.status, 409);

    let refused = |more: Value| {
        let mut body = json!({ "assets": { "index.html": { "content": "x" } } });
        body["production"] = more;
        world.ask("POST", "apps/shop/deploy", body)
    };
    let wanted = json!({ "domains": ["preview.example.com"] });
    assert_eq!(
        refused(wanted.clone()).await.status,
        400,
        "it is not proven yet"
    );
    let provision = "domains/preview.example.com/certificates/provision";
    assert_eq!(world.ask("POST", provision, Value::Null).await.status, 400);
    let verify = "domains/preview.example.com/verify";
    assert_eq!(
        world.done("POST", verify, Value::Null).await["is_validated"],
        false
    );

    assert!(world.simulator.verify_domain("preview.example.com"));
    assert!(!world.simulator.verify_domain("other.example.com"));
    assert_eq!(
        world.done("POST", verify, Value::Null).await["is_validated"],
        true
    );
    let ordered = world.ask("POST", provision, Value::Null).await;
    assert_eq!(
        (ordered.status.as_u16(), ordered.body),
        (202, json!({ "accepted": true }))
    );
    let certificates = world
        .get("domains/preview.example.com/certificates")
        .await
        .body;
    assert_eq!(certificates["provisioning_status"]["code"], "success");
    assert_eq!(certificates["certificates"][0]["kind"], "automatic");

    let preview = json!({ "domains": ["pr-{deno.revision.id}.preview.example.com"] });
    let id = world
        .deploy(
            "shop",
            "one",
            json!({ "production": wanted, "preview": preview }),
        )
        .await;
    let revision = world.over(&id).await;
    assert_eq!(hosts(&revision, "Production"), ["preview.example.com"]);
    assert_eq!(
        hosts(&revision, "Preview"),
        [format!("pr-{id}.preview.example.com")]
    );
    assert_eq!(
        world.visit("preview.example.com", "/").await,
        (200, "one".to_owned())
    );
    assert_eq!(
        world.visit(&hosts(&revision, "Preview")[0], "/").await.0,
        200
    );
    let outside = refused(json!({ "domains": ["a.b.preview.example.com"] })).await;
    assert_eq!(outside.status, 400, "a wildcard is one label");

    world
        .done("DELETE", "domains/preview.example.com", Value::Null)
        .await;
    assert!(hosts(&world.revision(&id).await, "Production").is_empty());
}

#[tokio::test]
async fn a_bound_domain_moves_to_the_newest_and_back_only_by_detaching() {
    let world = World::start().await;
    world.app("shop").await;
    world
        .done("POST", "domains", json!({ "domain": "shop.example.com" }))
        .await;
    world.simulator.verify_domain("shop.example.com");
    world
        .done("POST", "domains/shop.example.com/verify", Value::Null)
        .await;
    let one = world.deploy("shop", "one", Value::Null).await;
    let two = world.deploy("shop", "two", Value::Null).await;
    let bind = json!({ "production": ["shop.example.com"] });
    for id in [&two, &one] {
        world.over(id).await;
        let path = format!("revisions/{id}/domains");
        assert_eq!(world.ask("PUT", &path, bind.clone()).await.status, 204);
    }
    assert_eq!(
        world.visit("shop.example.com", "/").await.1,
        "two",
        "the newest, not the last bound"
    );
    world
        .done(
            "DELETE",
            &format!("revisions/{two}/domains/shop.example.com"),
            Value::Null,
        )
        .await;
    assert_eq!(world.visit("shop.example.com", "/").await.1, "one");
    assert_eq!(
        world.simulator.calls_of(DenoOperation::DetachDomain).len(),
        1
    );
}

#[tokio::test]
async fn domains_are_checked_and_counted() {
    let world = World::with(|knobs| knobs.max_custom_domains = 1).await;
    for bad in [
        "*.example.com",
        "localhost",
        "127.0.0.1",
        "a b.example",
        "-a.example",
    ] {
        let refused = world.ask("POST", "domains", json!({ "domain": bad })).await;
        assert_eq!(refused.code(), (400, "MALFORMED_REQUEST"), "{bad}");
    }
    world
        .done("POST", "domains", json!({ "domain": "a.example" }))
        .await;
    let refused = world
        .ask("POST", "domains", json!({ "domain": "b.example" }))
        .await;
    assert_eq!(refused.code(), (400, "CUSTOM_DOMAIN_LIMIT_EXCEEDED"));
    assert_eq!(
        world
            .get("domains?search=a.ex")
            .await
            .body
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn a_certificate_of_ones_own_is_taken_in_pem() {
    let world = World::start().await;
    world
        .done("POST", "domains", json!({ "domain": "a.example" }))
        .await;
    let pem = |what: &str| format!("-----BEGIN {what}-----\nAA==\n-----END {what}-----\n");
    let upload = |certificate: String| {
        let body = json!({ "certificate": certificate, "private_key": pem("PRIVATE KEY") });
        world.ask("POST", "domains/a.example/certificates", body)
    };
    assert_eq!(upload("nonsense".to_owned()).await.status, 400);
    let taken = upload(pem("CERTIFICATE")).await;
    assert_eq!(taken.body["certificates"][0]["kind"], "manual");
}
