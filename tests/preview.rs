//! From a folder to a live preview and back, on the built binary.
#![expect(
    clippy::unwrap_used,
    reason = "stories are tests, told from two places"
)]

use foreshow_tests::{Foreshow, Up, eventually, fetch, fetch_with, site, write};
use tokio::process::Command;

foreshow_tests::on_every_ground! {
    the_demo_is_live_at_the_url_it_prints
    a_folder_of_600_files_and_20_mb_is_served_exactly_and_only_changes_are_uploaded
    publish_prints_the_url_alone_and_exits_by_its_outcome
    an_alias_says_what_it_waits_for
    a_touch_prolongs_and_an_unknown_context_is_named
    watch_tells_of_results_as_they_come
    publishers_at_once_are_each_told_of_their_own_files
}

/// Files and bytes below a folder.
fn stored(dir: &std::path::Path) -> (usize, u64) {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return (0, 0);
    };
    entries.flatten().fold((0, 0), |(files, bytes), entry| {
        let metadata = entry.metadata().expect("a file that is there has metadata");
        if metadata.is_dir() {
            let (more_files, more_bytes) = stored(&entry.path());
            (files + more_files, bytes + more_bytes)
        } else {
            (files + 1, bytes + metadata.len())
        }
    })
}

async fn the_demo_is_live_at_the_url_it_prints(foreshow: Foreshow) {
    let mut up: Up = foreshow.up_with(&["--demo"]).await;
    let line = up.line_with("Preview ready: ").await;
    let url = line.split_once("Preview ready: ").unwrap().1.trim();
    let page = fetch(url).await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains("<title>"), "{}", page.text());
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(up.stop("TERM").await, Some(0));
}

async fn a_folder_of_600_files_and_20_mb_is_served_exactly_and_only_changes_are_uploaded(
    foreshow: Foreshow,
) {
    let _up = foreshow.up().await;
    let dir = foreshow.folder().join("site");
    site(&dir, 600, 20_000_000, 1);

    let first = foreshow.publish(&dir, "ctx-1").await;
    let data = &first["data"];
    assert_eq!(data["unchanged"], false);
    let url = data["url"].as_str().unwrap();
    for path in [
        "index.html",
        "chapter-3/page-3.html",
        "chapter-18/page-598.html",
    ] {
        let page = fetch(&format!("{url}{path}")).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(
            page.body == std::fs::read(dir.join(path)).unwrap(),
            "{path} is served as it is"
        );
    }
    assert_eq!(fetch(&format!("{url}no-such-page.html")).await.status, 404);
    assert_eq!(fetch(data["aliasUrl"].as_str().unwrap()).await.status, 200);

    let second = foreshow.publish(&dir, "ctx-1").await;
    assert_eq!(second["data"]["unchanged"], true);
    assert_eq!(second["data"]["bytesUploaded"], 0);

    write(&dir, "chapter-3/page-3.html", "one changed file");
    let third = foreshow.publish(&dir, "ctx-1").await;
    assert_eq!(third["data"]["unchanged"], false);
    assert_eq!(third["data"]["bytesUploaded"], "one changed file".len());
    assert_eq!(fetch(url).await.status, 410, "the first revision made room");
    let alias = fetch(&format!(
        "{}chapter-3/page-3.html",
        third["data"]["aliasUrl"].as_str().unwrap()
    ))
    .await;
    assert_eq!(alias.text(), "one changed file");

    let ended = foreshow.run(["end", "ctx-1", "--tenant", "acme"]).await;
    assert!(ended.status.success(), "{ended:?}");
    for url in [&third["data"]["url"], &third["data"]["aliasUrl"]] {
        let gone = fetch_with(url.as_str().unwrap(), &[("accept", "application/json")]).await;
        assert_eq!(gone.status, 410, "{}", gone.text());
        assert!(
            gone.header("content-type")
                .unwrap()
                .starts_with("application/json")
        );
    }
    let blobs = foreshow.data_dir().join("previews/blobs");
    eventually("the blobs are gone", async || stored(&blobs).0 == 0).await;
    eventually("the bundles are gone", async || {
        stored(&foreshow.data_dir().join("bundles")).0 == 0
    })
    .await;
}

async fn publish_prints_the_url_alone_and_exits_by_its_outcome(foreshow: Foreshow) {
    let foreshow = foreshow.set("FORESHOW_LOCAL__FAIL_CONTEXTS", "broken");
    let _up = foreshow.up().await;
    let dir = foreshow.folder().join("site");
    write(&dir, "index.html", "<h1>hi</h1>");
    write(&dir, ".env", "SECRET=1");
    let dir = dir.to_str().unwrap();

    let ready = foreshow.run(["publish", dir, "--context", "fine"]).await;
    assert_eq!(ready.status.code(), Some(0), "{ready:?}");
    let url = String::from_utf8(ready.stdout).unwrap();
    assert_eq!(url.lines().count(), 1, "{url:?}");
    assert_eq!(fetch(url.trim()).await.text(), "<h1>hi</h1>");
    assert_eq!(
        fetch(&format!("{}.env", url.trim())).await.status,
        404,
        "secrets are left out"
    );

    let alias = foreshow
        .run(["publish", dir, "--context", "fine", "--alias"])
        .await;
    assert_ne!(String::from_utf8(alias.stdout).unwrap(), url);

    let failed = foreshow.run(["publish", dir, "--context", "broken"]).await;
    assert_eq!(failed.status.code(), Some(1), "{failed:?}");
    assert!(failed.stdout.is_empty());
    let said = String::from_utf8(failed.stderr).unwrap();
    assert!(said.contains("build_failed"), "{said}");

    let listed = foreshow.run(["previews", "--json"]).await;
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(
        listed.contains("\"fine\"") && listed.contains("\"broken\""),
        "{listed}"
    );
}

