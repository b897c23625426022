//! Claims about events on their way in.

use bytes::Bytes;
use foreshow_contract::{Headers, MAX_EVENT_BYTES};
use foreshow_engine::{BrokerError, Message, Queue};

use super::{Adapter, count, end, expect_nothing, next, text, update};

/// Fifty events of one queue are read in the order in which they were published, as their first attempt.
pub async fn events_come_in_the_order_of_their_publishing(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    for n in 0..50 {
        broker.publish_event(update(&n.to_string())).await.unwrap();
    }
    let mut deliveries = broker.consume(Queue::Deploy, count(20)).await.unwrap();
    for n in 0..50 {
        let delivery = next(&mut deliveries).await;
        assert_eq!(text(&delivery), n.to_string());
        assert_eq!((delivery.attempt.get(), delivery.history.len()), (1, 0));
        assert_eq!(
            (delivery.queue, delivery.redelivered),
            (Queue::Deploy, false)
        );
        broker.ack(&delivery.receipt).await.unwrap();
    }
}

/// Ends have a queue of their own.
pub async fn ends_do_not_wait_behind_updates(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    broker.publish_event(update("update")).await.unwrap();
    broker.publish_event(end("end")).await.unwrap();
    let mut cleanup = broker.consume(Queue::Cleanup, count(1)).await.unwrap();
    assert_eq!(text(&next(&mut cleanup).await), "end");
    expect_nothing(&mut cleanup).await;
}

/// What no binding takes is told to who sent it.
pub async fn a_key_that_nothing_takes_is_refused(adapter: &dyn Adapter) {
    let mut message = update("lost");
    "context.renamed.acme".clone_into(&mut message.routing_key);
    let refused = adapter.broker().publish_event(message).await;
    assert!(
        matches!(refused, Err(BrokerError::Unroutable { routing_key }) if routing_key == "context.renamed.acme")
    );
}

/// Eight MiB pass unharmed.
pub async fn an_event_may_be_as_large_as_the_contract_says(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    let mut large = update("");
    large.body = Bytes::from(
        (0..MAX_EVENT_BYTES)
            .map(|n| u8::try_from(n % 251).unwrap())
            .collect::<Vec<_>>(),
    );
    broker.publish_event(large.clone()).await.unwrap();
    let mut deliveries = broker.consume(Queue::Deploy, count(4)).await.unwrap();
    let delivery = next(&mut deliveries).await;
    assert!(delivery.message == large, "it was changed on the way");
    broker.ack(&delivery.receipt).await.unwrap();
}

/// Headers of every kind, properties that are there and that are not, an empty body.
pub async fn an_event_is_carried_as_it_is(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    let bare = Message {
        routing_key: "context.touched.~C3~BC".to_owned(),
        content_type: None,
        message_type: None,
        headers: Headers::new(),
        body: Bytes::new(),
    };
    let mut deliveries = broker.consume(Queue::Deploy, count(4)).await.unwrap();
    for message in [update("full"), bare] {
        broker.publish_event(message.clone()).await.unwrap();
        let delivery = next(&mut deliveries).await;
        assert_eq!(delivery.message, message);
        broker.ack(&delivery.receipt).await.unwrap();
    }
}
