//! Whatever comes in: a named code or a message that says what, where and how to mend it. The queue flows on.
#![expect(
    clippy::unwrap_used,
    reason = "stories are tests, told from two places"
)]

use std::process::Output;

use foreshow_contract::{
    Content, ContextEvent, ContextUpdated, Encoding, InlineFile, ResultBody, Revision,
};
use foreshow_tests::{Foreshow, Up, Upstream, event, eventually, key, update, write};

foreshow_tests::on_every_ground! {
    events_that_cannot_be_taken_are_rejected_by_name_and_kept
    files_that_cannot_be_deployed_fail_by_name
    what_fails_at_once_is_remembered_each_time
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A whole event as text, with its data replaced.
fn envelope(data: &str) -> Vec<u8> {
    format!(
        r#"{{"specversion":"1.0","id":"evt-1","source":"/tests","type":"dev.foreshow.context.updated.v1",
            "time":"2026-11-22T06:00:00Z","datacontenttype":"application/json","data":{data}}}"#
    )
    .into_bytes()
}

async fn events_that_cannot_be_taken_are_rejected_by_name_and_kept(foreshow: Foreshow) {
    let _up = foreshow.up().await;
    let mut upstream = Upstream::connect(&foreshow).await;
    let file = r#"{"path":"index.html","content":"x"}"#;
    let cases = [
        (b"{ not json".to_vec(), "malformed_json", None),
        (envelope("{}"), "invalid_field", Some("$.data")),
        (
            envelope(r#"{"tenantId":"acme","contextId":"c","revision":1}"#),
            "files_or_bundle_missing",
            None,
        ),
        (
            envelope(&format!(
                r#"{{"tenantId":"acme","contextId":"c","revision":1,"files":[{file}],
                    "bundle":{{"url":"https://example.com/a.tar","sha256":"{}"}}}}"#,
                "0".repeat(64)
            )),
            "files_and_bundle",
            None,
        ),
        (
            envelope(&format!(
                r#"{{"tenantId":"acme","contextId":"c","revision":"7a","files":[{file}]}}"#
            )),
            "invalid_revision",
            Some("$.data.revision"),
        ),
        (
            envelope(&format!(
                r#"{{"tenantId":"acme","contextId":"c","files":[{file}]}}"#
            )),
            "revision_missing",
            None,
        ),
        (
            envelope(&format!(
                r#"{{"tenantId":"acme","contextId":"c","revision":1,"files":[{file}],"app":{{"framework":"cobol"}}}}"#
            )),
            "unknown_framework",
            Some("$.data.app.framework"),
        ),
        (
            envelope(
                r#"{"tenantId":"acme","contextId":"c","revision":1,"files":[{"path":"a","content":7}]}"#,
            ),
            "invalid_field",
            Some("$.data.files[0].content"),
        ),
    ];
    for (body, code, path) in cases {
        upstream.publish_raw("context.updated.acme", &body).await;
        let end = upstream.next_end().await;
        let ResultBody::Rejected(rejected) = &end.body else {
            panic!("{code}: {end:?}")
        };
        assert_eq!(rejected.code.as_str(), code, "{rejected:?}");
        if let Some(path) = path {
            assert_eq!(rejected.path.as_deref(), Some(path), "{rejected:?}");
        }
        assert!(!rejected.message.is_empty());
    }
    upstream
        .publish(&update(&key("acme", "c"), 1, "fine"))
        .await;
    assert_eq!(
        upstream.next_end().await.id,
        "acme/c/1/updated/ready",
        "the queue flows on"
    );
    // The same revision with other content.
    upstream
        .publish(&update(&key("acme", "c"), 1, "other"))
        .await;
    let ResultBody::Rejected(conflict) = upstream.next_end().await.body else {
        panic!()
    };
    assert_eq!(conflict.code.as_str(), "revision_conflict");
}

