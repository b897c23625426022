//! How fast, how small: deploys and superseded events a second on the built binary, memory of an idle one.
//!
//! Prints figures and asserts nothing about them. Run by `cargo xtask bench`.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::time::{Duration, Instant};

use foreshow_contract::IncomingEvent;
use foreshow_tests::{Foreshow, Up, Upstream, key, update};

const DEPLOYS: u64 = 5_000;
const SUPERSEDED: u64 = 20_000;

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be had");
    runtime.block_on(async {
        let foreshow = Foreshow::embedded()
            .set("FORESHOW_WORKER__CONCURRENCY", 256)
            .set("FORESHOW_WORKER__PREFETCH", 1_024);
        let up = foreshow.up().await;
        let mut upstream = Upstream::connect(&foreshow).await;
        println!("idle: {:.1} MB resident", resident_mb(up.id()));

        let deploys = (0..DEPLOYS).map(|n| {
            let key = key(&format!("tenant-{}", n % 20), &format!("ctx-{n}"));
            update(&key, 1, &format!("<h1>{key}</h1>"))
        });
        measure(&up, &mut upstream, "ready", deploys).await;

        let storm = key("acme", "storm");
        upstream
            .publish(&update(&storm, SUPERSEDED + 1, "newest"))
            .await;
        upstream.next_end().await;
        let storm = (1..=SUPERSEDED).map(|revision| update(&storm, revision, "old"));
        measure(&up, &mut upstream, "superseded", storm).await;
        println!("after it: {:.1} MB resident", resident_mb(up.id()));
    });
}

/// Publishes events with many in flight, as a busy upstream does, and waits for the end of each.
async fn measure(
    up: &Up,
    upstream: &mut Upstream,
    outcome: &str,
    events: impl Iterator<Item = IncomingEvent>,
) {
    let events: Vec<_> = events.collect();
    let count = events.len();
    let publisher = upstream.publisher();
    let (began_at, cpu) = (Instant::now(), cpu_seconds(up.id()));
    let publishing = tokio::spawn(async move {
        for batch in events.chunks(256) {
            publisher.publish_all(batch).await;
        }
        began_at.elapsed()
    });
    for _ in 0..count {
        let end = upstream.next_end().await;
        assert_eq!(end.outcome().short(), outcome, "{end:?}");
    }
    let took = began_at.elapsed();
    let published_in = publishing.await.expect("nobody panics");
    println!(
        "{outcome}: {count} in {:.2} s, {:.0} a second ({:.0} a second published; {:.2} ms of processor each)",
        took.as_secs_f64(),
        rate(count, took),
        rate(count, published_in),
        (cpu_seconds(up.id()) - cpu) * 1_000.0 / rate(count, Duration::from_secs(1)),
    );
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn rate(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

/// Memory that the process occupies, from `/proc`.
fn resident_mb(id: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("it runs, on Linux");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .expect("it has memory");
    let kib = line
        .split_whitespace()
        .nth(1)
        .and_then(|kib| kib.parse::<f64>().ok());
    kib.expect("a number of KiB") / 1024.0
}

/// Processor time that the process has used, from `/proc`, at the 100 ticks a second that Linux reports in.
fn cpu_seconds(id: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).expect("it runs, on Linux");
    let (_, fields) = stat.rsplit_once(')').expect("its name is in parentheses");
    let ticks = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(str::parse::<f64>);
    ticks
        .map(|ticks| ticks.expect("a number of ticks"))
        .sum::<f64>()
        / 100.0
}
