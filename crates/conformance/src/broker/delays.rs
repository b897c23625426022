//! Claims about delays. How late a delivery may come back, and in which order several do, is each adapter's own affair.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use foreshow_engine::{Delay, Queue};

use super::{Adapter, count, delay_of, expect_nothing, failed_attempt, next, text, update};

/// With the attempt and the history that were asked for, and as if it had not been out.
pub async fn a_delayed_delivery_comes_back_and_never_early(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    let mut deliveries = broker.consume(Queue::Deploy, count(8)).await.unwrap();
    for after_ms in [400_u64, 0, 150, 37] {
        broker
            .publish_event(update(&after_ms.to_string()))
            .await
            .unwrap();
        let delivery = next(&mut deliveries).await;
        let after = Duration::from_millis(after_ms);
        let delay = Delay {
            after,
            attempt: count(2),
            history: vec![failed_attempt(1)],
        };
        let asked_at = Instant::now();
        broker.delay(&delivery, delay.clone()).await.unwrap();
        let again = next(&mut deliveries).await;
        let waited = asked_at.elapsed();
        assert!(waited >= after, "{waited:?} is before {after:?}");
        assert_eq!(again.message, delivery.message);
        assert_eq!(again.queue, delivery.queue);
        assert_eq!(again.accepted_at, delivery.accepted_at);
        assert_eq!((again.attempt, again.history), (count(2), delay.history));
        assert!(!again.redelivered, "it was handed on, not lost");
        broker.ack(&again.receipt).await.unwrap();
    }
}

/// Neither its consumer's prefetch nor its place in the queue.
pub async fn a_delayed_delivery_keeps_nobody_waiting(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    let mut deliveries = broker.consume(Queue::Deploy, count(1)).await.unwrap();
    for n in 0..3 {
        broker.publish_event(update(&n.to_string())).await.unwrap();
        let delivery = next(&mut deliveries).await;
        broker
            .delay(&delivery, delay_of(Duration::from_mins(10 + n)))
            .await
            .unwrap();
    }
    broker.publish_event(update("now")).await.unwrap();
    let delivery = next(&mut deliveries).await;
    assert_eq!(text(&delivery), "now");
    broker.ack(&delivery.receipt).await.unwrap();
    expect_nothing(&mut deliveries).await;
}

/// Short ones and long ones, asked for in any order.
pub async fn delays_of_any_length_come_back_once_each(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    let mut deliveries = broker.consume(Queue::Deploy, count(16)).await.unwrap();
    let delays = [900_u64, 5, 1_200, 300, 0, 301, 299];
    let began_at = Instant::now();
    for after_ms in delays {
        broker
            .publish_event(update(&after_ms.to_string()))
            .await
            .unwrap();
    }
    for _ in delays {
        let delivery = next(&mut deliveries).await;
        let after = Duration::from_millis(text(&delivery).parse().unwrap());
        if delivery.attempt == count(1) {
            let delay = Delay {
                attempt: count(2),
                ..delay_of(after)
            };
            broker.delay(&delivery, delay).await.unwrap();
        }
    }
    let mut back = BTreeSet::new();
    for _ in delays {
        let delivery = next(&mut deliveries).await;
        let after_ms: u64 = text(&delivery).parse().unwrap();
        assert!(began_at.elapsed() >= Duration::from_millis(after_ms));
        assert!(back.insert(after_ms), "{after_ms} came twice");
        broker.ack(&delivery.receipt).await.unwrap();
    }
    expect_nothing(&mut deliveries).await;
}

/// Message, attempt, growing history and the time of acceptance.
pub async fn a_delay_keeps_everything_however_often(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    let mut deliveries = broker.consume(Queue::Deploy, count(2)).await.unwrap();
    broker.publish_event(update("again")).await.unwrap();
    let first = next(&mut deliveries).await;
    let mut delivery = first.clone();
    for attempt in 2..6 {
        let history: Vec<_> = (1..attempt).map(failed_attempt).collect();
        let delay = Delay {
            after: Duration::ZERO,
            attempt: count(attempt),
            history: history.clone(),
        };
        broker.delay(&delivery, delay).await.unwrap();
        delivery = next(&mut deliveries).await;
        assert_eq!(delivery.message, update("again"));
        assert_eq!(
            (delivery.attempt, &delivery.history),
            (count(attempt), &history)
        );
        assert_eq!(delivery.accepted_at, first.accepted_at);
    }
}

/// Once lost or given back is marked for good.
pub async fn a_delay_keeps_that_a_delivery_came_before(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    let mut deliveries = broker.consume(Queue::Deploy, count(2)).await.unwrap();
    broker.publish_event(update("marked")).await.unwrap();
    let delivery = next(&mut deliveries).await;
    broker.requeue(&delivery.receipt).await.unwrap();
    for _ in 0..2 {
        let delivery = next(&mut deliveries).await;
        assert!(delivery.redelivered);
        broker
            .delay(&delivery, delay_of(Duration::ZERO))
            .await
            .unwrap();
    }
    assert!(next(&mut deliveries).await.redelivered);
}

/// Whoever was let in somewhere, and parks, tells the next one so.
pub async fn a_delay_marks_a_delivery_as_its_caller_did(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    let mut deliveries = broker.consume(Queue::Deploy, count(2)).await.unwrap();
    broker.publish_event(update("fresh")).await.unwrap();
    let mut delivery = next(&mut deliveries).await;
    assert!(!delivery.redelivered);
    delivery.redelivered = true;
    broker
        .delay(&delivery, delay_of(Duration::ZERO))
        .await
        .unwrap();
    assert!(next(&mut deliveries).await.redelivered);
}
