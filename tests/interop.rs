//! Clients that nobody here wrote, in other languages: they publish updates, and hear and parse results.
//!
//! Their scripts, in `interop/`, are the README's examples.

use foreshow_tests::{Client, Foreshow, fetch, write};

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
