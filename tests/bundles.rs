//! A context's files by URL: whatever archive it is, and whatever is wrong with it.
#![expect(
    clippy::unwrap_used,
    reason = "stories are tests, told from two places"
)]

use std::io::{Cursor, Read as _, Write as _};

use foreshow_contract::{
    BundleRef, Content, ContextEvent, ContextUpdated, IncomingEvent, ResultBody, ResultEvent,
    Revision, Sha256,
};
use foreshow_tests::{FileServer, Foreshow, Upstream, event, fetch, key, update, write};

foreshow_tests::on_every_ground! {
    every_kind_of_archive_is_deployed_and_served_as_it_was_packed
    the_same_files_cost_a_tenant_one_transfer_and_give_another_tenant_nothing
    a_bundle_that_cannot_be_deployed_fails_once_and_by_name
    a_server_that_is_not_there_yet_is_asked_again
}

/// What a site is made of: text, bytes that are none, and a folder.
fn files() -> Vec<(&'static str, Vec<u8>)> {
    let bytes = (0..70_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0]);
    vec![
        ("index.html", b"<!doctype html><h1>packed</h1>".to_vec()),
        ("assets/logo.bin", bytes.collect()),
        ("assets/deep/er/page.html", "<p>gr\u{fc}n</p>".into()),
    ]
}

fn tar(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, path, content.as_slice())
            .unwrap();
    }
    tar.into_inner().unwrap()
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let level = flate2::Compression::default();
    let mut packed = Vec::new();
    let mut packing = flate2::read::GzEncoder::new(content, level);
    packing.read_to_end(&mut packed).unwrap();
    packed
}

fn zstd(content: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(content, ruzstd::encoding::CompressionLevel::Fastest)
}