async fn files_that_cannot_be_deployed_fail_by_name(foreshow: Foreshow) {
    let foreshow = foreshow
        .set("FORESHOW_BUNDLE__FILES", 3)
        .set("FORESHOW_BUNDLE__FILE_BYTES", 1_000)
        .set("FORESHOW_BUNDLE__TOTAL_BYTES", 1_500);
    let _up = foreshow.up().await;
    let mut upstream = Upstream::connect(&foreshow).await;
    let text = |path: &str| InlineFile::text(path, "x");
    let cases = [
        (vec![text("../../etc/passwd")], "unsafe_path"),
        (vec![text("/etc/passwd")], "unsafe_path"),
        (
            vec![text("Index.html"), text("index.html")],
            "path_collision",
        ),
        (
            vec![text("a"), text("b"), text("c"), text("d")],
            "too_many_files",
        ),
        (
            vec![InlineFile::text("big", "x".repeat(1_001))],
            "file_too_large",
        ),
        (
            vec![
                InlineFile::text("a", "x".repeat(800)),
                InlineFile::text("b", "x".repeat(800)),
            ],
            "bundle_too_large",
        ),
        (vec![text(".env")], "no_files"),
    ];
    for (revision, (files, code)) in (1..).zip(cases) {
        let revision = Revision::try_new(revision).unwrap();
        let update = ContextUpdated::new(key("acme", "c"), revision, Content::Files(files));
        upstream
            .publish(&event(ContextEvent::Updated(update)))
            .await;
        let end = upstream.next_end().await;
        let ResultBody::Failed(failed) = &end.body else {
            panic!("{code}: {end:?}")
        };
        assert_eq!(failed.error.code.as_str(), code, "{failed:?}");
    }
    let broken = InlineFile {
        path: "logo.png".into(),
        content: "%%%".into(),
        encoding: Encoding::Base64,
    };
    let update = ContextUpdated::new(
        key("acme", "c"),
        Revision::try_new(99).unwrap(),
        Content::Files(vec![broken]),
    );
    upstream
        .publish(&event(ContextEvent::Updated(update)))
        .await;
    let ResultBody::Rejected(rejected) = upstream.next_end().await.body else {
        panic!()
    };
    assert_eq!(rejected.code.as_str(), "invalid_base64");
}

#[tokio::test]
async fn a_configuration_that_cannot_be_meant_names_key_place_and_fix() {
    let foreshow = Foreshow::embedded();
    write(
        foreshow.folder(),
        "foreshow.toml",
        "[lease]\nttl_ms = 15000\nrenew_evry_ms = 5000\n",
    );
    let typo = foreshow.run(["config", "check"]).await;
    assert_eq!(typo.status.code(), Some(2), "{typo:?}");
    for part in ["renew_evry_ms", "foreshow.toml", "renew_every_ms", "3"] {
        assert!(
            said(&typo).contains(part),
            "no {part:?} in: {}",
            said(&typo)
        );
    }
    let foreshow = Foreshow::embedded().set("FORESHOW_LEASE__TTL_MS", "soon");
    let bad = foreshow.run(["config", "check"]).await;
    assert_eq!(bad.status.code(), Some(2));
    for part in ["FORESHOW_LEASE__TTL_MS", "soon"] {
        assert!(said(&bad).contains(part), "no {part:?} in: {}", said(&bad));
    }
    let foreshow = Foreshow::embedded().set("FORESHOW_LEASE__RENEW_EVERY_MS", 60_000);
    let across = foreshow.run(["config", "check"]).await;
    assert_eq!(across.status.code(), Some(2));
    assert!(
        said(&across).contains("lease.renew_every_ms"),
        "{}",
        said(&across)
    );
}

#[tokio::test]
async fn a_busy_port_is_named_with_a_way_out() {
    let foreshow = Foreshow::embedded();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let busy = foreshow.run(["up", "--listen", &address]).await;
    assert_eq!(busy.status.code(), Some(3), "{busy:?}");
    assert!(said(&busy).contains(&address), "{}", said(&busy));
    assert!(said(&busy).contains("--listen"), "{}", said(&busy));
}

