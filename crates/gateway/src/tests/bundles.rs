//! Bundles through the gateway, with its own client and with others.

use foreshow_contract::{BundleRef, Sha256};
use foreshow_engine::{BundleVault as _, Bundles as _, BundlesError, Failure, code};
use tempfile::{NamedTempFile, TempDir};
use tokio::io::AsyncWriteExt as _;

use super::*;
use crate::GatewayBundles;

const TAR: (&str, &str) = ("content-type", "application/x-tar");

/// Another machine: a client of the gateway, and its own folder.
struct Elsewhere {
    bundles: GatewayBundles,
    folder: TempDir,
}

impl Elsewhere {
    fn of(world: &World) -> Self {
        Self::at(&format!("http://{}", world.address), None)
    }

    fn at(url: &str, token: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let token = token.map(Into::into);
        let bundles = GatewayBundles::try_new(url, token, folder.path().join("cache")).unwrap();
        Self { bundles, folder }
    }

    fn cached(&self) -> Vec<String> {
        names_in(self.folder.path().join("cache"))
    }
}

/// Bytes that differ from place to place, so that a lost or doubled buffer shows.
fn content(bytes: usize) -> Vec<u8> {
    (0..bytes)
        .map(|at| ((at * 31) ^ (at >> 9)).to_le_bytes()[0])
        .collect()
}

fn file_of(content: &[u8]) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), content).unwrap();
    file
}

fn revision(number: u64) -> Revision {
    Revision::try_new(number).unwrap()
}

fn name(sha256: Sha256) -> String {
    format!("sha256-{sha256}.tar")
}

fn event(number: u64) -> String {
    format!("tenant=acme&context=ctx%3C42%3E&revision={number}")
}

