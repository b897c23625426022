//! What a large bundle costs: 500 MB in 20,000 files, packed as a tar.gz, by URL to the local provider.
//!
//! Run by `cargo xtask bench bundles`. Prints the worker's memory before and at its peak, and the times; fails where the memory
//! rose by more than was promised.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod archive;

use std::process::ExitCode;
use std::time::Instant;

use foreshow_contract::{BundleRef, Content, ContextEvent, ContextUpdated, ResultBody, Revision};
use foreshow_tests::{FileServer, Foreshow, Upstream, event, eventually, fetch, key};

const FILES: usize = 20_000;
const BYTES: usize = 500_000_000;
/// A worker's memory may rise by so much.
const RISE_MB: f64 = 64.0;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be had");
    runtime.block_on(measure())
}

async fn measure() -> ExitCode {
    let foreshow = Foreshow::embedded();
    let folder = foreshow.folder().join("served");
    std::fs::create_dir(&folder).expect("the folder can be made");
    let began_at = Instant::now();
    let (sha256, packed_bytes) = archive::pack(&folder.join("site.tar.gz"), FILES, BYTES);
    println!(
        "packed {FILES} files of {:.0} MB into {:.0} MB in {:.1} s",
        megabytes(BYTES as u64),
        megabytes(packed_bytes),
        began_at.elapsed().as_secs_f64()
    );

    let server = FileServer::of(&folder).await;
    let foreshow = foreshow.fetching_from(&server);
    let _gateway = foreshow.gateway().await;
    let worker = foreshow.worker().await;
    eventually("it is ready", async || {
        fetch(&worker.admin("/readyz")).await.status == 200
    })
    .await;
    let mut upstream = Upstream::connect(&foreshow).await;
    let before = memory_mb(worker.id(), "VmRSS:");
    let began_at = Instant::now();
    for (context, revision) in [("first", 1), ("second", 1)] {
        let bundle = BundleRef {
            url: server.url("site.tar.gz"),
            sha256,
        };
        let update = ContextUpdated::new(
            key("acme", context),
            Revision::try_new(revision).expect("a legal revision"),
            Content::Bundle(bundle),
        );
        upstream
            .publish(&event(ContextEvent::Updated(update)))
            .await;
        let end = upstream.next_end().await;
        let ResultBody::Ready(ready) = &end.body else {
            panic!("it is ready, and not {end:?}");
        };
        let page = fetch(&format!("{}{}", ready.url, archive::name(FILES / 2))).await;
        assert!(page.body == archive::content(FILES / 2, FILES, BYTES));
        println!(
            "{context}: ready {:.1} s after the start, {:?}; asked for the bundle {} times; memory at its peak {:.1} MB",
            began_at.elapsed().as_secs_f64(),
            ready.timings,
            server.asked("site.tar.gz"),
            memory_mb(worker.id(), "VmHWM:"),
        );
    }
    let peak = memory_mb(worker.id(), "VmHWM:");
    let rise = peak - before;
    println!(
        "a worker's memory: {before:.1} MB before, {peak:.1} MB at its peak: {rise:.1} MB more"
    );
    if rise < RISE_MB {
        ExitCode::SUCCESS
    } else {
        println!("MISSED: it was to rise by less than {RISE_MB} MB");
        ExitCode::FAILURE
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1_000_000.0
}

/// A figure of the process's memory, from `/proc`.
fn memory_mb(id: u32, figure: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("it runs, on Linux");
    let line = status.lines().find(|line| line.starts_with(figure));
    let kib = line
        .expect("it has memory")
        .split_whitespace()
        .nth(1)
        .and_then(|kib| kib.parse::<f64>().ok());
    kib.expect("a number of KiB") * 1.024 / 1_000.0
}