#[tokio::test]
async fn a_data_folder_that_cannot_be_written_is_named() {
    let foreshow = Foreshow::embedded();
    // A file in the way and a file system that takes no files: what even root cannot write.
    write(foreshow.folder(), "in-the-way", "");
    for place in [
        foreshow.folder().join("in-the-way/data"),
        "/proc/foreshow".into(),
    ] {
        let place = place.to_str().unwrap();
        let refused = foreshow
            .run(["up", "--listen", "127.0.0.1:0", "--data-dir", place])
            .await;
        assert_eq!(refused.status.code(), Some(3), "{refused:?}");
        assert!(said(&refused).contains(place), "{}", said(&refused));
        assert!(said(&refused).contains("--data-dir"), "{}", said(&refused));
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_published_is_named() {
    let foreshow = Foreshow::embedded();
    write(foreshow.folder(), "a-file", "");
    std::fs::create_dir(foreshow.folder().join("empty")).unwrap();
    for place in ["no-such-folder", "a-file", "empty"] {
        let refused = foreshow.run(["publish", place, "--context", "c"]).await;
        assert_eq!(refused.status.code(), Some(2), "{refused:?}");
        assert!(said(&refused).contains(place), "{}", said(&refused));
    }
}

#[tokio::test]
async fn a_full_disk_loses_nothing_stops_nobody_else_and_goes_on_when_there_is_room() {
    let foreshow = Foreshow::embedded()
        .set("FORESHOW_RETRY__ATTEMPTS", 1_000)
        .set("FORESHOW_RETRY__MIN_MS", 200)
        .set("FORESHOW_RETRY__MAX_MS", 500);
    // Queued while nobody works: a bundle whose one file is larger than the disk will take, and a small one.
    let mut upstream = Upstream::connect(&foreshow).await;
    let site = foreshow.folder().join("site");
    write(&site, "index.html", "x".repeat(3_000_000));
    let publish = [
        "publish",
        "site",
        "--context",
        "large",
        "--tenant",
        "acme",
        "--no-wait",
    ];
    let queued = foreshow.run(publish).await;
    assert!(queued.status.success(), "{queued:?}");

    // No file may grow beyond 2 MiB.
    let mut up = Up::start(foreshow.limited(2_048, ["up", "--listen", "127.0.0.1:0"]));
    up.line_with("is tried again later").await;
    assert!(up.said().contains("no space left"), "{}", up.said());
    upstream
        .publish(&update(&key("acme", "small"), 1, "small"))
        .await;
    assert_eq!(upstream.next_end().await.id, "acme/small/1/updated/ready");
    assert!(up.is_running());
    up.kill().await;

    let _up = foreshow.up().await;
    let mut end = upstream.next_end().await;
    while end.id == "acme/small/1/updated/ready" {
        // Killed between telling it and acknowledging: it is said again.
        end = upstream.next_end().await;
    }
    assert_eq!(end.outcome().short(), "ready", "{end:?}");
    assert_eq!(end.key().expect("a result has a key"), key("acme", "large"));
}

/// What is decided within a millisecond: its holder's own renewal may hear of the settlement before the settlement is answered.
async fn what_fails_at_once_is_remembered_each_time(foreshow: Foreshow) {
    const CONTEXTS: usize = 60;
    let up = foreshow.up().await;
    let mut upstream = Upstream::connect(&foreshow).await;
    let contexts: Vec<_> = (0..CONTEXTS)
        .map(|number| key("acme", &format!("c{number}")))
        .collect();
    let events: Vec<_> = contexts
        .iter()
        .map(|key| {
            let mut incoming = update(key, 1, "x");
            if let ContextEvent::Updated(update) = &mut incoming.event {
                update.routing.providers = vec!["nobody".into()];
            }
            incoming
        })
        .collect();
    upstream.publisher().publish_all(&events).await;
    for _ in &contexts {
        let end = upstream.next_end().await;
        let ResultBody::Failed(failed) = &end.body else {
            panic!("{end:?}")
        };
        assert_eq!(
            failed.error.code.as_str(),
            "no_suitable_provider",
            "{end:?}"
        );
    }
    let store = foreshow.store().await;
    for key in &contexts {
        // The history is written behind the answer.
        eventually(&format!("{key} is remembered"), async || {
            store.history(Some(key), 10).await.unwrap().len() == 1
        })
        .await;
    }
    let said = up.said();
    assert!(!said.contains("was lost"), "{said}");
}
