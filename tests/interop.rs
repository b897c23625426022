//! Clients that nobody here wrote, in other languages: they publish updates, and hear and parse results.
//!
//! Their scripts, in `interop/`, are the README's examples.

use std::collections::BTreeSet;

use foreshow_contract::ResultBody;
use foreshow_tests::{Client, Foreshow, Upstream, fetch, write};

fn url(foreshow: &Foreshow) -> String {
    let vhost = foreshow.ground().vhost();
    vhost.expect("a fleet has a vhost").amqp_url()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_language_publishes_updates_and_both_hear_and_parse_the_same_result() {
    let foreshow = Foreshow::fleet().await;
    let _up = foreshow.up().await;
    let url = url(&foreshow);
    for client in [Client::Python, Client::Node] {
        let context = format!("ctx-{client:?}").to_lowercase();
        let page = format!("<h1>{context} by {client:?}: größer, \u{1f680}</h1>");
        write(foreshow.folder(), "page.html", &page);
        let file = foreshow.folder().join("page.html");

        let python = Client::Python.listen(&url, "acme", &context).await;
        let node = Client::Node.listen(&url, "acme", &context).await;
        client.publish(&url, "acme", &context, 7, &file).await;
        let (heard, also) = (python.end().await, node.end().await);
        assert_eq!(heard, also, "one result, in both languages");
        assert_eq!(heard["type"], "dev.foreshow.preview.ready.v1", "{heard}");
        assert_eq!(heard["id"], format!("acme/{context}/7/updated/ready"));
        assert_eq!(heard["data"]["revision"], 7);
        let shown = fetch(heard["data"]["url"].as_str().expect("a URL")).await;
        assert_eq!((shown.status, shown.text()), (200, page.as_str()));
    }
    foreshow.close().await;
}

/// A refusal is a result like any other: whoever published can hear it in their own language.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_event_is_told_in_both_languages() {
    let foreshow = Foreshow::fleet().await;
    let _up = foreshow.up().await;
    let url = url(&foreshow);
    write(foreshow.folder(), "page.html", "never shown");
    let file = foreshow.folder().join("page.html");
    let python = Client::Python.listen(&url, "acme", "ctx-1").await;
    let node = Client::Node.listen(&url, "acme", "ctx-1").await;
    // Below the smallest revision.
    Client::Python
        .publish(&url, "acme", "ctx-1", -1, &file)
        .await;
    let (heard, also) = (python.end().await, node.end().await);
    assert_eq!(heard, also);
    assert_eq!(heard["type"], "dev.foreshow.event.rejected.v1", "{heard}");
    assert_eq!(heard["data"]["contextId"], "ctx-1");
    foreshow.close().await;
}

/// The CloudEvents SDK for Python writes events in three bindings and two modes each, and times in three ways.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_mode_of_the_cloudevents_sdk_is_read() {
    let foreshow = Foreshow::fleet().await;
    let _up = foreshow.up().await;
    let mut upstream = Upstream::connect(&foreshow).await;
    let modes = Client::Python
        .run(&url(&foreshow), "publish_modes", &["acme"])
        .await;
    let expected: BTreeSet<String> = modes.split_whitespace().map(str::to_owned).collect();
    assert_eq!(expected.len(), 8, "{modes}");
    let mut read = BTreeSet::new();
    while read.len() < expected.len() {
        let end = upstream.next_end().await;
        let ResultBody::Ready(ready) = &end.body else {
            panic!("{end:?}")
        };
        assert!(read.insert(ready.key.context.to_string()), "{end:?}");
    }
    assert_eq!(read, expected);
    foreshow.close().await;
}

/// Over AMQP 1.0 the broker passes on what it does not understand: a body that is a value or a sequence is still encoded.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_body_of_an_amqp_1_0_client_is_read_or_refused_by_name() {
    let foreshow = Foreshow::fleet().await;
    let _up = foreshow.up().await;
    let mut upstream = Upstream::connect(&foreshow).await;
    for (kind, refused) in [
        ("string", None),
        ("data", None),
        ("buffer", None),
        ("binary", None),
        ("binary-string", None),
        ("object", Some("unsupported_body")),
        ("sequence", Some("unsupported_body")),
        ("number", Some("unsupported_body")),
    ] {
        let arguments = ["acme", kind];
        Client::Node
            .run(&url(&foreshow), "publish_amqp10", &arguments)
            .await;
        let end = upstream.next_end().await;
        match (&end.body, refused) {
            (ResultBody::Ready(ready), None) => assert_eq!(ready.key.context.as_str(), kind),
            (ResultBody::Rejected(rejected), Some(code)) => {
                assert_eq!(rejected.code.as_str(), code, "{kind}: {rejected:?}");
            }
            _ => panic!("{kind}: {end:?}"),
        }
    }
    foreshow.close().await;
}

#[test]
fn the_readme_shows_these_very_files() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |path: &str| {
        let path = root.join(path);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let readme = read("README.md");
    for file in [
        "python/publish_update.py",
        "python/wait_for_result.py",
        "node/publish_update.mjs",
        "node/wait_for_result.mjs",
    ] {
        let shown = readme.contains(&read(&format!("tests/interop/{file}")));
        assert!(shown, "README.md shows another {file}: copy the file there");
    }
}
