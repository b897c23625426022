//! What a fleet costs: throughput beside hand-written loops, memory, and commands of the store.
//!
//! Everything in one run on one private RabbitMQ and one private Redis. Prints figures and asserts nothing about them. Run
//! by `cargo xtask bench fleet`.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod engine;
mod loops;
mod processes;
mod provider;

use std::time::{Duration, Instant};

use foreshow_tests::{Foreshow, PrivateServers};

/// Deliveries that every contestant may hold at once, and works on at once.
const AT_ONCE: u16 = 256;
/// Messages of each race.
const MESSAGES: usize = 10_000;

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be had");
    runtime.block_on(async {
        races().await;
        processes::memory(Foreshow::private().await).await;
    });
}

async fn races() {
    let servers = PrivateServers::start().await;
    println!("{MESSAGES} messages each, {AT_ONCE} at once, all on this machine:");
    let bare = loops::bare(&servers).await;
    show("bare consume, confirmed publish, ack", bare, bare);
    let hand = loops::with_redis(&servers).await;
    show(
        "the same by hand with Redis: claim, admit, record, live, settle, leave",
        hand,
        bare,
    );
    let deploys = engine::deploys(&servers).await;
    show(
        "Foreshow, deploys to a provider that costs nothing",
        deploys.rate,
        bare,
    );
    println!("    {:.2} of the hand-written loop", deploys.rate / hand);
    println!("    {:.2} commands of Redis for each", deploys.commands);
    let superseded = engine::superseded(&servers).await;
    show("Foreshow, superseded events", superseded.rate, bare);
    println!("    {:.2} commands of Redis for each", superseded.commands);
}

fn show(what: &str, rate: f64, bare: f64) {
    println!("{rate:>8.0} a second ({:.2} of bare): {what}", rate / bare);
}

/// How many a second.
#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn rate(count: usize, began_at: Instant) -> f64 {
    count as f64
        / began_at
            .elapsed()
            .max(Duration::from_micros(1))
            .as_secs_f64()
}
