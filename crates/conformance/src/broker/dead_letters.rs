//! Claims about what is given up, and about who looks at it.

use std::time::Duration;

use foreshow_engine::{Broker, DeadLetter, DeadLetters, Decided, Delay, Queue};

use super::{Adapter, count, dead_letters, end, failed_attempt, next, reason, soon, text, told};

/// Gives up one end for each name.
pub(super) async fn give_up(broker: &dyn Broker, names: &[&str]) {
    let mut deliveries = broker.consume(Queue::Cleanup, count(1)).await.unwrap();
    for name in names {
        broker.publish_event(end(name)).await.unwrap();
        let delivery = next(&mut deliveries).await;
        broker.dead_letter(&delivery, &reason()).await.unwrap();
    }
}

pub(super) async fn given(walk: &mut Box<dyn DeadLetters>) -> DeadLetter {
    let letter = soon(walk.next()).await.unwrap();
    letter.expect("there is another dead letter")
}

pub(super) fn bodies(letters: &[DeadLetter]) -> Vec<&str> {
    letters
        .iter()
        .map(|letter| std::str::from_utf8(&letter.message.body).unwrap())
        .collect()
}

/// The message as it was published, and why it was given up; the queue goes on.
pub async fn a_dead_letter_keeps_everything(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    let mut deliveries = broker.consume(Queue::Cleanup, count(1)).await.unwrap();
    for name in ["bad", "good"] {
        broker.publish_event(end(name)).await.unwrap();
    }
    let delivery = next(&mut deliveries).await;
    broker.dead_letter(&delivery, &reason()).await.unwrap();
    assert_eq!(told(dead_letters(&*broker).await), [(end("bad"), reason())]);
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
    assert_eq!(
        told(dead_letters(&*broker).await),
        [(end("worse"), reason())]
    );
}

/// Whoever looks sees all there is, and leaves it as it was.
pub async fn a_walk_gives_each_letter_once_and_the_oldest_first(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    give_up(&*broker, &["one", "two", "three"]).await;
    for _ in 0..2 {
        let letters = dead_letters(&*broker).await;
        assert_eq!(bodies(&letters), ["one", "two", "three"]);
        let died: Vec<_> = letters.iter().map(|letter| letter.died_at).collect();
        assert!(died.is_sorted() && died[0].is_some(), "{died:?}");
        for letter in letters {
            assert_eq!((letter.queue, letter.replay), (Some(Queue::Cleanup), 0));
            assert_eq!(
                (letter.attempt, letter.body_left_out_bytes),
                (count(1), None)
            );
        }
    }
}

/// Also where everything was decided about.
pub async fn a_walk_ends_where_there_is_nothing_or_no_more(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    let mut walk = broker.dead_letters().await.unwrap();
    for _ in 0..2 {
        assert_eq!(soon(walk.next()).await.unwrap(), None);
    }
    assert_eq!(walk.discard().await.unwrap(), Decided::TakenBack);
    walk.end().await.unwrap();
    give_up(&*broker, &["one"]).await;
    let mut walk = broker.dead_letters().await.unwrap();
    given(&mut walk).await;
    assert_eq!(walk.discard().await.unwrap(), Decided::Done);
    assert_eq!(soon(walk.next()).await.unwrap(), None);
}

/// Else whoever replays what fails again would never come to an end.
pub async fn what_dies_during_a_walk_is_left_for_the_next(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    give_up(&*broker, &["one", "two"]).await;
    let mut walk = broker.dead_letters().await.unwrap();
    given(&mut walk).await;
    give_up(&*broker, &["three"]).await;
    given(&mut walk).await;
    assert_eq!(soon(walk.next()).await.unwrap(), None);
    walk.end().await.unwrap();
    // What is given back takes a moment to be there again.
    soon(async {
        while dead_letters(&*broker).await.len() != 3 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

/// Two operators at once see each what the other does not hold; who goes away gives back.
pub async fn a_letter_that_a_walk_holds_is_seen_by_nobody_else(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    give_up(&*broker, &["one"]).await;
    let mut walk = broker.dead_letters().await.unwrap();
    given(&mut walk).await;
    assert_eq!(dead_letters(&*broker).await, []);
    // Left, and still held.
    assert_eq!(soon(walk.next()).await.unwrap(), None);
    assert_eq!(dead_letters(&*broker).await, []);
    drop(walk);
    soon(async {
        while dead_letters(&*broker).await.is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// What one command lists, the next can name.
pub async fn a_letter_keeps_its_id(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    // The same event twice is two letters.
    give_up(&*broker, &["same", "same", "other"]).await;
    let first = dead_letters(&*broker).await;
    // What is given back takes a moment to be there again.
    soon(async {
        while dead_letters(&*broker).await != first {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    assert!(first[0].id != first[1].id && first[1].id != first[2].id);
}

/// For good.
pub async fn a_dropped_letter_is_gone_and_the_others_stay(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    give_up(&*broker, &["one", "two", "three"]).await;
    let mut walk = broker.dead_letters().await.unwrap();
    given(&mut walk).await;
    given(&mut walk).await;
    assert_eq!(walk.discard().await.unwrap(), Decided::Done);
    walk.end().await.unwrap();
    // What is given back takes a moment to be there again.
    soon(async {
        while bodies(&dead_letters(&*broker).await) != ["one", "three"] {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

/// The second decision finds nothing.
pub async fn a_letter_is_decided_about_once(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    give_up(&*broker, &["one", "two"]).await;
    let mut walk = broker.dead_letters().await.unwrap();
    given(&mut walk).await;
    assert_eq!(walk.discard().await.unwrap(), Decided::Done);
    assert_eq!(walk.discard().await.unwrap(), Decided::TakenBack);
    walk.end().await.unwrap();
    assert_eq!(bodies(&dead_letters(&*broker).await), ["two"]);
}