impl World {
    async fn upload(&self, query: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Seen {
        let client = foreshow_tls::inward().build().unwrap();
        let mut request = client
            .put(format!("http://{}/v1/bundles?{query}", self.address))
            .body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.unwrap();
        Seen {
            status: answer.status(),
            headers: answer.headers().clone(),
            body: answer.text().await.unwrap(),
        }
    }

    fn assert_empty(&self) {
        assert_eq!(self.files_in("bundles"), Vec::<String>::new());
        assert_eq!(self.files_in("uploads"), Vec::<String>::new());
    }
}

fn code_of(seen: &Seen) -> String {
    seen.json()["error"]["code"].as_str().unwrap().to_owned()
}

fn assert_missing(error: &BundlesError) {
    assert_eq!(error.failure, Failure::Permanent(code::BUNDLE_MISSING));
    assert!(error.message.contains("publish the files again"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_makes_the_round_trip_and_goes_with_its_event() {
    let world = World::start().await;
    let (publisher, worker) = (Elsewhere::of(&world), Elsewhere::of(&world));
    let content = content(1 << 20);
    let (sha256, file) = (Sha256::of(&content), file_of(&content));
    let bundle = BundleRef::local(sha256);
    assert_missing(
        &worker
            .bundles
            .fetch(&bundle, &key().tenant)
            .await
            .unwrap_err(),
    );

    let held = publisher.bundles.hold(sha256, &key(), revision(1)).await;
    assert!(!held.unwrap());
    publisher.bundles.put(sha256, file.path()).await.unwrap();
    let held = publisher.bundles.hold(sha256, &key(), revision(1)).await;
    assert!(held.unwrap());
    assert_eq!(world.files_in("uploads"), Vec::<String>::new());
    assert_eq!(world.files_in("bundles"), [name(sha256)]);

    let fetched = worker.bundles.fetch(&bundle, &key().tenant).await.unwrap();
    assert_eq!(std::fs::read(&*fetched).unwrap(), content);
    let reader = fetched.clone();
    drop(fetched);
    assert!(reader.is_file(), "it stays for its last reader");
    drop(reader);
    assert_eq!(worker.cached(), Vec::<String>::new());

    for _ in 0..2 {
        let released = worker.bundles.release(&bundle, &key(), revision(1)).await;
        released.unwrap();
    }
    assert_missing(
        &worker
            .bundles
            .fetch(&bundle, &key().tenant)
            .await
            .unwrap_err(),
    );
    world.assert_empty();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_names_an_event_is_held_until_the_last_event_has_ended() {
    let world = World::start().await;
    let sha256 = Sha256::of(b"site");
    let seen = world.upload(&event(1), &[TAR], b"site".to_vec()).await;
    assert_eq!(seen.status, StatusCode::CREATED, "{}", seen.body);
    let url = format!("foreshow-bundle:sha256-{sha256}");
    let expected = serde_json::json!({ "url": url, "sha256": sha256.to_hex(), "sizeBytes": 4 });
    assert_eq!(seen.json(), expected);
    let location = format!("/v1/bundles/sha256-{sha256}");
    assert_eq!(seen.header("location"), location);
    let query = format!("{}&sha256={sha256}", event(2));
    let seen = world.upload(&query, &[TAR], b"site".to_vec()).await;
    assert_eq!(seen.status, StatusCode::OK, "it was there: {}", seen.body);

    let theirs = format!("{location}?tenant=acme");
    let seen = world.get("localhost", &theirs).await;
    assert_eq!((seen.status, seen.body.as_str()), (StatusCode::OK, "site"));
    assert_eq!(seen.header("content-type"), "application/x-tar");
    assert_eq!(seen.header("x-content-type-options"), "nosniff");
    let head = world.ask(Method::HEAD, "localhost", &theirs, &[]).await;
    assert_eq!(
        (head.status, head.header("content-length")),
        (StatusCode::OK, "4")
    );

    let hold = |number| format!("{location}/hold?{}", event(number));
    let ask = async |method, number| world.ask(method, "localhost", &hold(number), &[]).await;
    assert_eq!(ask(Method::PUT, 3).await.json()["present"], true);
    for ended in [1, 1, 2] {
        assert_eq!(
            ask(Method::DELETE, ended).await.status,
            StatusCode::NO_CONTENT
        );
        assert_eq!(world.files_in("bundles"), [name(sha256)]);
    }
    assert_eq!(ask(Method::DELETE, 3).await.status, StatusCode::NO_CONTENT);
    world.assert_empty();
    assert_eq!(ask(Method::PUT, 4).await.json()["present"], false);
    let seen = world.get("localhost", &theirs).await;
    assert_eq!(seen.status, StatusCode::NOT_FOUND);
    assert_eq!(code_of(&seen), "bundle_missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_knows_a_digest_of_another_tenant_gets_nothing_by_it() {
    let world = World::start().await;
    let sha256 = Sha256::of(b"site");
    let seen = world.upload(&event(1), &[TAR], b"site".to_vec()).await;
    assert_eq!(seen.status, StatusCode::CREATED, "{}", seen.body);
    let location = format!("/v1/bundles/sha256-{sha256}");
    let unknown = format!("/v1/bundles/sha256-{}", Sha256::of(b"another"));
    let ask = async |path: &str, query: &str| {
        let seen = world.get("localhost", &format!("{path}{query}")).await;
        (seen.status, code_of(&seen))
    };
    let missing = (StatusCode::NOT_FOUND, "bundle_missing".to_owned());
    assert_eq!(ask(&location, "?tenant=globex").await, missing);
    assert_eq!(ask(&unknown, "?tenant=globex").await, missing);
    let nobodys = (StatusCode::BAD_REQUEST, "invalid_query".to_owned());
    assert_eq!(ask(&location, "").await, nobodys);

    let globex = foreshow_contract::TenantId::try_new("globex").unwrap();
    let worker = Elsewhere::of(&world);
    let bundle = BundleRef::local(sha256);
    assert_missing(&worker.bundles.fetch(&bundle, &globex).await.unwrap_err());
    let theirs = worker.bundles.fetch(&bundle, &key().tenant).await.unwrap();
    assert_eq!(std::fs::read(&*theirs).unwrap(), b"site");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_without_an_event_stays_until_it_is_swept() {
    let world = World::start().await;
    for _ in 0..2 {
        let seen = world.upload("", &[TAR], b"site".to_vec()).await;
        assert_eq!(seen.status, StatusCode::CREATED, "{}", seen.body);
    }
    let sha256 = Sha256::of(b"site");
    assert_eq!(world.files_in("bundles"), [name(sha256)]);
    // Files have their ages by the real clock.
    let later = Timestamp::now().saturating_add(HOUR);
    assert_eq!(world.bundles.sweep(later).await.unwrap(), 1);
    world.assert_empty();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_what_was_announced_is_refused_and_leaves_nothing() {
    let world = World::start().await;
    let query = format!("{}&sha256={}", event(1), Sha256::of(b"another"));
    let seen = world.upload(&query, &[TAR], b"site".to_vec()).await;
    assert_eq!(seen.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(code_of(&seen), "digest_mismatch");
    world.assert_empty();

    let publisher = Elsewhere::of(&world);
    let file = file_of(b"site");
    let put = publisher.bundles.put(Sha256::of(b"another"), file.path());
    let error = put.await.unwrap_err();
    assert_eq!(error.failure, Failure::Permanent("bundle_digest_mismatch"));
    world.assert_empty();

    let gz = ("content-type", "application/gzip");
    let seen = world.upload(&event(1), &[gz], b"site".to_vec()).await;
    assert_eq!(seen.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert!(seen.body.contains("tar.gz"), "{}", seen.body);
    let seen = world.upload("tenant=acme", &[TAR], b"site".to_vec()).await;
    assert_eq!(seen.status, StatusCode::BAD_REQUEST);
    assert_eq!(code_of(&seen), "invalid_query");
    world.assert_empty();
}

/// Far more than sockets hold: the answer arrives although nobody takes the rest.
#[tokio::test(flavor = "multi_thread")]
async fn too_large_a_bundle_is_told_so_however_it_is_sent() {
    let world = World::start_as(Setup {
        bundles: Some(1000),
        ..Setup::default()
    })
    .await;
    let large = content(32 << 20);
    let seen = world.upload(&event(1), &[TAR], large.clone()).await;
    assert_eq!(seen.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(code_of(&seen), "bundle_too_large");
    assert!(seen.body.contains("more than 1000 bytes"), "{}", seen.body);

    // In pieces, and nobody says how many: it is cut off where the limit is.
    let client = foreshow_tls::inward().build().unwrap();
    let pieces = large
        .chunks(64 << 10)
        .map(|piece| Ok::<_, std::io::Error>(piece.to_vec()));
    let pieces: Vec<_> = pieces.collect();
    let body = reqwest::Body::wrap_stream(futures_util::stream::iter(pieces));
    let request = client.put(format!("http://{}/v1/bundles?{}", world.address, event(1)));
    let answer = request
        .header(TAR.0, TAR.1)
        .body(body)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);

    let publisher = Elsewhere::of(&world);
    let file = file_of(&large);
    let put = publisher.bundles.put(Sha256::of(&large), file.path());
    let error = put.await.unwrap_err();
    assert_eq!(error.failure, Failure::Permanent("bundle_too_large"));
    assert!(
        error.message.contains("gateway.bundle_max_bytes"),
        "{error}"
    );
    world.assert_empty();

    let exactly = content(1000);
    let seen = world.upload(&event(1), &[TAR], exactly).await;
    assert_eq!(seen.status, StatusCode::CREATED, "{}", seen.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_breaks_off_leaves_nothing() {
    let world = World::start().await;
    let head = format!(
        "PUT /v1/bundles?{} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-tar\r\nContent-Length: 1000\r\n\r\n",
        event(1)
    );
    let mut connection = tokio::net::TcpStream::connect(world.address).await.unwrap();
    connection.write_all(head.as_bytes()).await.unwrap();
    connection.write_all(&content(500)).await.unwrap();
    until("the upload begins", || {
        !world.files_in("uploads").is_empty()
    })
    .await;
    drop(connection);
    until("what was received goes", || {
        world.files_in("uploads").is_empty()
    })
    .await;
    world.assert_empty();
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_of_one_bundle_at_once_make_one() {
    let world = World::start().await;
    let content = content(300_000);
    let uploads = (1..=24).map(|number| {
        let content = content.clone();
        let world = &world;
        async move { world.upload(&event(number), &[TAR], content).await }
    });
    for seen in futures_util::future::join_all(uploads).await {
        assert!(seen.status.is_success(), "{}", seen.body);
    }
    let sha256 = Sha256::of(&content);
    assert_eq!(world.files_in("bundles"), [name(sha256)]);
    assert_eq!(world.files_in("uploads"), Vec::<String>::new());
    let worker = Elsewhere::of(&world);
    for number in 1..=24 {
        let bundle = BundleRef::local(sha256);
        let fetched = worker.bundles.fetch(&bundle, &key().tenant).await.unwrap();
        assert_eq!(std::fs::read(&*fetched).unwrap(), content);
        let released = worker
            .bundles
            .release(&bundle, &key(), revision(number))
            .await;
        released.unwrap();
    }
    world.assert_empty();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_bundle_is_not_handed_out_and_uploading_again_mends_it() {
    let world = World::start().await;
    let (sha256, file) = (Sha256::of(b"site"), file_of(b"site"));
    let elsewhere = Elsewhere::of(&world);
    let held = elsewhere.bundles.hold(sha256, &key(), revision(1)).await;
    assert!(!held.unwrap());
    elsewhere.bundles.put(sha256, file.path()).await.unwrap();
    let kept = world.folder.path().join("bundles").join(name(sha256));
    std::fs::write(kept, "sight").unwrap();
    let bundle = BundleRef::local(sha256);
    let error = elsewhere
        .bundles
        .fetch(&bundle, &key().tenant)
        .await
        .unwrap_err();
    assert_eq!(error.failure, Failure::Retryable { after: None });
    assert!(error.message.contains("publish the files again"), "{error}");
    assert_eq!(elsewhere.cached(), Vec::<String>::new());
    elsewhere.bundles.put(sha256, file.path()).await.unwrap();
    elsewhere
        .bundles
        .fetch(&bundle, &key().tenant)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_without_bundles_or_none_at_all_ends_no_event() {
    let world = World::start_as(Setup {
        bundles: None,
        ..Setup::default()
    })
    .await;
    let bundle = BundleRef::local(Sha256::of(b"site"));
    let error = Elsewhere::of(&world)
        .bundles
        .fetch(&bundle, &key().tenant)
        .await
        .unwrap_err();
    assert_eq!(error.failure, Failure::Retryable { after: None });
    assert!(error.message.contains("keeps no bundles"), "{error}");

    // Another server at that address, which has another idea of what is there.
    let url = format!("http://{}/elsewhere", world.address);
    let wrong = Elsewhere::at(&url, None);
    let error = wrong
        .bundles
        .fetch(&bundle, &key().tenant)
        .await
        .unwrap_err();
    assert_eq!(error.failure, Failure::Retryable { after: None });
    assert!(error.message.contains("another server"), "{error}");

    world.shutdown.cancel();
    world.served.await.unwrap().unwrap();
    let nobody = Elsewhere::at(&format!("http://{}", world.address), None);
    let error = nobody
        .bundles
        .fetch(&bundle, &key().tenant)
        .await
        .unwrap_err();
    assert_eq!(error.failure, Failure::Retryable { after: None });
    assert!(error.message.contains("gateway.url"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_from_elsewhere_is_nobodys_here() {
    let world = World::start().await;
    let bundle = BundleRef {
        url: "https://user:secret@example.com/site.tar".to_owned(),
        sha256: Sha256::of(b"site"),
    };
    let elsewhere = Elsewhere::of(&world);
    let error = elsewhere
        .bundles
        .fetch(&bundle, &key().tenant)
        .await
        .unwrap_err();
    assert_eq!(error.failure, Failure::Permanent(code::BUNDLE_UNSUPPORTED));
    assert!(!error.message.contains("secret"), "{error}");
    let released = elsewhere
        .bundles
        .release(&bundle, &key(), revision(1))
        .await;
    released.unwrap();
}