async fn an_alias_says_what_it_waits_for(foreshow: Foreshow) {
    let foreshow = foreshow.set("FORESHOW_LOCAL__BUILD_MS", 3_000);
    let up = foreshow.up().await;
    let dir = foreshow.folder().join("site");
    write(&dir, "index.html", "<h1>late</h1>");
    let arguments = [
        "publish",
        dir.to_str().unwrap(),
        "--context",
        "slow",
        "--json",
    ];
    let publishing = tokio::spawn(foreshow.command(arguments).output());
    let mut alias = String::new();
    eventually("the context is listed as building", async || {
        let listed = foreshow.run(["previews", "--json"]).await;
        let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
        let Some(context) = listed["previews"]
            .as_array()
            .and_then(|contexts| contexts.first())
        else {
            return false;
        };
        context["aliasUrl"]
            .as_str()
            .unwrap_or_default()
            .clone_into(&mut alias);
        context["status"] == "building"
    })
    .await;
    let waiting = fetch_with(&alias, &[("accept", "text/html")]).await;
    assert_eq!(waiting.status, 503, "{}", waiting.text());
    assert!(waiting.header("retry-after").is_some());
    let published = publishing.await.unwrap().unwrap();
    assert!(published.status.success(), "{published:?}");
    assert_eq!(fetch(&alias).await.text(), "<h1>late</h1>");
    assert_eq!(up.stop("INT").await, Some(0));
}

async fn a_touch_prolongs_and_an_unknown_context_is_named(foreshow: Foreshow) {
    let _up = foreshow.up().await;
    let dir = foreshow.folder().join("site");
    write(&dir, "index.html", "x");
    foreshow.publish(&dir, "ctx-1").await;
    let expiry = async || {
        let listed = foreshow.run(["previews", "--json"]).await;
        let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).expect("JSON");
        listed["previews"][0]["expiresAt"]
            .as_str()
            .expect("it expires")
            .to_owned()
    };
    let before = expiry().await;
    let touched = foreshow.run(["touch", "ctx-1", "--tenant", "acme"]).await;
    assert!(touched.status.success(), "{touched:?}");
    eventually("it is kept for longer", async || expiry().await > before).await;
    for command in ["touch", "end"] {
        let unknown = foreshow.run([command, "nobody"]).await;
        assert!(!unknown.status.success());
        assert!(
            String::from_utf8(unknown.stderr)
                .unwrap()
                .contains("nobody")
        );
    }
}

async fn watch_tells_of_results_as_they_come(foreshow: Foreshow) {
    let _up = foreshow.up().await;
    let mut watch = Up::start(foreshow.command(["watch", "--json", "--tenant", "acme"]));
    let dir = foreshow.folder().join("site");
    write(&dir, "index.html", "x");
    // The subscription is there once a result is heard; publish until then.
    let heard = async {
        loop {
            foreshow.publish(&dir, "ctx-1").await;
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        line = watch.line_with("dev.foreshow.preview.ready.v1") => assert!(line.contains("ctx-1"), "{line}"),
        () = heard => unreachable!("it publishes for ever"),
    }
}

#[tokio::test]
async fn completions_and_config_speak() {
    let foreshow = Foreshow::embedded();
    for shell in ["bash", "zsh", "fish"] {
        let completions = foreshow.run(["completions", shell]).await;
        assert!(completions.status.success());
        assert!(!completions.stdout.is_empty());
    }
    let shown = foreshow.run(["config", "show"]).await;
    assert!(shown.status.success(), "{shown:?}");
    assert!(foreshow.run(["config", "check"]).await.status.success());
    let help: std::process::Output =
        Command::from(std::process::Command::new(foreshow_tests::binary()))
            .arg("--help")
            .output()
            .await
            .unwrap();
    assert!(
        String::from_utf8(help.stdout)
            .unwrap()
            .contains("Exit codes")
    );
}

async fn publishers_at_once_are_each_told_of_their_own_files(foreshow: Foreshow) {
    let foreshow = foreshow.set("FORESHOW_RETENTION__KEEP_REVISIONS", 100);
    let _up = foreshow.up().await;
    for round in 0..4 {
        let publishers = (0..4).map(|publisher| {
            let page = format!("{publisher} in round {round}");
            let dir = foreshow.folder().join(format!("site-{publisher}"));
            write(&dir, "index.html", &page);
            let dir = dir.to_str().expect("a readable path").to_owned();
            let published = foreshow
                .command(["publish", &dir, "--context", "race"])
                .output();
            tokio::spawn(async move { (page, published.await.expect("it runs")) })
        });
        for publisher in publishers.collect::<Vec<_>>() {
            let (page, published) = publisher.await.expect("nobody panics");
            // A newer revision may have won; whoever is told `ready` sees what it sent.
            if published.status.success() {
                let url = String::from_utf8(published.stdout).expect("a URL");
                assert_eq!(fetch(url.trim()).await.text(), page);
            } else {
                assert_eq!(published.status.code(), Some(1), "{published:?}");
            }
        }
    }
}
