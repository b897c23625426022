//! Delays, as exact as this adapter keeps them.

use std::{
    num::NonZeroU8,
    time::{Duration, Instant},
};

use foreshow_engine::{Broker, Delay, Queue};

use crate::support::{World, count, failed_attempt, next, text, update};

#[tokio::test(flavor = "multi_thread")]
async fn a_delay_beyond_the_longest_octave_takes_several_hops() {
    let world = World::with(|options| options.octaves = NonZeroU8::MIN).await;
    let mut deliveries = world.broker.consume(Queue::Deploy, count(1)).await.unwrap();
    world.broker.publish_event(update("far")).await.unwrap();
    let delivery = next(&mut deliveries).await;
    let delay = Delay {
        after: Duration::from_millis(2_600),
        attempt: count(4),
        history: vec![failed_attempt(3)],
    };
    let asked_at = Instant::now();
    world.broker.delay(&delivery, delay.clone()).await.unwrap();
    let again = next(&mut deliveries).await;
    assert!(
        asked_at.elapsed() >= delay.after,
        "{:?}",
        asked_at.elapsed()
    );
    assert_eq!((again.attempt, again.history), (count(4), delay.history));
    assert_eq!(again.accepted_at, delivery.accepted_at);
    assert_eq!((again.message, again.redelivered), (update("far"), false));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_delay_does_not_wait_behind_one_of_a_longer_octave() {
    let world = World::new().await;
    let mut deliveries = world.broker.consume(Queue::Deploy, count(8)).await.unwrap();
    for after_ms in [4_000, 2_000, 1_000, 10] {
        let event = update(&after_ms.to_string());
        world.broker.publish_event(event).await.unwrap();
        let delivery = next(&mut deliveries).await;
        let delay = crate::support::delay_of(Duration::from_millis(after_ms));
        world.broker.delay(&delivery, delay).await.unwrap();
    }
    // The last two share an octave: the one behind waits for the one ahead.
    for expected in ["1000", "10", "2000", "4000"] {
        assert_eq!(text(&next(&mut deliveries).await), expected);
    }
    world.end().await;
}
