//! What a server answers, and what follows for the job.

use std::time::Duration;

use crate::origin::Answer;
use crate::world::{World, assert_permanent, assert_retryable, content, options, told};

#[tokio::test]
async fn a_bundle_arrives_as_it_is() {
    let world = World::start().await;
    let site = content(300_000);
    let sent = site.clone();
    world.origin.tells(move |_| Answer::whole(&sent));
    world.arrives(&site).await;
    let asked = &world.origin.asked()[0];
    assert_eq!(asked.path, "/site.tar.gz?sig=s3cret");
    assert_eq!(asked.header("accept-encoding"), Some("identity"));
    assert_eq!(
        (asked.header("range"), asked.header("if-range")),
        (None, None)
    );
    world.leaves_nothing().await;
}

#[tokio::test]
async fn what_a_server_compressed_is_not_decompressed() {
    let world = World::start().await;
    let site = content(5_000);
    let sent = site.clone();
    world
        .origin
        .tells(move |_| Answer::whole(&sent).header("content-encoding", "gzip"));
    world.arrives(&site).await;
}

#[tokio::test]
async fn without_a_length_the_end_of_the_stream_is_the_end() {
    let world = World::start().await;
    let site = content(100_000);
    let sent = site.clone();
    world
        .origin
        .tells(move |_| Answer::whole(&sent).without("content-length"));
    world.arrives(&site).await;
}

/// Asks once and gets this code.
async fn ends_at_once(status: u16, code: &str, says: &str) {
    let world = World::start().await;
    world.origin.tells(move |_| Answer::status(status));
    let error = world.fails(b"site").await;
    assert_permanent(&error, code);
    assert!(told(&error).contains(says), "{status}: {error}");
    assert_eq!(world.origin.asked().len(), 1, "{status}");
}

#[tokio::test]
async fn what_is_not_there_is_missing() {
    for status in [404, 410] {
        ends_at_once(status, "bundle_missing", "publish the event again").await;
    }
}

#[tokio::test]
async fn what_may_not_be_had_is_forbidden_and_the_signature_is_the_first_suspect() {
    for status in [401, 403] {
        ends_at_once(status, "bundle_forbidden", "sign it for longer").await;
    }
}

#[tokio::test]
async fn what_is_no_bundle_is_refused() {
    for status in [204, 206, 300, 304, 400, 405, 416, 418, 451] {
        ends_at_once(status, "bundle_refused", "brings no bundle").await;
    }
    // A redirect to nowhere.
    ends_at_once(302, "bundle_refused", "brings no bundle").await;
}

#[tokio::test]
async fn what_may_pass_is_tried_again_later() {
    for status in [408, 425, 429, 500, 502, 503, 504, 599] {
        let world = World::start().await;
        world.origin.tells(move |_| Answer::status(status));
        assert_retryable(&world.fails(b"site").await, None);
        assert_eq!(
            world.origin.asked().len(),
            1,
            "{status}: without holding a slot"
        );
    }
}

#[tokio::test]
async fn a_server_that_asks_for_time_gets_it_within_reason() {
    for (asked, given) in [("7", 7), ("86400", 3_600)] {
        let world = World::start().await;
        world
            .origin
            .tells(move |_| Answer::status(429).header("retry-after", asked));
        let given = Duration::from_secs(given);
        assert_retryable(&world.fails(b"site").await, Some(given));
    }
}

#[tokio::test]
async fn nobody_at_home_is_tried_again_later() {
    let mut world = World::start().await;
    let gone = crate::origin::Origin::at("127.0.0.1").await;
    let url = world.url("/site.tar.gz");
    // Its port is let through; and now nobody listens there.
    drop(std::mem::replace(&mut world.origin, gone));
    crate::world::eventually("the port is free", || {
        std::net::TcpStream::connect(url_address(&url)).is_err()
    })
    .await;
    let error = world.fetch_from(&url, "acme", b"site").await.unwrap_err();
    assert_retryable(&error, None);
    world.leaves_nothing().await;
}

fn url_address(url: &str) -> &str {
    let rest = url.strip_prefix("http://").unwrap();
    rest.split_once('/').unwrap().0
}

#[tokio::test]
async fn a_connection_that_breaks_without_a_version_is_tried_again_later() {
    let site = content(100_000);
    let answers: [fn(&[u8]) -> Answer; 4] = [
        |site| Answer::whole(site).cut_after(0),
        |site| Answer::whole(site).cut_after(50_000),
        |site| Answer::whole(site).cut_after(50_000).then_reset(),
        |_| Answer::status(200).header("transfer-encoding", "chunked"),
    ];
    for answer in answers {
        let world = World::start().await;
        let sent = site.clone();
        world.origin.tells(move |_| answer(&sent));
        assert_retryable(&world.fails(&site).await, None);
        assert_eq!(world.origin.asked().len(), 1);
    }
}

#[tokio::test]
async fn what_is_no_http_is_tried_again_later() {
    let world = World::start().await;
    world
        .origin
        .tells(|_| Answer::status(200).header("content-length", "many"));
    assert_retryable(&world.fails(b"site").await, None);
}

#[tokio::test]
async fn a_wrong_digest_is_believed_the_second_time() {
    let world = World::start().await;
    let site = content(10_000);
    world.origin.tells(|_| Answer::whole(b"another site"));
    let error = world.fails(&site).await;
    assert_permanent(&error, "bundle_digest_mismatch");
    assert_eq!(world.origin.asked().len(), 2, "once more from the start");

    // A stale copy at first.
    let sent = site.clone();
    world.origin.tells(move |asked| match asked.nth {
        2 => Answer::versioned(&content(9_000), "\"old\""),
        _ => Answer::versioned(&sent, "\"new\""),
    });
    world.arrives(&site).await;
    let asked = world.origin.asked();
    assert_eq!(asked.len(), 4);
    assert_eq!(asked[3].header("range"), None);
}

#[tokio::test]
async fn nothing_is_kept_of_what_failed() {
    let world = World::with(options()).await;
    world.origin.tells(|_| Answer::whole(b"another site"));
    world.fails(b"site").await;
    let kept = foreshow_fetch::cache_size(&world.folder.path().join("fetched")).unwrap();
    assert_eq!((kept.bundles, kept.bytes), (0, 0));
}
