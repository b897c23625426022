//! Not a claim but a measurement: `cargo nextest run --release -p foreshow-broker --run-ignored only --no-capture`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use foreshow_engine::{Broker, Queue};

use crate::support::{Folder, count, next, open, result, update};

const MESSAGES: u64 = 20_000;

fn rate(messages: u64, since: Instant) -> u128 {
    u128::from(messages) * 1_000_000 / since.elapsed().as_micros()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn messages_per_second() {
    let folder = Folder::new();
    let db = folder.database().await;
    let broker = Arc::new(open(db.clone(), folder.sessions()).await);
    let body = "x".repeat(2_000);
    let started = Instant::now();
    let publishers: Vec<_> = (0..64)
        .map(|_| {
            let (broker, body) = (Arc::clone(&broker), body.clone());
            tokio::spawn(async move {
                for _ in 0..MESSAGES / 64 {
                    broker.publish_event(update(&body)).await.unwrap();
                }
            })
        })
        .collect();
    for publisher in publishers {
        publisher.await.unwrap();
    }
    let published = MESSAGES / 64 * 64;
    println!("published {}/s", rate(published, started));

    let (started, before) = (Instant::now(), db.stats());
    let mut deliveries = broker.consume(Queue::Deploy, count(256)).await.unwrap();
    let done = Arc::new(AtomicU64::new(0));
    for n in 0..published {
        let delivery = next(&mut deliveries).await;
        let (broker, done) = (Arc::clone(&broker), Arc::clone(&done));
        tokio::spawn(async move {
            broker
                .publish_results(&[result("acme", "a", n)])
                .await
                .unwrap();
            broker.ack(&delivery.receipt).await.unwrap();
            done.fetch_add(1, Ordering::Relaxed);
        });
    }
    while done.load(Ordering::Relaxed) < published {
        tokio::task::yield_now().await;
    }
    let after = db.stats();
    println!(
        "consumed, published a result and acknowledged {}/s, {} writes in {} commits",
        rate(published, started),
        after.writes - before.writes,
        after.commits - before.commits,
    );
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn idle() {
    /// User and system time of this process, in hundredths of a second.
    fn used() -> u64 {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
        let after_name = stat.rsplit(')').next().unwrap();
        let ticks = |column: usize| -> u64 {
            after_name
                .split_whitespace()
                .nth(column)
                .unwrap()
                .parse()
                .unwrap()
        };
        ticks(11) + ticks(12)
    }
    let folder = Folder::new();
    let (broker, other) = (folder.open().await, folder.open().await);
    let _deploy = broker.consume(Queue::Deploy, count(64)).await.unwrap();
    let _cleanup = broker.consume(Queue::Cleanup, count(64)).await.unwrap();
    let _other = other.consume(Queue::Deploy, count(64)).await.unwrap();
    let _results = broker
        .subscribe(foreshow_engine::ResultFilter::default())
        .await
        .unwrap();
    let before = used();
    tokio::time::sleep(std::time::Duration::from_secs(10)).await;
    println!(
        "idle for 10 s, two handles: {} ms of CPU",
        (used() - before) * 10
    );
}
