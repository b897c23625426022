//! Claims about moving a delivery to another queue, and about reading one on demand.

use std::{sync::Arc, time::Duration};

use foreshow_engine::{Broker, Delay, Delivery, Pull, Queue};

use super::{
    Adapter, count, delay_of, expect_nothing, failed_attempt, next, reason, soon, text, update,
};

/// Publishes an update and reads it.
async fn deliver(broker: &Arc<dyn Broker>, text: &str) -> Delivery {
    let mut deliveries = broker.consume(Queue::Deploy, count(1)).await.unwrap();
    broker.publish_event(update(text)).await.unwrap();
    next(&mut deliveries).await
}

/// Puts messages into the backlog, in this order.
async fn fill(broker: &Arc<dyn Broker>, texts: &[&str]) {
    let mut deliveries = broker.consume(Queue::Deploy, count(1)).await.unwrap();
    for text in texts {
        broker.publish_event(update(text)).await.unwrap();
        let delivery = next(&mut deliveries).await;
        broker.move_to(&delivery, Queue::Backlog).await.unwrap();
    }
    expect_nothing(&mut deliveries).await;
}

/// So many, however few come at once.
async fn take(pull: &mut Box<dyn Pull>, most: usize) -> Vec<Delivery> {
    let mut taken = Vec::new();
    while taken.len() < most {
        let more = soon(pull.take(most - taken.len())).await.unwrap();
        if more.is_empty() {
            soon(pull.ready()).await;
        }
        taken.extend(more);
        assert!(taken.len() <= most, "more than were asked for");
    }
    taken
}

fn texts(deliveries: &[Delivery]) -> Vec<&str> {
    deliveries.iter().map(text).collect()
}

/// Message, attempt, history and the time of acceptance; and it is no longer where it was.
pub async fn a_moved_delivery_keeps_everything(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    let mut deploys = broker.consume(Queue::Deploy, count(2)).await.unwrap();
    let mut backlog = broker.consume(Queue::Backlog, count(2)).await.unwrap();
    broker.publish_event(update("moved")).await.unwrap();
    let first = next(&mut deploys).await;
    let delay = Delay {
        attempt: count(3),
        history: vec![failed_attempt(1), failed_attempt(2)],
        ..delay_of(Duration::ZERO)
    };
    broker.delay(&first, delay.clone()).await.unwrap();
    let delivery = next(&mut deploys).await;
    broker.move_to(&delivery, Queue::Backlog).await.unwrap();
    let moved = next(&mut backlog).await;
    assert_eq!(moved.queue, Queue::Backlog);
    assert_eq!(moved.message, update("moved"));
    assert_eq!((moved.attempt, &moved.history), (count(3), &delay.history));
    assert_eq!(
        (moved.accepted_at, moved.replay),
        (first.accepted_at, first.replay)
    );
    assert!(!moved.redelivered, "it was handed on, not lost");
    expect_nothing(&mut deploys).await;
    broker.move_to(&moved, Queue::Deploy).await.unwrap();
    let back = next(&mut deploys).await;
    assert_eq!(
        (back.message, back.attempt, back.history),
        (moved.message, moved.attempt, moved.history)
    );
    assert_eq!((back.queue, back.redelivered), (Queue::Deploy, false));
    expect_nothing(&mut backlog).await;
}

/// Whoever was let in somewhere tells the next one so.
pub async fn a_moved_delivery_is_marked_as_its_caller_did(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    let mut backlog = broker.consume(Queue::Backlog, count(2)).await.unwrap();
    let mut deploys = broker.consume(Queue::Deploy, count(2)).await.unwrap();
    broker.publish_event(update("marked")).await.unwrap();
    let mut delivery = next(&mut deploys).await;
    assert!(!delivery.redelivered);
    delivery.redelivered = true;
    broker.move_to(&delivery, Queue::Backlog).await.unwrap();
    assert!(next(&mut backlog).await.redelivered);
}

/// Behind what is there.
pub async fn a_moved_delivery_stands_at_the_end(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    fill(&broker, &["one", "two", "three"]).await;
    let mut pull = broker.pull(Queue::Backlog).await.unwrap();
    let taken = take(&mut pull, 1).await;
    assert_eq!(texts(&taken), ["one"]);
    broker.move_to(&taken[0], Queue::Backlog).await.unwrap();
    assert_eq!(texts(&take(&mut pull, 3).await), ["two", "three", "one"]);
}

