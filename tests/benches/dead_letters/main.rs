//! What a replay of ten thousand dead letters does to live traffic: how long a live update takes from its publication until its
//! preview is ready, alone and while the built binary replays.
//!
//! Everything on one private RabbitMQ and one private Redis, with one gateway and one worker, the provider `local`, and the
//! replay's own default pace. Nine of ten letters are of contexts that nobody knows, and are deployed like any update; one of
//! ten is of a context that has gone on since. Run by `cargo xtask bench dead_letters`; it fails where the 99th percentile grows
//! to more than one and a half times that of the same traffic alone.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod live;

use std::{process::ExitCode, time::Instant};

use foreshow_broker::rabbitmq::{AmqpUrl, RabbitMqBroker, RabbitMqOptions};
use foreshow_engine::{Broker, DeadLetterReason, Queue};
use foreshow_tests::{Foreshow, Publisher, eventually, fetch, key, update};
use serde_json::Value;

/// Letters of contexts that nobody knows, and of those that a newer revision has passed.
const FRESH: u64 = 9_000;
const STALE: u64 = 1_000;
/// Each of so many contexts has given up several revisions, and shows a later one.
const PASSED_CONTEXTS: u64 = 100;
/// Promised: the 99th percentile grows to no more than so many times what it is alone.
const AT_MOST: f64 = 1.5;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be had");
    runtime.block_on(measure())
}

async fn measure() -> ExitCode {
    let foreshow = Foreshow::private().await;
    give_up(&foreshow).await;
    let _gateway = foreshow.gateway().await;
    let worker = foreshow.worker().await;
    eventually("the worker is ready", async || {
        fetch(&worker.admin("/readyz")).await.status == 200
    })
    .await;
    pass(&foreshow).await;

    println!("{} live updates a second:", live::EACH_SECOND);
    let alone = live::until(&foreshow, live::alone()).await;
    println!("  alone      {alone}");
    let began_at = Instant::now();
    let replay = tokio::spawn(
        foreshow
            .command(["dead-letters", "replay", "--all", "--json"])
            .output(),
    );
    let output = async {
        replay
            .await
            .expect("nobody panics")
            .expect("it can be started")
    };
    let (tell, output_of) = tokio::sync::oneshot::channel();
    let replaying = async move {
        tell.send(output.await).ok();
    };
    let beside = live::until(&foreshow, replaying).await;
    let took = began_at.elapsed();
    println!("  replaying  {beside}");

    let output = output_of.await.expect("it has ended");
    let told: Value = serde_json::from_slice(&output.stdout).expect("--json prints JSON");
    println!(
        "  {} letters replayed and {} superseded dropped in {:.0} s",
        told["replayed"]["total"],
        told["supersededDropped"],
        took.as_secs_f64()
    );
    let ratio = beside.p99().as_secs_f64() / alone.p99().as_secs_f64();
    let is_kept = ratio <= AT_MOST && told["supersededDropped"] == STALE;
    let word = if is_kept { "kept" } else { "MISSED" };
    println!(
        "  {word}: live p99 is {ratio:.2} times that of the same traffic alone (at most {AT_MOST})"
    );
    if is_kept {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Has ten thousand updates given up, as a worker does it.
async fn give_up(foreshow: &Foreshow) {
    let (servers, began_at) = (foreshow.ground().private(), Instant::now());
    let urls = AmqpUrl::parse_list(&servers.rabbitmq.amqp_url("/")).expect("an AMQP URL");
    let broker = RabbitMqBroker::start(RabbitMqOptions::new(urls)).expect("sound options");
    broker.opened().await.expect("RabbitMQ runs");
    broker
        .apply_topology()
        .await
        .expect("the broker declares it");
    let publisher = Publisher::new(std::sync::Arc::new(broker.clone()));
    let fresh = (0..FRESH).map(|n| {
        let key = key(&format!("tenant-{}", n % 20), &format!("given-up-{n}"));
        update(&key, 1, "<h1>given up</h1>")
    });
    let stale = (0..STALE).map(|n| {
        let key = key("acme", &format!("passed-{}", n % PASSED_CONTEXTS));
        update(&key, 1 + n / PASSED_CONTEXTS, "<h1>given up</h1>")
    });
    let events: Vec<_> = fresh.chain(stale).collect();
    let at_once = std::num::NonZeroU32::new(256).expect("it is not 0");
    let mut deliveries = broker
        .consume(Queue::Deploy, at_once)
        .await
        .expect("the queue can be read");
    let reason = DeadLetterReason {
        code: "build_failed".to_owned(),
        message: "the build ended with an error".to_owned(),
        attempts: Vec::new(),
    };
    for some in events.chunks(256) {
        publisher.publish_all(some).await;
        for _ in some {
            let delivery = deliveries.next().await.expect("the queue can be read");
            let kept = broker.dead_letter(&delivery, &reason).await;
            kept.expect("the broker keeps it");
        }
    }
    drop(deliveries);
    broker.close().await;
    println!(
        "{} dead letters, given up in {:.0} s",
        events.len(),
        began_at.elapsed().as_secs_f64()
    );
}

/// Has the contexts go on whose older revisions were given up.
async fn pass(foreshow: &Foreshow) {
    let publisher = Publisher::new(foreshow.broker().await);
    let newest = 1 + STALE / PASSED_CONTEXTS;
    let events: Vec<_> = (0..PASSED_CONTEXTS)
        .map(|n| update(&key("acme", &format!("passed-{n}")), newest, "<h1>on</h1>"))
        .collect();
    publisher.publish_all(&events).await;
    let store = foreshow.store().await;
    let last = events.last().expect("there are some").event.key();
    eventually("they are live", async || {
        let listed = store
            .contexts(None, 1_000)
            .await
            .expect("the store answers");
        let live = listed
            .iter()
            .filter(|context| context.record.live.is_some());
        live.count() as u64 >= PASSED_CONTEXTS
    })
    .await;
    assert!(
        store
            .context(last)
            .await
            .expect("the store answers")
            .is_some()
    );
}
