//! How much memory a worker takes, idle and with a thousand builds on their way.

use std::time::Duration;

use foreshow_tests::{Foreshow, Publisher, eventually, fetch, key, update};

const BUILDS: usize = 1_000;

/// Prints it.
pub(crate) async fn memory(foreshow: Foreshow) {
    let foreshow = foreshow
        .set("FORESHOW_WORKER__CONCURRENCY", BUILDS)
        .set("FORESHOW_WORKER__PREFETCH", BUILDS)
        .set("FORESHOW_LOCAL__BUILD_MS", 120_000);
    let _gateway = foreshow.gateway().await;
    let worker = foreshow.worker().await;
    eventually("it is ready", async || {
        fetch(&worker.admin("/readyz")).await.status == 200
    })
    .await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    println!(
        "a worker, idle: {:.1} MB resident",
        resident_mb(worker.id())
    );
    let publisher = Publisher::new(foreshow.broker().await);
    let events: Vec<_> = (0..BUILDS)
        .map(|n| update(&key("acme", &format!("ctx-{n}")), 1, "<h1>hello</h1>"))
        .collect();
    publisher.publish_all(&events).await;
    let store = foreshow.store().await;
    eventually("a thousand builds are on their way", async || {
        let listed = store
            .contexts(None, 2_000)
            .await
            .expect("the store answers");
        let building = listed
            .iter()
            .filter(|context| context.record.building.is_some());
        building.count() == BUILDS
    })
    .await;
    println!(
        "a worker with {BUILDS} builds in flight: {:.1} MB resident",
        resident_mb(worker.id())
    );
    worker.kill().await;
}

/// Memory that the process occupies, from `/proc`.
fn resident_mb(id: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("it runs, on Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line
        .expect("it has memory")
        .split_whitespace()
        .nth(1)
        .and_then(|kib| kib.parse::<f64>().ok());
    kib.expect("a number of KiB") / 1024.0
}
