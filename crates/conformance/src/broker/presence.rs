//! Claims about being there.

use std::time::Duration;

use foreshow_engine::Queue;

use super::{Adapter, count, delay_of, next, soon, update};

/// From the moment `consume` returns, and not much longer than the consumer lives.
pub async fn it_is_known_whether_anybody_consumes(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    assert!(!broker.has_consumers(Queue::Deploy).await.unwrap());
    let deliveries = broker.consume(Queue::Deploy, count(1)).await.unwrap();
    assert!(broker.has_consumers(Queue::Deploy).await.unwrap());
    assert!(!broker.has_consumers(Queue::Cleanup).await.unwrap());
    drop(deliveries);
    soon(async {
        while broker.has_consumers(Queue::Deploy).await.unwrap() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// As often as it is asked, beside its other work.
pub async fn it_answers_when_it_is_asked(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    for _ in 0..3 {
        soon(broker.ping()).await.unwrap();
    }
    let _deliveries = broker.consume(Queue::Deploy, count(1)).await.unwrap();
    soon(broker.ping()).await.unwrap();
}

/// What somebody has, or what is not due, waits for nobody.
pub async fn it_is_known_how_many_wait(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    assert_eq!(broker.waiting(Queue::Deploy).await.unwrap(), 0);
    for name in ["one", "two", "three"] {
        broker.publish_event(update(name)).await.unwrap();
    }
    assert_eq!(broker.waiting(Queue::Deploy).await.unwrap(), 3);
    assert_eq!(broker.waiting(Queue::Cleanup).await.unwrap(), 0);
    let mut deliveries = broker.consume(Queue::Deploy, count(2)).await.unwrap();
    let first = next(&mut deliveries).await;
    next(&mut deliveries).await;
    assert_eq!(broker.waiting(Queue::Deploy).await.unwrap(), 1);
    deliveries.stop().await;
    let late = delay_of(Duration::from_hours(1));
    broker.delay(&first, late).await.unwrap();
    assert_eq!(broker.waiting(Queue::Deploy).await.unwrap(), 1);
}
