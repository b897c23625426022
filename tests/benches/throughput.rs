//! How fast, how small: deploys and superseded events a second on the built binary, memory of an idle one.
//!
//! Prints figures and asserts nothing about them. Run by `cargo xtask bench`.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::time::Instant;

use foreshow_tests::{Foreshow, Upstream, key, update};

const DEPLOYS: u64 = 5_000;
const SUPERSEDED: u64 = 20_000;

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be had");
    runtime.block_on(async {
        let foreshow = Foreshow::new()
            .set("FORESHOW_WORKER__CONCURRENCY", 256)
            .set("FORESHOW_WORKER__PREFETCH", 1_024);
        let up = foreshow.up().await;
        let mut upstream = Upstream::connect(&foreshow.data_dir()).await;
        println!("idle: {:.1} MB resident", resident_mb(up.id()));

        let contexts: Vec<_> = (0..DEPLOYS)
            .map(|n| key(&format!("tenant-{}", n % 20), &format!("ctx-{n}")))
            .collect();
        let began_at = Instant::now();
        publish(
            &upstream,
            contexts
                .iter()
                .map(|key| update(key, 1, &format!("<h1>{key}</h1>"))),
        )
        .await;
        let published_in = began_at.elapsed();
        for _ in 0..DEPLOYS {
            let end = upstream.next_end().await;
            assert_eq!(end.outcome().short(), "ready", "{end:?}");
        }
        rate("published", DEPLOYS, published_in);
        rate("deployed", DEPLOYS, began_at.elapsed());

        let storm = key("acme", "storm");
        upstream
            .publish(&update(&storm, SUPERSEDED + 1, "newest"))
            .await;
        upstream.next_end().await;
        let began_at = Instant::now();
        publish(
            &upstream,
            (1..=SUPERSEDED).map(|revision| update(&storm, revision, "old")),
        )
        .await;
        for _ in 0..SUPERSEDED {
            let end = upstream.next_end().await;
            assert_eq!(end.outcome().short(), "superseded", "{end:?}");
        }
        rate("superseded", SUPERSEDED, began_at.elapsed());
        println!("after it: {:.1} MB resident", resident_mb(up.id()));
    });
}

/// Publishes with many in flight, as a busy upstream does.
async fn publish(
    upstream: &Upstream,
    events: impl Iterator<Item = foreshow_contract::IncomingEvent>,
) {
    let mut events = events.peekable();
    while events.peek().is_some() {
        let batch: Vec<_> = events.by_ref().take(256).collect();
        upstream.publish_all(&batch).await;
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn rate(what: &str, count: u64, took: std::time::Duration) {
    println!(
        "{what}: {count} in {:.2} s, {:.0} a second",
        took.as_secs_f64(),
        count as f64 / took.as_secs_f64()
    );
}

/// Memory that the process occupies, from `/proc`.
fn resident_mb(id: u32) -> f64 {
    let status =
        std::fs::read_to_string(format!("/proc/{id}/status")).expect("the process runs, on Linux");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .expect("it has memory");
    let kib: f64 = line
        .split_whitespace()
        .nth(1)
        .and_then(|kib| kib.parse().ok())
        .expect("a number of KiB");
    kib / 1024.0
}