fn zip(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (path, content) in files {
        let options = zip::write::SimpleFileOptions::default();
        zip.start_file(*path, options).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// An update whose files are at a URL.
fn bundled(tenant: &str, context: &str, url: &str, sha256: Sha256) -> IncomingEvent {
    let url = url.to_owned();
    event(ContextEvent::Updated(ContextUpdated::new(
        key(tenant, context),
        Revision::try_new(1).unwrap(),
        Content::Bundle(BundleRef { url, sha256 }),
    )))
}

/// A server of files, and an installation that may fetch from it.
async fn with_server(foreshow: Foreshow) -> (FileServer, Foreshow) {
    let folder = foreshow.folder().join("served");
    std::fs::create_dir(&folder).unwrap();
    let server = FileServer::of(&folder).await;
    let foreshow = foreshow.fetching_from(&server);
    (server, foreshow)
}

fn serve(foreshow: &Foreshow, name: &str, content: &[u8]) -> Sha256 {
    write(&foreshow.folder().join("served"), name, content);
    Sha256::of(content)
}

/// Publishes it and waits for its end.
async fn end_of(upstream: &mut Upstream, event: IncomingEvent) -> ResultEvent {
    upstream.publish(&event).await;
    upstream.next_end().await
}

fn url_of(end: &ResultEvent) -> &str {
    let ResultBody::Ready(ready) = &end.body else {
        panic!("{end:?}")
    };
    &ready.url
}

async fn every_kind_of_archive_is_deployed_and_served_as_it_was_packed(foreshow: Foreshow) {
    let (server, foreshow) = with_server(foreshow).await;
    let _up = foreshow.up().await;
    let mut upstream = Upstream::connect(&foreshow).await;
    let files = files();
    let tar = tar(&files);
    for (name, archive) in [
        ("site.tar", tar.clone()),
        ("site.tar.gz", gzip(&tar)),
        ("site.tar.zst", zstd(&tar)),
        ("site.zip", zip(&files)),
        // A name says nothing: what is in it does.
        ("download", gzip(&tar)),
    ] {
        let sha256 = serve(&foreshow, name, &archive);
        let update = bundled("acme", name, &server.url(name), sha256);
        let end = end_of(&mut upstream, update).await;
        let url = url_of(&end);
        for (path, content) in &files {
            let page = fetch(&format!("{url}{path}")).await;
            assert_eq!(page.status, 200, "{name}: {path}");
            assert!(page.body == *content, "{name}: {path} is served as it is");
        }
    }
}

async fn the_same_files_cost_a_tenant_one_transfer_and_give_another_tenant_nothing(
    foreshow: Foreshow,
) {
    let (server, foreshow) = with_server(foreshow).await;
    let _up = foreshow.up().await;
    let mut upstream = Upstream::connect(&foreshow).await;
    let sha256 = serve(&foreshow, "site.tar", &tar(&files()));
    for context in ["one", "two", "three"] {
        let update = bundled("acme", context, &server.url("site.tar"), sha256);
        url_of(&end_of(&mut upstream, update).await);
    }
    assert_eq!(server.asked("site.tar"), 1);

    // Who knows the digest has nothing yet: neither by another URL nor by the name of a stored bundle.
    let guess = bundled("globex", "one", &server.url("no-such-file"), sha256);
    assert_eq!(
        code_of(&end_of(&mut upstream, guess).await),
        "bundle_missing"
    );
    let ours = BundleRef::local(sha256).url;
    let guess = bundled("globex", "two", &ours, sha256);
    assert_eq!(
        code_of(&end_of(&mut upstream, guess).await),
        "bundle_missing"
    );
}

/// Why an event failed, which it did once.
fn code_of(end: &ResultEvent) -> &str {
    let ResultBody::Failed(failed) = &end.body else {
        panic!("{end:?}")
    };
    assert_eq!(failed.error.attempts.len(), 1, "{:?}", failed.error);
    assert!(
        !failed.error.message.contains("s3cret"),
        "{:?}",
        failed.error
    );
    failed.error.code.as_str()
}

async fn a_bundle_that_cannot_be_deployed_fails_once_and_by_name(foreshow: Foreshow) {
    let (server, foreshow) = with_server(foreshow).await;
    let up = foreshow.up().await;
    let mut upstream = Upstream::connect(&foreshow).await;
    let inner = std::net::TcpListener::bind(("127.0.0.2", server.port)).unwrap();
    inner.set_nonblocking(true).unwrap();
    let inner_url = format!("http://127.0.0.2:{}/?sig=s3cret", server.port);

    let served = |name: &str, content: &[u8]| (server.url(name), serve(&foreshow, name, content));
    let good = tar(&files());
    let wrong_digest = (served("good.tar", &good).0, Sha256::of(b"another"));
    let anything = Sha256::of(b"anything");
    let bomb = gzip(&tar(&[("bomb.txt", vec![0; 100_000_000])]));
    let half = gzip(&good);
    let half = &half[..half.len() / 2];
    let cases = [
        (wrong_digest, "bundle_digest_mismatch"),
        ((server.url("none.tar"), anything), "bundle_missing"),
        (
            (format!("{}?sig=s3cret", server.url("none")), anything),
            "bundle_missing",
        ),
        ((inner_url, anything), "address_not_allowed"),
        (
            ("http://169.254.169.254/latest".into(), anything),
            "address_not_allowed",
        ),
        (
            ("ftp://example.com/site.tar?sig=s3cret".into(), anything),
            "bundle_unsupported",
        ),
        (
            served("page", b"<!doctype html><h1>Sign in</h1>"),
            "bundle_format",
        ),
        (served("bomb.tar.gz", &bomb), "compression_bomb"),
        (served("half.tar.gz", half), "bundle_invalid"),
    ];
    for (number, ((url, sha256), code)) in cases.into_iter().enumerate() {
        let update = bundled("acme", &format!("bad-{number}"), &url, sha256);
        let end = end_of(&mut upstream, update).await;
        assert_eq!(code_of(&end), code, "{url}");
    }
    assert_eq!(server.asked("good.tar"), 2, "once more from the start");
    assert_eq!(server.asked("none.tar"), 1);
    assert!(inner.accept().is_err(), "nobody asked within the network");
    assert!(!up.said().contains("s3cret"), "{}", up.said());

    let fine = update(&key("acme", "fine"), 1, "fine");
    assert_eq!(
        end_of(&mut upstream, fine).await.id,
        "acme/fine/1/updated/ready",
        "the queue flows on"
    );
}

async fn a_server_that_is_not_there_yet_is_asked_again(foreshow: Foreshow) {
    let (server, foreshow) = with_server(foreshow).await;
    let foreshow = foreshow
        .set("FORESHOW_RETRY__ATTEMPTS", 1_000)
        .set("FORESHOW_RETRY__MIN_MS", 100)
        .set("FORESHOW_RETRY__MAX_MS", 200);
    let mut up = foreshow.up().await;
    let mut upstream = Upstream::connect(&foreshow).await;
    let archive = gzip(&tar(&files()));
    let sha256 = serve(&foreshow, "site.tar.gz", &archive);
    server.is_busy(true);
    let url = server.url("site.tar.gz");
    upstream
        .publish(&bundled("acme", "ctx-1", &url, sha256))
        .await;
    up.line_with("is tried again later").await;
    server.is_busy(false);
    let end = upstream.next_end().await;
    assert_eq!(fetch(url_of(&end)).await.body, files()[0].1);
    assert!(server.asked("site.tar.gz") > 1);
}
