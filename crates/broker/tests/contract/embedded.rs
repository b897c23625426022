//! What the embedded broker promises beside the port's contract.

use std::{
    collections::BTreeMap,
    fs,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::Bytes;
use foreshow_contract::MAX_EVENT_BYTES;
use foreshow_engine::{Broker, BrokerError, DeadLetterReason, Delay, Queue, ResultFilter};
use foreshow_sqlite::DatabaseError;
use tokio_util::sync::CancellationToken;

use crate::support::{
    Folder, count, dead_letters, delay_of, end, expect_nothing, failed_attempt, next, open, result,
    soon, text, update,
};

fn locks(folder: &Folder) -> usize {
    fs::read_dir(folder.sessions()).map_or(0, Iterator::count)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_share_queues_and_results() {
    let folder = Folder::new();
    let (worker, publisher) = (folder.open().await, folder.open().await);
    let mut deliveries = worker.consume(Queue::Deploy, count(4)).await.unwrap();
    let mut results = publisher.subscribe(ResultFilter::default()).await.unwrap();
    assert!(publisher.has_consumers(Queue::Deploy).await.unwrap());
    assert!(!publisher.has_consumers(Queue::Cleanup).await.unwrap());
    for n in 0..10 {
        publisher
            .publish_event(update(&n.to_string()))
            .await
            .unwrap();
        let delivery = next(&mut deliveries).await;
        assert_eq!(text(&delivery), n.to_string());
        worker
            .publish_results(&[result("acme", "a", n)])
            .await
            .unwrap();
        worker.ack(&delivery.receipt).await.unwrap();
        assert_eq!(soon(results.next()).await.unwrap(), result("acme", "a", n));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delay_outlives_the_process_that_asked_for_it() {
    let folder = Folder::new();
    let asked_at = {
        let broker = folder.open().await;
        let mut deliveries = broker.consume(Queue::Deploy, count(1)).await.unwrap();
        broker.publish_event(update("later")).await.unwrap();
        let delivery = next(&mut deliveries).await;
        let delay = Delay {
            after: Duration::from_millis(700),
            attempt: count(3),
            history: Vec::new(),
        };
        broker.delay(&delivery, delay).await.unwrap();
        Instant::now()
    };
    let broker = folder.open().await;
    assert_eq!(broker.depth(Queue::Deploy).await.unwrap().delayed, 1);
    let mut deliveries = broker.consume(Queue::Deploy, count(1)).await.unwrap();
    let again = next(&mut deliveries).await;
    assert_eq!((text(&again), again.attempt.get()), ("later", 3));
    assert!(asked_at.elapsed() >= Duration::from_millis(695), "early");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_is_woken_for_what_another_delayed() {
    let folder = Folder::new();
    let (one, two) = (folder.open().await, folder.open().await);
    let mut of_one = one.consume(Queue::Deploy, count(1)).await.unwrap();
    one.publish_event(update("a")).await.unwrap();
    let delivery = next(&mut of_one).await;
    one.publish_event(update("b")).await.unwrap();
    // The first one is full with "b", so it is for the second one to take "a" when it is due.
    let delay = Delay {
        after: Duration::from_millis(200),
        attempt: count(1),
        history: Vec::new(),
    };
    one.delay(&delivery, delay).await.unwrap();
    let _held = next(&mut of_one).await;
    let mut of_two = two.consume(Queue::Deploy, count(1)).await.unwrap();
    assert_eq!(text(&next(&mut of_two).await), "a");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handle_that_is_dropped_leaves_its_deliveries_to_others() {
    let folder = Folder::new();
    let (going, staying) = (folder.open().await, folder.open().await);
    let mut deliveries = going.consume(Queue::Deploy, count(1)).await.unwrap();
    going.publish_event(update("moved")).await.unwrap();
    next(&mut deliveries).await;
    let mut others = staying.consume(Queue::Deploy, count(1)).await.unwrap();
    expect_nothing(&mut others).await;
    drop((deliveries, going));
    let delivery = next(&mut others).await;
    assert_eq!((text(&delivery), delivery.redelivered), ("moved", true));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lock_of_a_living_process_is_put_back() {
    let folder = Folder::new();
    let (one, two) = (folder.open().await, folder.open().await);
    let _of_one = one.consume(Queue::Deploy, count(1)).await.unwrap();
    assert_eq!(locks(&folder), 1);
    for lock in fs::read_dir(folder.sessions()).unwrap() {
        fs::remove_file(lock.unwrap().path()).unwrap();
    }
    soon(async {
        while locks(&folder) == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    assert!(two.has_consumers(Queue::Deploy).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_no_session_names_is_removed_and_one_that_is_held_is_not() {
    let folder = Folder::new();
    fs::create_dir(folder.sessions()).unwrap();
    fs::write(folder.sessions().join("stray.lock"), b"").unwrap();
    let starting = fs::File::create(folder.sessions().join("starting.lock")).unwrap();
    starting.try_lock().unwrap();
    let broker = folder.open().await;
    let _deliveries = broker.consume(Queue::Deploy, count(1)).await.unwrap();
    assert!(!folder.sessions().join("stray.lock").exists());
    assert!(folder.sessions().join("starting.lock").exists());
    assert_eq!(locks(&folder), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_only_publishes_leaves_nothing_behind() {
    let folder = Folder::new();
    let broker = folder.open().await;
    broker.publish_event(update("a")).await.unwrap();
    let _results = broker.subscribe(ResultFilter::default()).await.unwrap();
    assert_eq!(locks(&folder), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_over_the_limit_is_refused_and_one_at_it_is_not() {
    let folder = Folder::new();
    let broker = folder.open().await;
    let mut large = update("");
    large.body = Bytes::from(vec![b'x'; MAX_EVENT_BYTES]);
    broker.publish_event(large.clone()).await.unwrap();
    let mut deliveries = broker.consume(Queue::Deploy, count(4)).await.unwrap();
    assert_eq!(next(&mut deliveries).await.message, large);
    large.body = Bytes::from(vec![b'x'; MAX_EVENT_BYTES + 1]);
    let refused = broker.publish_event(large).await;
    assert!(
        matches!(refused, Err(BrokerError::TooLarge { limit_bytes, .. }) if limit_bytes == MAX_EVENT_BYTES as u64)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_tells_all_that_a_replay_needs() {
    let folder = Folder::new();
    let broker = folder.open().await;
    let mut deliveries = broker.consume(Queue::Cleanup, count(1)).await.unwrap();
    broker.publish_event(end("bad")).await.unwrap();
    let first = next(&mut deliveries).await;
    let delay = Delay {
        after: Duration::ZERO,
        attempt: count(2),
        history: vec![failed_attempt(1)],
    };
    broker.delay(&first, delay).await.unwrap();
    let second = next(&mut deliveries).await;
    let reason = DeadLetterReason {
        code: "gone".to_owned(),
        message: "why".to_owned(),
        attempts: vec![failed_attempt(2)],
    };
    broker.dead_letter(&second, &reason).await.unwrap();
    let letters = dead_letters(&folder.open().await).await;
    let letter = &letters[0];
    assert_eq!(letters.len(), 1);
    assert_eq!(
        (&letter.message, letter.queue, &letter.reason),
        (&end("bad"), Some(Queue::Cleanup), &Some(reason))
    );
    assert_eq!(
        (letter.attempt.get(), &letter.history),
        (2, &vec![failed_attempt(1)])
    );
    assert_eq!(letter.accepted_at, first.accepted_at);
    assert!(letter.died_at.unwrap() >= letter.accepted_at);
    assert_eq!(broker.depth(Queue::Cleanup).await.unwrap().total(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_goes_on_when_a_full_disk_has_space_again() {
    let folder = Folder::new();
    let db = folder.database().await;
    let broker = open(db.clone(), folder.sessions()).await;
    let mut deliveries = broker.consume(Queue::Deploy, count(8)).await.unwrap();
    let limit = |pages: i64| {
        db.write(move |tx| -> Result<(), DatabaseError> {
            tx.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
            Ok(())
        })
    };
    limit(1).await.unwrap();
    let mut large = update("");
    large.body = Bytes::from(vec![b'x'; 1 << 20]);
    let refused = broker.publish_event(large.clone()).await.unwrap_err();
    let BrokerError::Unavailable { source, .. } = &refused else {
        panic!("{refused}")
    };
    assert!(
        matches!(
            source.downcast_ref::<DatabaseError>(),
            Some(DatabaseError::Full { .. })
        ),
        "{source}"
    );
    limit(1 << 30).await.unwrap();
    broker.publish_event(large.clone()).await.unwrap();
    // A look into the queue that shared its commit with what did not fit was undone along with it; the port says to call
    // again.
    let delivery = soon(async {
        loop {
            if let Ok(delivery) = deliveries.next().await {
                break delivery;
            }
        }
    })
    .await;
    assert_eq!(delivery.message, large);
    broker.ack(&delivery.receipt).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_newest_results_are_kept() {
    let folder = Folder::new();
    let db = folder.database().await;
    let broker = open(db.clone(), folder.sessions()).await;
    let mut results = broker.subscribe(ResultFilter::default()).await.unwrap();
    for page in 0..12_u64 {
        let page: Vec<_> = (0..1_000)
            .map(|n| result("acme", "a", page * 1_000 + n))
            .collect();
        broker.publish_results(&page).await.unwrap();
    }
    let kept: i64 = db
        .read(|connection| -> Result<_, DatabaseError> {
            Ok(connection.query_row("SELECT count(*) FROM results", [], |row| row.get(0))?)
        })
        .await
        .unwrap();
    assert!((10_000..10_256).contains(&kept), "{kept}");
    // A reader that lags goes on with the oldest that is left.
    let first = soon(results.next())
        .await
        .unwrap()
        .revision()
        .unwrap()
        .get();
    assert!((1_700..=2_000).contains(&first), "{first}");
    for expected in first + 1..12_000 {
        assert_eq!(
            soon(results.next())
                .await
                .unwrap()
                .revision()
                .unwrap()
                .get(),
            expected
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_process_writes_nothing() {
    let folder = Folder::new();
    let db = folder.database().await;
    let broker = open(db.clone(), folder.sessions()).await;
    let mut deliveries = broker.consume(Queue::Deploy, count(8)).await.unwrap();
    broker.publish_event(update("a")).await.unwrap();
    let delivery = next(&mut deliveries).await;
    broker
        .delay(
            &delivery,
            Delay {
                after: Duration::from_mins(10),
                attempt: count(1),
                history: Vec::new(),
            },
        )
        .await
        .unwrap();
    expect_nothing(&mut deliveries).await;
    let before = db.stats();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(db.stats(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_consumers_do_each_message_is_done_once() {
    const MESSAGES: usize = 600;
    let folder = Folder::new();
    let handles = [folder.open().await, folder.open().await];
    let done = Arc::new(Mutex::new(BTreeMap::<String, u32>::new()));
    let stop = CancellationToken::new();
    let mut consumers = Vec::new();
    for n in 0..4_u64 {
        let broker = handles[usize::from(n % 2 == 0)].clone();
        let (done, stop) = (Arc::clone(&done), stop.clone());
        consumers.push(tokio::spawn(async move {
            let mut random = fastrand::Rng::with_seed(n);
            let mut deliveries = broker.consume(Queue::Deploy, count(7)).await.unwrap();
            let mut held = Vec::new();
            loop {
                // Stopped only here, so that what it acknowledges is counted too.
                tokio::select! {
                    delivery = deliveries.next() => held.push(delivery.unwrap()),
                    () = stop.cancelled() => break,
                }
                assert!(held.len() <= 7);
                while held.len() == 7 || random.bool() {
                    if held.is_empty() {
                        break;
                    }
                    let delivery = held.swap_remove(random.usize(..held.len()));
                    match random.u8(..10) {
                        0 => broker.requeue(&delivery.receipt).await.unwrap(),
                        1 | 2 => {
                            let after = Duration::from_millis(random.u64(..20));
                            let attempt = delivery.attempt.saturating_add(1);
                            let delay = Delay {
                                after,
                                attempt,
                                history: delivery.history.clone(),
                            };
                            broker.delay(&delivery, delay).await.unwrap();
                        }
                        _ => {
                            broker.ack(&delivery.receipt).await.unwrap();
                            *done
                                .lock()
                                .unwrap()
                                .entry(text(&delivery).to_owned())
                                .or_default() += 1;
                        }
                    }
                }
                if random.u8(..60) == 0 {
                    // What it held goes back, and its receipts with it.
                    held.clear();
                    deliveries = broker.consume(Queue::Deploy, count(7)).await.unwrap();
                }
            }
        }));
    }
    for n in 0..MESSAGES {
        handles[n % 2]
            .publish_event(update(&n.to_string()))
            .await
            .unwrap();
    }
    // A consumer that waits may hold a few for ever; they are given back when it goes.
    let finished = async {
        while done.lock().unwrap().len() < MESSAGES - 4 * 7 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon(finished).await;
    stop.cancel();
    for consumer in consumers {
        consumer.await.unwrap();
    }
    let mut last = handles[0].consume(Queue::Deploy, count(100)).await.unwrap();
    soon(async {
        while handles[1].depth(Queue::Deploy).await.unwrap().total() > 0 {
            if let Ok(delivery) = tokio::time::timeout(Duration::from_millis(50), last.next()).await
            {
                let delivery = delivery.unwrap();
                handles[0].ack(&delivery.receipt).await.unwrap();
                *done
                    .lock()
                    .unwrap()
                    .entry(text(&delivery).to_owned())
                    .or_default() += 1;
            }
        }
    })
    .await;
    let done = done.lock().unwrap();
    assert_eq!(done.len(), MESSAGES);
    assert!(done.values().all(|times| *times == 1), "{done:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_consumer_leaves_what_nobody_read_and_what_is_given_back_to_others() {
    let folder = Folder::new();
    let stopping = folder.open().await;
    let mut deliveries = stopping.consume(Queue::Deploy, count(4)).await.unwrap();
    for name in ["read", "read and given back", "fetched ahead"] {
        stopping.publish_event(update(name)).await.unwrap();
    }
    let read = next(&mut deliveries).await;
    let given_back = next(&mut deliveries).await;
    deliveries.stop().await;
    stopping.requeue(&given_back.receipt).await.unwrap();
    stopping
        .publish_event(update("published later"))
        .await
        .unwrap();

    let other = folder.open().await;
    let mut theirs = other.consume(Queue::Deploy, count(4)).await.unwrap();
    let mut names = Vec::new();
    for _ in 0..3 {
        names.push(text(&next(&mut theirs).await).to_owned());
    }
    names.sort();
    assert_eq!(
        names,
        ["fetched ahead", "published later", "read and given back"]
    );
    // What was read is still this consumer's to finish.
    stopping.ack(&read.receipt).await.unwrap();
    drop(deliveries);
    assert_eq!(stopping.depth(Queue::Deploy).await.unwrap().total(), 3);
}

/// The port promises "never early"; this broker also keeps the time.
#[tokio::test(flavor = "multi_thread")]
async fn a_delayed_delivery_comes_back_in_time() {
    let folder = Folder::new();
    let broker = folder.open().await;
    let mut deliveries = broker.consume(Queue::Deploy, count(8)).await.unwrap();
    for after_ms in [400_u64, 0, 150, 37] {
        broker
            .publish_event(update(&after_ms.to_string()))
            .await
            .unwrap();
        let delivery = next(&mut deliveries).await;
        let after = Duration::from_millis(after_ms);
        let asked_at = Instant::now();
        broker.delay(&delivery, delay_of(after)).await.unwrap();
        let again = next(&mut deliveries).await;
        let waited = asked_at.elapsed();
        assert!(
            waited < after + Duration::from_secs(2),
            "{waited:?} is long after {after:?}"
        );
        broker.ack(&again.receipt).await.unwrap();
    }
}

/// The port leaves open in which order delays of different length come back; here it is that of their times.
#[tokio::test(flavor = "multi_thread")]
async fn delays_of_different_length_come_back_in_the_order_of_their_times() {
    let folder = Folder::new();
    let broker = folder.open().await;
    let mut deliveries = broker.consume(Queue::Deploy, count(1)).await.unwrap();
    for after_ms in [900, 600, 300] {
        broker
            .publish_event(update(&after_ms.to_string()))
            .await
            .unwrap();
        let delivery = next(&mut deliveries).await;
        broker
            .delay(&delivery, delay_of(Duration::from_millis(after_ms)))
            .await
            .unwrap();
    }
    for expected in ["300", "600", "900"] {
        let delivery = next(&mut deliveries).await;
        assert_eq!(text(&delivery), expected);
        broker.ack(&delivery.receipt).await.unwrap();
    }
}
