//! What providers say: signed, it wakes whoever watches the context; else it is refused, from wherever it comes.

use std::time::Duration;

use super::*;
use crate::{NotSigned, ProviderHook};

/// A provider that signs by a header.
pub(super) struct FakeHook;

impl ProviderHook for FakeHook {
    fn provider(&self) -> &'static str {
        "acme"
    }

    fn read(&self, headers: &HeaderMap, _: &[u8]) -> Result<Option<ContextKey>, NotSigned> {
        match headers.get("x-signed").map(http::HeaderValue::as_bytes) {
            Some(b"yes") => Ok(Some(key())),
            Some(b"other") => Ok(None),
            Some(_) | None => Err(NotSigned),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_hook_wakes_whoever_watches_its_context() {
    // Beyond this machine, where everything else wants the token.
    let world = World::start_as(Setup {
        listen: "0.0.0.0:0",
        token: Some("s3cret"),
        ..Setup::default()
    })
    .await;
    let mut watch = world.store.watch(&key());
    let post = async |path, signed| {
        let headers = [("x-signed", signed)];
        world
            .ask(Method::POST, "gateway.example", path, &headers)
            .await
    };
    let seen = post("/v1/hooks/acme", "other").await;
    assert_eq!(seen.status, StatusCode::NO_CONTENT);
    let seen = post("/v1/hooks/acme", "no").await;
    assert_eq!(seen.status, StatusCode::FORBIDDEN);
    assert_eq!(seen.json()["error"]["code"], "wrong_signature");
    let seen = post("/v1/hooks/nobody", "yes").await;
    assert_eq!(seen.status, StatusCode::NOT_FOUND);
    let headers = [("x-signed", "yes")];
    let seen = world
        .ask(Method::GET, "gateway.example", "/v1/hooks/acme", &headers)
        .await;
    assert_eq!(seen.status, StatusCode::METHOD_NOT_ALLOWED);
    // None of these has woken anybody: it is still there to be heard.
    let heard = tokio::time::timeout(Duration::ZERO, watch.changed()).await;
    assert!(heard.is_err());
    let seen = post("/v1/hooks/acme", "yes").await;
    assert_eq!(seen.status, StatusCode::NO_CONTENT);
    let heard = tokio::time::timeout(Duration::from_secs(30), watch.changed()).await;
    heard.expect("whoever watches is woken");
}
