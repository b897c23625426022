//! Who may use the API. `guard` has the rules one by one; these ask over real connections.

use foreshow_contract::{BundleRef, Sha256};
use foreshow_engine::{BundleVault as _, Bundles as _, Failure};

use super::*;
use crate::GatewayBundles;

const BEARER: (&str, &str) = ("authorization", "Bearer s3cret");

async fn beyond_this_machine(token: Option<&'static str>) -> World {
    World::start_as(Setup {
        listen: "0.0.0.0:0",
        token,
        ..Setup::default()
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_token_it_answers_beyond_this_machine_under_any_name() {
    let world = beyond_this_machine(Some("s3cret")).await;
    let ask = async |host, path, headers: &[(&str, &str)]| {
        world.ask(Method::GET, host, path, headers).await
    };
    for host in ["gateway.example", "10.0.0.7:8080", "localhost"] {
        let seen = ask(host, "/v1/previews", &[BEARER]).await;
        assert_eq!(seen.status, StatusCode::OK, "{host}");
        let seen = ask(host, "/", &[BEARER]).await;
        assert_eq!(seen.status, StatusCode::OK, "{host}");
        let seen = ask(host, "/v1/previews", &[]).await;
        assert_eq!(seen.status, StatusCode::UNAUTHORIZED, "{host}");
        assert_eq!(seen.header("www-authenticate"), "Bearer");
        assert_eq!(seen.json()["error"]["code"], "token_required");
        let seen = ask(host, "/healthz", &[]).await;
        assert_eq!(seen.status, StatusCode::OK, "{host}");
    }
    let wrong = [("authorization", "Bearer s3creT")];
    let seen = ask("gateway.example", "/v1/previews", &wrong).await;
    assert_eq!(seen.json()["error"]["code"], "wrong_token");
    let seen = ask("gateway.example", "/", &[("accept", "text/html")]).await;
    assert_eq!(seen.status, StatusCode::UNAUTHORIZED);
    assert!(seen.body.contains("browser"), "{}", seen.body);

    world.deploy(1, "one", Build::default()).await;
    let seen = ask("ctx-r1.localhost", "/", &[]).await;
    assert_eq!(seen.body, "one", "previews are for everybody");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_of_its_own_it_says_which_key_to_set() {
    let world = beyond_this_machine(None).await;
    let seen = world.ask(Method::GET, "localhost", "/v1/previews", &[BEARER]);
    let seen = seen.await;
    assert_eq!(seen.status, StatusCode::FORBIDDEN);
    assert_eq!(seen.json()["error"]["code"], "no_token_configured");
    assert!(seen.body.contains("gateway.token"), "{}", seen.body);
}

/// The bundle is far larger than sockets hold: who is refused hears why all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_and_a_publisher_need_the_token() {
    let world = beyond_this_machine(Some("s3cret")).await;
    let url = format!("http://{}", world.address);
    let cache = world.folder.path().join("cache");
    let file = tempfile::NamedTempFile::new().unwrap();
    let content = vec![7; 32 << 20];
    std::fs::write(file.path(), &content).unwrap();
    let sha256 = Sha256::of(&content);
    for token in [None, Some("another".into())] {
        let without = GatewayBundles::try_new(&url, token, cache.clone()).unwrap();
        let error = without.put(sha256, file.path()).await.unwrap_err();
        assert_eq!(error.failure, Failure::Retryable { after: None });
        assert!(error.message.contains("gateway.token"), "{error}");
        let bundle = BundleRef::local(sha256);
        let error = without.fetch(&bundle, &key().tenant).await.unwrap_err();
        assert_eq!(error.failure, Failure::Retryable { after: None });
        assert!(error.message.contains("gateway.token"), "{error}");
    }
    assert_eq!(world.files_in("bundles"), Vec::<String>::new());

    let with = GatewayBundles::try_new(&url, Some("s3cret".into()), cache).unwrap();
    std::fs::write(file.path(), b"site").unwrap();
    let sha256 = Sha256::of(b"site");
    with.put(sha256, file.path()).await.unwrap();
    with.hold(sha256, &key(), Revision::try_new(1).unwrap())
        .await
        .unwrap();
    let bundle = BundleRef::local(sha256);
    with.fetch(&bundle, &key().tenant).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_sites_page_changes_nothing() {
    let world = World::start().await;
    let sha256 = Sha256::of(b"");
    let hold = format!("/v1/bundles/sha256-{sha256}/hold?tenant=a&context=b&revision=1");
    let site = format!("localhost:{}", world.address.port());
    let own = format!("http://{site}");
    let preview = format!("http://ctx-r1.localhost:{}", world.address.port());
    let tar = ("content-type", "application/x-tar");
    for method in [Method::PUT, Method::DELETE] {
        let ask =
            async |headers: &[(&str, &str)]| world.ask(method.clone(), &site, &hold, headers).await;
        for headers in [
            &[("origin", preview.as_str())][..],
            &[("origin", "null")],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "cross-site")],
        ] {
            let seen = ask(headers).await;
            assert_eq!(seen.status, StatusCode::FORBIDDEN, "{headers:?}");
            assert_eq!(seen.json()["error"]["code"], "another_site");
        }
        let seen = world.ask(method.clone(), "evil.example", &hold, &[]).await;
        assert_eq!(seen.status, StatusCode::MISDIRECTED_REQUEST);
        let seen = ask(&[("origin", own.as_str())]).await;
        assert!(seen.status.is_success(), "{}", seen.body);
    }
    let foreign = [tar, ("origin", preview.as_str())];
    let seen = world.ask(Method::PUT, &site, "/v1/bundles", &foreign).await;
    assert_eq!(seen.status, StatusCode::FORBIDDEN);
    assert_eq!(world.files_in("bundles"), Vec::<String>::new());
    // A page asks before it sends a PUT or a type that forms don't have, and is never told yes.
    let asks = [
        ("origin", preview.as_str()),
        ("access-control-request-method", "PUT"),
    ];
    let seen = world
        .ask(Method::OPTIONS, &site, "/v1/bundles", &asks)
        .await;
    assert!(!seen.status.is_success());
    assert_eq!(seen.header("access-control-allow-origin"), "");
}
