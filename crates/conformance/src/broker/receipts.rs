//! Claims about receipts: done with, given back, and no longer held.

use std::time::Duration;

use foreshow_engine::Queue;

use super::{Adapter, count, dead_letters, delay_of, expect_nothing, next, reason, text, update};

/// Not even when its consumer goes away.
pub async fn what_is_acknowledged_does_not_come_again(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    broker.publish_event(update("once")).await.unwrap();
    let mut deliveries = broker.consume(Queue::Deploy, count(4)).await.unwrap();
    let delivery = next(&mut deliveries).await;
    broker.ack(&delivery.receipt).await.unwrap();
    drop(deliveries);
    let mut again = broker.consume(Queue::Deploy, count(4)).await.unwrap();
    expect_nothing(&mut again).await;
}

/// At once, as the same attempt, before what is behind it.
pub async fn what_is_given_back_comes_first_and_is_marked(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    for name in ["first", "second"] {
        broker.publish_event(update(name)).await.unwrap();
    }
    let mut deliveries = broker.consume(Queue::Deploy, count(1)).await.unwrap();
    let delivery = next(&mut deliveries).await;
    assert_eq!(text(&delivery), "first");
    broker.requeue(&delivery.receipt).await.unwrap();
    let again = next(&mut deliveries).await;
    assert_eq!((text(&again), again.redelivered), ("first", true));
    assert_eq!(again.message, delivery.message);
    assert_eq!(again.attempt.get(), 1);
    assert_ne!(again.receipt, delivery.receipt);
    broker.ack(&again.receipt).await.unwrap();
    let second = next(&mut deliveries).await;
    assert_eq!((text(&second), second.redelivered), ("second", false));
}

/// Its delivery has another holder by now, whose receipt alone counts.
pub async fn a_receipt_that_is_no_longer_held_changes_nothing(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    broker.publish_event(update("moved")).await.unwrap();
    let mut gone = broker.consume(Queue::Deploy, count(1)).await.unwrap();
    let stale = next(&mut gone).await;
    drop(gone);
    let mut deliveries = broker.consume(Queue::Deploy, count(4)).await.unwrap();
    let held = next(&mut deliveries).await;

    broker.ack(&stale.receipt).await.unwrap();
    broker.requeue(&stale.receipt).await.unwrap();
    broker
        .delay(&stale, delay_of(Duration::ZERO))
        .await
        .unwrap();
    broker.dead_letter(&stale, &reason()).await.unwrap();

    expect_nothing(&mut deliveries).await;
    assert_eq!(dead_letters(&*broker).await, []);
    // It is still with the second consumer: only its own receipt moves it.
    broker.requeue(&held.receipt).await.unwrap();
    let again = next(&mut deliveries).await;
    assert_eq!((text(&again), again.attempt.get()), ("moved", 1));
    expect_nothing(&mut deliveries).await;
}