/// Neither a second copy, nor another's delivery.
pub async fn moving_what_is_no_longer_held_changes_nothing(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    let gone = deliver(&broker, "gone").await;
    let mut deploys = broker.consume(Queue::Deploy, count(2)).await.unwrap();
    let again = next(&mut deploys).await;
    broker.move_to(&gone, Queue::Backlog).await.unwrap();
    let mut pull = broker.pull(Queue::Backlog).await.unwrap();
    assert!(soon(pull.take(8)).await.unwrap().is_empty());
    broker.move_to(&again, Queue::Backlog).await.unwrap();
    let taken = take(&mut pull, 1).await;
    broker.ack(&taken[0].receipt).await.unwrap();
    broker.move_to(&taken[0], Queue::Backlog).await.unwrap();
    assert!(soon(pull.take(8)).await.unwrap().is_empty());
}

/// A caller may send it elsewhere: what was read from the backlog comes back to the deploy queue.
pub async fn a_delay_comes_back_to_the_queue_that_its_caller_named(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    fill(&broker, &["elsewhere"]).await;
    let mut pull = broker.pull(Queue::Backlog).await.unwrap();
    let mut delivery = take(&mut pull, 1).await.remove(0);
    delivery.queue = Queue::Deploy;
    let delay = delay_of(Duration::ZERO);
    broker.delay(&delivery, delay).await.unwrap();
    let mut deploys = broker.consume(Queue::Deploy, count(1)).await.unwrap();
    let back = next(&mut deploys).await;
    assert_eq!((text(&back), back.queue), ("elsewhere", Queue::Deploy));
    assert!(soon(pull.take(8)).await.unwrap().is_empty());
    broker.dead_letter(&back, &reason()).await.unwrap();
}

/// What one did not ask for is there for others.
pub async fn nothing_is_pulled_ahead(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    fill(&broker, &["one", "two", "three", "four", "five"]).await;
    let mut ours = broker.pull(Queue::Backlog).await.unwrap();
    let mut theirs = broker.pull(Queue::Backlog).await.unwrap();
    let taken = take(&mut ours, 2).await;
    assert_eq!(texts(&taken), ["one", "two"]);
    assert_eq!(
        texts(&take(&mut theirs, 3).await),
        ["three", "four", "five"]
    );
    assert!(soon(ours.take(1)).await.unwrap().is_empty());
    for delivery in &taken {
        assert_eq!(delivery.queue, Queue::Backlog);
        broker.ack(&delivery.receipt).await.unwrap();
    }
}

/// And is marked; what was acknowledged or moved on does not come again.
pub async fn what_was_pulled_goes_back_when_its_reader_is_gone(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    fill(&broker, &["done", "moved", "returned", "lost"]).await;
    let mut going = broker.pull(Queue::Backlog).await.unwrap();
    let taken = take(&mut going, 4).await;
    broker.ack(&taken[0].receipt).await.unwrap();
    broker.move_to(&taken[1], Queue::Backlog).await.unwrap();
    broker.requeue(&taken[2].receipt).await.unwrap();
    drop(going);
    let mut staying = broker.pull(Queue::Backlog).await.unwrap();
    let mut back = take(&mut staying, 3).await;
    back.sort_by_key(|delivery| delivery.message.body.clone());
    let back: Vec<_> = back
        .iter()
        .map(|one| (text(one), one.redelivered))
        .collect();
    assert_eq!(back, [("lost", true), ("moved", false), ("returned", true)]);
    assert!(soon(staying.take(8)).await.unwrap().is_empty());
}

/// Whoever waits for something to pull learns of it.
pub async fn a_reader_on_demand_is_woken(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    let mut pull = broker.pull(Queue::Backlog).await.unwrap();
    assert!(soon(pull.take(1)).await.unwrap().is_empty());
    let waiting = tokio::spawn(async move {
        let taken = take(&mut pull, 1).await;
        (pull, taken)
    });
    fill(&broker, &["late"]).await;
    let (_pull, taken) = soon(waiting).await.unwrap();
    assert_eq!(texts(&taken), ["late"]);
}
