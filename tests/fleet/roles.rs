//! Worker and gateway as processes of their own, and what their admin ports tell.

use foreshow_tests::{Foreshow, Upstream, end, eventually, fetch, key, update, write};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_readiness_and_metrics_are_told() {
    let foreshow = Foreshow::fleet().await;
    let _gateway = foreshow.gateway().await;
    let worker = foreshow.worker().await;
    let mut upstream = Upstream::connect(&foreshow).await;
    upstream
        .publish(&update(&key("acme", "c"), 1, "counted"))
        .await;
    upstream.next_end().await;
    assert_eq!(fetch(&worker.admin("/healthz")).await.status, 200);
    let ready = fetch(&worker.admin("/readyz")).await;
    assert_eq!(ready.status, 200, "{}", ready.text());
    let metrics = fetch(&worker.admin("/metrics")).await;
    let metrics = metrics.text();
    for line in [
        "foreshow_ends_total{outcome=\"preview.ready\"} 1",
        "foreshow_claims_total{answer=\"granted\"} 1",
        "foreshow_deliveries_total{queue=\"foreshow.deploy\"} 1",
    ] {
        assert!(metrics.contains(line), "no {line} in:\n{metrics}");
    }
    let admin = worker.admin("");
    let checked = foreshow
        .run(["healthcheck", "--admin", &admin["http://".len()..]])
        .await;
    assert!(checked.status.success(), "{checked:?}");
    foreshow.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_not_ended_is_a_gauge_of_the_worker_that_leads_the_sweep() {
    let foreshow = Foreshow::fleet()
        .await
        .set("FORESHOW_LOCAL__BUILD_MS", 3_600_000);
    let _gateway = foreshow.gateway().await;
    let worker = foreshow.worker().await;
    let mut upstream = Upstream::connect(&foreshow).await;
    let stuck = key("acme", "stuck");
    upstream.publish(&update(&stuck, 1, "never ready")).await;
    let tells = async |line: &str| {
        let metrics = fetch(&worker.admin("/metrics")).await;
        metrics.text().lines().any(|told| told == line)
    };
    eventually("what is being built is counted", async || {
        tells("foreshow_unended_contexts{age=\"1m\"} 1").await
            || tells("foreshow_unended_contexts{age=\"10m\"} 1").await
    })
    .await;
    assert!(tells("foreshow_sweep_leads 1").await);
    upstream.publish(&end(&stuck, 2)).await;
    upstream.next_end().await;
    eventually("nothing is left", async || {
        tells("foreshow_unended_oldest_seconds 0").await
    })
    .await;
    foreshow.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doctor_and_topology_say_what_is_there() {
    let foreshow = Foreshow::fleet().await;
    let drift = foreshow.run(["topology", "check"]).await;
    assert_eq!(drift.status.code(), Some(1), "{drift:?}");
    assert!(
        String::from_utf8_lossy(&drift.stdout).contains("foreshow.deploy"),
        "{drift:?}"
    );
    let sick = foreshow.run(["doctor"]).await;
    assert_eq!(sick.status.code(), Some(1), "{sick:?}");
    assert!(
        String::from_utf8_lossy(&sick.stdout).contains("topology apply"),
        "{sick:?}"
    );

    for _ in 0..2 {
        let applied = foreshow.run(["topology", "apply"]).await;
        assert!(applied.status.success(), "{applied:?}");
    }
    let same = foreshow.run(["topology", "check"]).await;
    assert!(same.status.success(), "{same:?}");
    let _up = foreshow.up().await;
    let well = foreshow.run(["doctor"]).await;
    assert!(well.status.success(), "{well:?}");
    foreshow.close().await;
}

/// A directory that is too large for an event goes through the gateway to a worker with another data folder.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_directory_travels_through_the_gateway() {
    let foreshow = Foreshow::fleet().await;
    let up = foreshow.up().await;
    let dir = foreshow.folder().join("site");
    write(&dir, "index.html", "<h1>large</h1>");
    write(&dir, "film.bin", "x".repeat(9_000_000));
    let dir = dir.to_str().expect("a readable path");
    let elsewhere = foreshow.folder().join("elsewhere");
    let arguments = ["publish", dir, "--context", "large", "--json"];
    let mut command = foreshow.command(arguments);
    command.env("FORESHOW_DATA_DIR", &elsewhere);
    let refused = command.output().await.expect("it runs");
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("gateway.url"), "{said}");

    let mut command = foreshow.command(arguments);
    command
        .env("FORESHOW_DATA_DIR", &elsewhere)
        .env("FORESHOW_GATEWAY__URL", &up.url);
    let published = command.output().await.expect("it runs");
    assert!(published.status.success(), "{published:?}");
    assert!(!elsewhere.exists(), "a client leaves no folder behind");
    let result: serde_json::Value = serde_json::from_slice(&published.stdout).expect("JSON");
    let url = result["data"]["url"].as_str().expect("a URL");
    assert_eq!(fetch(url).await.text(), "<h1>large</h1>");
    foreshow.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_the_other_is_refused_unless_it_is_meant() {
    let foreshow = Foreshow::fleet().await;
    for (forgotten, arguments) in [
        ("FORESHOW_STORE", &["worker"][..]),
        ("FORESHOW_BROKER", &["publish", "site", "--context", "c"]),
    ] {
        write(&foreshow.folder().join("site"), "index.html", "x");
        let mut command = foreshow.command(arguments);
        command.env_remove(forgotten);
        let refused = command.output().await.expect("it runs");
        assert_eq!(refused.status.code(), Some(2), "{refused:?}");
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(said.contains(forgotten), "{said}");
    }
    foreshow.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_has_another_installation_key_is_refused() {
    let foreshow = Foreshow::fleet().await;
    let _up = foreshow.up().await;
    write(&foreshow.folder().join("site"), "index.html", "x");
    for arguments in [
        &["worker"][..],
        &["gateway", "--listen", "127.0.0.1:0"],
        &["publish", "site", "--context", "c"],
        &["doctor"],
    ] {
        let mut command = foreshow.command(arguments);
        command.env("FORESHOW_INSTALLATION_KEY", "ab".repeat(32));
        let refused = command.output().await.expect("it runs");
        assert!(!refused.status.success(), "{arguments:?}: {refused:?}");
        let (out, error) = (refused.stdout, refused.stderr);
        let said = String::from_utf8_lossy(&[out, error].concat()).into_owned();
        assert!(said.contains("another"), "{arguments:?}: {said}");
        assert!(said.contains("installation_key"), "{arguments:?}: {said}");
    }
    foreshow.close().await;
}
