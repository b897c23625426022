//! Claims about what is given up.

use std::time::Duration;

use foreshow_engine::{Delay, Queue};

use super::{Adapter, count, end, failed_attempt, next, reason, text};

/// The message as it was published, and why it was given up; the queue goes on.
pub async fn a_dead_letter_keeps_everything(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    let mut deliveries = broker.consume(Queue::Cleanup, count(1)).await.unwrap();
    for name in ["bad", "good"] {
        broker.publish_event(end(name)).await.unwrap();
    }
    let delivery = next(&mut deliveries).await;
    broker.dead_letter(&delivery, &reason()).await.unwrap();
    assert_eq!(adapter.dead_letters().await, [(end("bad"), reason())]);
    assert_eq!(text(&next(&mut deliveries).await), "good");
}

/// The ways it went leave no trace in the message.
pub async fn a_dead_letter_keeps_everything_after_a_delay(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    let mut deliveries = broker.consume(Queue::Cleanup, count(1)).await.unwrap();
    broker.publish_event(end("worse")).await.unwrap();
    let delivery = next(&mut deliveries).await;
    broker.requeue(&delivery.receipt).await.unwrap();
    let delivery = next(&mut deliveries).await;
    let delay = Delay {
        after: Duration::from_millis(3),
        attempt: count(2),
        history: vec![failed_attempt(1)],
    };
    broker.delay(&delivery, delay).await.unwrap();
    let delivery = next(&mut deliveries).await;
    broker.dead_letter(&delivery, &reason()).await.unwrap();
    assert_eq!(adapter.dead_letters().await, [(end("worse"), reason())]);
}
