//! Claims about what is replayed from the dead letters.

use std::time::Duration;

use foreshow_engine::{Attempts, Broker, Decided, Delay, Delivery, Queue};

use super::{
    Adapter, count, dead_letters, end, expect_nothing, failed_attempt, next, reason, soon,
};

/// Replays every dead letter that is there.
async fn replay_all(broker: &dyn Broker, attempts: Attempts) {
    let mut walk = broker.dead_letters().await.unwrap();
    while soon(walk.next()).await.unwrap().is_some() {
        assert_eq!(soon(walk.replay(attempts)).await.unwrap(), Decided::Done);
    }
    walk.end().await.unwrap();
}

/// Has an end given up in its second attempt, and answers that delivery.
async fn give_up_at_the_second(broker: &dyn Broker, name: &str) -> Delivery {
    let mut deliveries = broker.consume(Queue::Cleanup, count(1)).await.unwrap();
    broker.publish_event(end(name)).await.unwrap();
    let first = next(&mut deliveries).await;
    let delay = Delay {
        after: Duration::ZERO,
        attempt: count(2),
        history: vec![failed_attempt(1)],
    };
    broker.delay(&first, delay).await.unwrap();
    let second = next(&mut deliveries).await;
    broker.dead_letter(&second, &reason()).await.unwrap();
    second
}

/// The message is the one that was published, and everything that counted against it is forgotten.
pub async fn a_replay_is_exact_and_begins_a_new_life(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    let before = give_up_at_the_second(&*broker, "again").await;
    replay_all(&*broker, Attempts::Reset).await;
    assert_eq!(dead_letters(&*broker).await, []);
    let mut deliveries = broker.consume(Queue::Cleanup, count(2)).await.unwrap();
    let after = next(&mut deliveries).await;
    assert_eq!(after.message, end("again"));
    assert_eq!(after.queue, Queue::Cleanup);
    assert_eq!((after.attempt, &after.history), (count(1), &Vec::new()));
    assert_eq!(after.replay, 1);
    assert!(after.redelivered, "it was out before");
    assert!(after.accepted_at >= before.accepted_at);
    broker.ack(&after.receipt).await.unwrap();
    expect_nothing(&mut deliveries).await;
}

/// Then the message is as old and as tried as it was.
pub async fn a_replay_may_go_on_with_the_attempts(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    let before = give_up_at_the_second(&*broker, "on").await;
    replay_all(&*broker, Attempts::Keep).await;
    let mut deliveries = broker.consume(Queue::Cleanup, count(1)).await.unwrap();
    let after = next(&mut deliveries).await;
    assert_eq!(after.message, end("on"));
    assert_eq!((after.attempt, after.replay), (count(2), 1));
    assert_eq!(after.history, [failed_attempt(1)]);
    assert_eq!(after.accepted_at, before.accepted_at);
}

/// What counts lives travels with the message, on all its ways.
pub async fn each_replay_is_counted_whatever_happens_between(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    give_up_at_the_second(&*broker, "thrice").await;
    for life in 1..=3 {
        replay_all(&*broker, Attempts::Reset).await;
        let mut deliveries = broker.consume(Queue::Cleanup, count(1)).await.unwrap();
        let given = next(&mut deliveries).await;
        assert_eq!(given.replay, life);
        broker.requeue(&given.receipt).await.unwrap();
        let again = next(&mut deliveries).await;
        assert_eq!(again.replay, life, "given back");
        let delay = Delay {
            after: Duration::from_millis(3),
            attempt: count(2),
            history: vec![failed_attempt(1)],
        };
        broker.delay(&again, delay).await.unwrap();
        let delayed = next(&mut deliveries).await;
        assert_eq!((delayed.replay, delayed.attempt), (life, count(2)));
        assert_eq!(delayed.accepted_at, given.accepted_at, "of this life");
        broker.dead_letter(&delayed, &reason()).await.unwrap();
        let letters = dead_letters(&*broker).await;
        assert_eq!(letters.len(), 1);
        let letter = &letters[0];
        assert_eq!(
            (letter.replay, letter.accepted_at),
            (life, given.accepted_at)
        );
        assert_eq!(letter.message, end("thrice"));
    }
}
