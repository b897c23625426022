//! What one tenant's flood costs the others, and what the way through the backlog costs the flood.
//!
//! Three workers with their usual slots and windows, on a private RabbitMQ and a private Redis, all on this machine, in one
//! process; a provider in memory whose builds take a while. Prints figures, and fails where the promise is missed: the others'
//! wait (95th percentile, from publishing until its result is heard) is at most three times that of an idle fleet, or five seconds.
//!
//! Run by `cargo xtask bench flood`.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod fleet;
#[path = "../fleet/provider.rs"]
mod provider;

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use foreshow_contract::IncomingEvent;
use foreshow_tests::{PrivateServers, key, update};

use self::fleet::{Fleet, Heard};

/// Events of the tenant that floods.
const FLOOD: usize = 10_000;
/// Events of a tenant that is alone.
const ALONE: usize = 5_000;
/// The others, and what each has.
const OTHERS: usize = 9;
const EACH: usize = 10;
const WORKERS: usize = 3;
const BUILD: Duration = Duration::from_millis(100);

fn main() -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be had");
    runtime.block_on(measure())
}

async fn measure() -> ExitCode {
    println!(
        "{WORKERS} workers, builds of {} ms; {FLOOD} events of one tenant, {EACH} of each of {OTHERS} others",
        BUILD.as_millis()
    );
    let idle = idle().await;
    println!("  others, the fleet idle: {}", words(&idle));
    let (flooded, with_others) = flooded().await;
    println!("  others, behind the flood: {}", words(&flooded));
    println!("  the flood meanwhile: {with_others:.0} a second");
    let (moving, staying) = (alone(50).await, alone(100).await);
    println!(
        "  {ALONE} events of a tenant that is alone: {moving:.0} a second by way of the backlog"
    );
    println!(
        "  {ALONE} events of a tenant that is alone: {staying:.0} a second with waiting_percent = 100"
    );
    println!("    {:.2} of it", moving / staying);
    let bound = (quantile(&idle, 95) * 3).max(Duration::from_secs(5));
    let p95 = quantile(&flooded, 95);
    let is_kept = p95 <= bound;
    println!(
        "  {}: the others' wait behind a flood, {:.3} s, is at most {:.3} s",
        if is_kept { "kept" } else { "MISSED" },
        p95.as_secs_f64(),
        bound.as_secs_f64()
    );
    ExitCode::from(u8::from(!is_kept))
}

/// How long the others wait where nobody is in their way: one event after another.
async fn idle() -> Vec<Duration> {
    let servers = PrivateServers::start().await;
    let mut fleet = Fleet::start(&servers, 50).await;
    let mut waits = Vec::new();
    for event in others() {
        fleet.publish(&[event]).await;
        waits.push(fleet.next_ready().await.waited);
    }
    fleet.stop().await;
    waits
}

/// How long they wait behind a flood that was published before them, and how many of the flood end a second.
async fn flooded() -> (Vec<Duration>, f64) {
    let servers = PrivateServers::start().await;
    let mut fleet = Fleet::start(&servers, 50).await;
    let began_at = Instant::now();
    fleet.publish(&flood(FLOOD)).await;
    let others = others();
    println!(
        "  (the flood took {:.1} s to publish)",
        began_at.elapsed().as_secs_f64()
    );
    fleet.publish(&others).await;
    let mut waits = Vec::new();
    let mut flooded_before = 0;
    for _ in 0..FLOOD + others.len() {
        let Heard { tenant, waited } = fleet.next_ready().await;
        if tenant == "flood" {
            flooded_before += usize::from(waits.len() < others.len());
        } else {
            waits.push(waited);
        }
    }
    println!("  ({flooded_before} of the flood were ready before the last of the others)");
    let rate = rate(FLOOD, began_at);
    fleet.stop().await;
    (waits, rate)
}

/// How many events a tenant that is alone has ready a second.
async fn alone(waiting_percent: u8) -> f64 {
    let servers = PrivateServers::start().await;
    let mut fleet = Fleet::start(&servers, waiting_percent).await;
    let began_at = Instant::now();
    fleet.publish(&flood(ALONE)).await;
    for _ in 0..ALONE {
        fleet.next_ready().await;
    }
    let rate = rate(ALONE, began_at);
    fleet.stop().await;
    rate
}

fn flood(events: usize) -> Vec<IncomingEvent> {
    let events = (0..events).map(|n| update(&key("flood", &format!("c{n}")), 1, "<h1>flood</h1>"));
    events.collect()
}

/// The others' events, the tenants by turns.
fn others() -> Vec<IncomingEvent> {
    let events = (0..OTHERS * EACH).map(|n| {
        let (tenant, context) = (n % OTHERS, n / OTHERS);
        let key = key(&format!("other-{tenant}"), &format!("c{context}"));
        update(&key, 1, "<h1>other</h1>")
    });
    events.collect()
}

fn words(waits: &[Duration]) -> String {
    let seconds = |percent| quantile(waits, percent).as_secs_f64();
    format!(
        "n={}  p50 {:.3} s  p95 {:.3} s  max {:.3} s",
        waits.len(),
        seconds(50),
        seconds(95),
        seconds(100)
    )
}

/// The smallest of those that are not below so many percent of all.
fn quantile(waits: &[Duration], percent: usize) -> Duration {
    let mut sorted = waits.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

/// How many a second.
#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn rate(count: usize, began_at: Instant) -> f64 {
    count as f64 / began_at.elapsed().as_secs_f64()
}
