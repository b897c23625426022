//! Webhooks arrive, signed, at who asked for them.

use std::sync::Arc;

use axum::{Router, extract::State, http::HeaderMap, http::StatusCode, routing::post};
use data_encoding::HEXLOWER;
use foreshow_simulators::core::BuildOutcome;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha1::Sha1;
use tokio::{net::TcpListener, sync::mpsc, time::timeout};

use crate::harness::{SOON, World};

type Delivery = (HeaderMap, String);

/// A receiver whose first answer is 503.
async fn receiver() -> (String, mpsc::UnboundedReceiver<Delivery>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook?from=vercel", listener.local_addr().unwrap());
    let state = Arc::new((sender, std::sync::atomic::AtomicBool::new(false)));
    let take = async |State(state): State<
        Arc<(
            mpsc::UnboundedSender<Delivery>,
            std::sync::atomic::AtomicBool,
        )>,
    >,
                      headers: HeaderMap,
                      body: String| {
        if !state.1.swap(true, std::sync::atomic::Ordering::SeqCst) {
            return StatusCode::SERVICE_UNAVAILABLE;
        }
        state.0.send((headers, body)).unwrap();
        StatusCode::OK
    };
    let router = Router::new().route("/hook", post(take)).with_state(state);
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, receiver)
}

#[tokio::test]
async fn deliveries_are_signed_repeated_until_taken_and_carry_the_marks() {
    let world = World::start().await;
    let (url, mut deliveries) = receiver().await;
    let events = [
        "deployment.created",
        "deployment.ready",
        "deployment.error",
        "deployment.canceled",
    ];
    let (status, made) = world
        .post("/v1/webhooks", json!({"url": url, "events": events}))
        .await;
    assert_eq!(status, 200, "{made}");
    let secret = made["secret"].as_str().unwrap().to_owned();
    let path = format!("/v1/webhooks/{}", made["id"].as_str().unwrap());
    assert!(
        world.get(&path).await.1.get("secret").is_none(),
        "the secret is told once"
    );

    world
        .simulator
        .turn(|knobs| knobs.builds.next.push_back(BuildOutcome::Never));
    let created = world
        .deploy_with(
            &[("index.html", "x")],
            json!({"meta": {"foreshowContext": "ctx-1"}}),
        )
        .await;
    world.deploy(&[("index.html", "x")]).await;
    world.simulator.turn(|knobs| {
        knobs
            .builds
            .next
            .push_back(BuildOutcome::Failed { log: Vec::new() });
    });
    world.deploy(&[("index.html", "x")]).await;
    let cancel = format!(
        "/v12/deployments/{}/cancel",
        created["id"].as_str().unwrap()
    );
    world.patch(&cancel, json!({})).await;

    let mut kinds = Vec::new();
    while kinds.len() < 6 {
        let (headers, body) = timeout(SOON, deliveries.recv())
            .await
            .expect("all six arrive")
            .unwrap();
        let mut mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(body.as_bytes());
        let expected = HEXLOWER.encode(&mac.finalize().into_bytes());
        assert_eq!(headers["x-vercel-signature"], expected);
        let told: Value = serde_json::from_str(&body).unwrap();
        if told["payload"]["deployment"]["id"] == created["id"] {
            assert_eq!(
                told["payload"]["deployment"]["meta"]["foreshowContext"],
                "ctx-1"
            );
        }
        kinds.push(told["type"].as_str().unwrap().to_owned());
    }
    kinds.sort();
    let expected = [
        "deployment.canceled",
        "deployment.created",
        "deployment.created",
        "deployment.created",
        "deployment.error",
        "deployment.ready",
    ];
    assert_eq!(kinds, expected);
    assert_eq!(world.delete(&path).await.0, 204);
    assert_eq!(world.get(&path).await.0, 404);
}

#[tokio::test]
async fn a_webhook_that_cannot_be_made_is_refused() {
    let world = World::start().await;
    for body in [
        json!({"url": "nowhere", "events": ["deployment.ready"]}),
        json!({"url": "https://example.com/", "events": ["deployment.ready"]}),
        json!({"url": "http://127.0.0.1:1/", "events": []}),
    ] {
        assert_eq!(
            world.post("/v1/webhooks", body.clone()).await.0,
            400,
            "{body}"
        );
    }
}
