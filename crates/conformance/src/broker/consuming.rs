//! Claims about consumers: how much they hold, and what becomes of it when they go.

use std::{collections::BTreeSet, time::Duration};

use foreshow_engine::Queue;

use super::{Adapter, count, delay_of, expect_nothing, next, soon, text, update};

/// Only what is acknowledged or handed on makes room, and only once.
pub async fn no_more_than_the_prefetch_is_out(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    for n in 0..5 {
        broker.publish_event(update(&n.to_string())).await.unwrap();
    }
    let mut deliveries = broker.consume(Queue::Deploy, count(2)).await.unwrap();
    let first = next(&mut deliveries).await;
    let second = next(&mut deliveries).await;
    expect_nothing(&mut deliveries).await;
    broker.ack(&first.receipt).await.unwrap();
    // A second time, which must not make room for another.
    broker.ack(&first.receipt).await.unwrap();
    assert_eq!(text(&next(&mut deliveries).await), "2");
    expect_nothing(&mut deliveries).await;
    broker
        .delay(&second, delay_of(Duration::from_mins(1)))
        .await
        .unwrap();
    assert_eq!(text(&next(&mut deliveries).await), "3");
    expect_nothing(&mut deliveries).await;
}

/// Each message goes to one of them.
pub async fn two_consumers_share_a_queue(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    let mut one = broker.consume(Queue::Deploy, count(3)).await.unwrap();
    let mut two = broker.consume(Queue::Deploy, count(3)).await.unwrap();
    for n in 0..40 {
        broker.publish_event(update(&n.to_string())).await.unwrap();
    }
    let mut seen = BTreeSet::new();
    while seen.len() < 40 {
        let delivery = soon(async {
            tokio::select! {
                delivery = one.next() => delivery,
                delivery = two.next() => delivery,
            }
        });
        let delivery = delivery.await.unwrap();
        assert!(seen.insert(text(&delivery).to_owned()), "twice");
        broker.ack(&delivery.receipt).await.unwrap();
    }
    expect_nothing(&mut one).await;
    expect_nothing(&mut two).await;
}

/// What it had acknowledged is gone, the rest comes again.
pub async fn a_consumer_that_goes_away_gives_back_what_it_had(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    for n in 0..6 {
        broker.publish_event(update(&n.to_string())).await.unwrap();
    }
    let mut going = broker.consume(Queue::Deploy, count(4)).await.unwrap();
    let done = next(&mut going).await;
    let held = next(&mut going).await;
    broker.ack(&done.receipt).await.unwrap();
    drop(going);
    let mut staying = broker.consume(Queue::Deploy, count(10)).await.unwrap();
    let mut left = BTreeSet::new();
    for _ in 0..5 {
        let delivery = next(&mut staying).await;
        assert!(delivery.redelivered || text(&delivery) != text(&held));
        left.insert(text(&delivery).to_owned());
    }
    assert!(!left.contains(text(&done)) && left.len() == 5, "{left:?}");
    expect_nothing(&mut staying).await;
}

/// Also what was on its way to the consumer, and even where it never read anything.
pub async fn what_nobody_read_comes_again_when_its_consumer_goes_away(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    for n in 0..3 {
        broker.publish_event(update(&n.to_string())).await.unwrap();
    }
    for _ in 0..3 {
        let mut going = broker.consume(Queue::Deploy, count(8)).await.unwrap();
        // Given up while it waits, so that a delivery may just be arriving.
        drop(tokio::time::timeout(Duration::from_micros(300), going.next()).await);
    }
    let mut staying = broker.consume(Queue::Deploy, count(8)).await.unwrap();
    let mut names = BTreeSet::new();
    for _ in 0..3 {
        names.insert(text(&next(&mut staying).await).to_owned());
    }
    assert_eq!(names.len(), 3);
    expect_nothing(&mut staying).await;
}

/// What was read is still its own to finish, and follows it when it is dropped.
pub async fn a_stopped_consumer_gives_back_what_nobody_read(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    for name in ["done", "held", "given back", "fetched ahead"] {
        broker.publish_event(update(name)).await.unwrap();
    }
    let mut stopping = broker.consume(Queue::Deploy, count(4)).await.unwrap();
    let done = next(&mut stopping).await;
    let held = next(&mut stopping).await;
    let given_back = next(&mut stopping).await;
    stopping.stop().await;
    broker.requeue(&given_back.receipt).await.unwrap();
    broker
        .publish_event(update("published later"))
        .await
        .unwrap();

    let mut theirs = broker.consume(Queue::Deploy, count(8)).await.unwrap();
    let mut names = BTreeSet::new();
    for _ in 0..3 {
        names.insert(text(&next(&mut theirs).await).to_owned());
    }
    assert_eq!(
        names,
        ["fetched ahead", "given back", "published later"]
            .map(str::to_owned)
            .into()
    );
    expect_nothing(&mut theirs).await;
    broker.ack(&done.receipt).await.unwrap();
    drop(stopping);
    let again = next(&mut theirs).await;
    assert_eq!((text(&again), again.redelivered), (text(&held), true));
    expect_nothing(&mut theirs).await;
}

/// A delivery is never lost with the future that waited for it.
pub async fn waiting_for_a_delivery_may_be_given_up(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    let mut deliveries = broker.consume(Queue::Deploy, count(4)).await.unwrap();
    for n in 0..20 {
        let message = update(&n.to_string());
        let publish = broker.publish_event(message);
        // Waits while it is published, and gives up at some moment.
        let wait = tokio::time::timeout(Duration::from_micros(n * 200), deliveries.next());
        let (published, waited) = tokio::join!(publish, wait);
        published.unwrap();
        let delivery = match waited {
            Ok(delivery) => delivery.unwrap(),
            Err(_) => next(&mut deliveries).await,
        };
        assert_eq!(text(&delivery), n.to_string());
        broker.ack(&delivery.receipt).await.unwrap();
    }
}
