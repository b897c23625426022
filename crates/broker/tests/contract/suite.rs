//! The claims. They know the port alone, so that the next adapter can run them too.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use foreshow_contract::{ContextId, OutcomeKind, TenantId};
use foreshow_engine::{BrokerError, DeadLetterReason, Delay, Queue, ResultFilter};

use crate::support::{
    Adapter, count, end, expect_nothing, failed_attempt, next, result, soon, text, update,
};

pub(crate) async fn events_come_in_the_order_of_their_publishing(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    for n in 0..50 {
        broker.publish_event(update(&n.to_string())).await.unwrap();
    }
    let mut deliveries = broker.consume(Queue::Deploy, count(20)).await.unwrap();
    for n in 0..50 {
        let delivery = next(&mut deliveries).await;
        assert_eq!(text(&delivery), n.to_string());
        assert_eq!(delivery.message, update(&n.to_string()));
        assert_eq!((delivery.attempt.get(), delivery.history.len()), (1, 0));
        assert_eq!(
            (delivery.queue, delivery.redelivered),
            (Queue::Deploy, false)
        );
        broker.ack(&delivery.receipt).await.unwrap();
    }
}

pub(crate) async fn ends_do_not_wait_behind_updates(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    broker.publish_event(update("update")).await.unwrap();
    broker.publish_event(end("end")).await.unwrap();
    let mut cleanup = broker.consume(Queue::Cleanup, count(1)).await.unwrap();
    assert_eq!(text(&next(&mut cleanup).await), "end");
    expect_nothing(&mut cleanup).await;
}

pub(crate) async fn a_key_that_nothing_takes_is_refused(adapter: &dyn Adapter) {
    let mut message = update("lost");
    "context.renamed.acme".clone_into(&mut message.routing_key);
    let refused = adapter.broker().publish_event(message).await;
    assert!(
        matches!(refused, Err(BrokerError::Unroutable { routing_key }) if routing_key == "context.renamed.acme")
    );
}

pub(crate) async fn no_more_than_the_prefetch_is_out(adapter: &dyn Adapter) {
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
    let later = Delay {
        after: Duration::from_mins(1),
        attempt: count(1),
        history: Vec::new(),
    };
    broker.delay(&second, later).await.unwrap();
    assert_eq!(text(&next(&mut deliveries).await), "3");
    expect_nothing(&mut deliveries).await;
}

pub(crate) async fn what_is_acknowledged_does_not_come_again(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    broker.publish_event(update("once")).await.unwrap();
    let mut deliveries = broker.consume(Queue::Deploy, count(4)).await.unwrap();
    let delivery = next(&mut deliveries).await;
    broker.ack(&delivery.receipt).await.unwrap();
    drop(deliveries);
    let mut again = broker.consume(Queue::Deploy, count(4)).await.unwrap();
    expect_nothing(&mut again).await;
}

pub(crate) async fn what_is_given_back_comes_first_and_is_marked(adapter: &dyn Adapter) {
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
    assert_eq!(again.attempt.get(), 1);
    assert_ne!(again.receipt, delivery.receipt);
    broker.ack(&again.receipt).await.unwrap();
    let second = next(&mut deliveries).await;
    assert_eq!((text(&second), second.redelivered), ("second", false));
}

pub(crate) async fn a_consumer_that_goes_away_gives_back_what_it_had(adapter: &dyn Adapter) {
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

pub(crate) async fn two_consumers_share_a_queue(adapter: &dyn Adapter) {
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

pub(crate) async fn a_receipt_that_is_no_longer_held_changes_nothing(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    broker.publish_event(update("moved")).await.unwrap();
    let mut gone = broker.consume(Queue::Deploy, count(1)).await.unwrap();
    let stale = next(&mut gone).await;
    drop(gone);
    let mut deliveries = broker.consume(Queue::Deploy, count(4)).await.unwrap();
    let held = next(&mut deliveries).await;

    broker.ack(&stale.receipt).await.unwrap();
    broker.requeue(&stale.receipt).await.unwrap();
    let delay = Delay {
        after: Duration::ZERO,
        attempt: count(2),
        history: Vec::new(),
    };
    broker.delay(&stale, delay).await.unwrap();
    let reason = DeadLetterReason {
        code: "no".to_owned(),
        message: "no".to_owned(),
        attempts: Vec::new(),
    };
    broker.dead_letter(&stale, &reason).await.unwrap();

    expect_nothing(&mut deliveries).await;
    assert!(adapter.dead_letters().await.is_empty());
    // It is still with the second consumer: only its own receipt moves it.
    broker.requeue(&held.receipt).await.unwrap();
    let again = next(&mut deliveries).await;
    assert_eq!((text(&again), again.attempt.get()), ("moved", 1));
    expect_nothing(&mut deliveries).await;
}

pub(crate) async fn a_delayed_delivery_comes_back_in_time_and_never_early(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    let mut deliveries = broker.consume(Queue::Deploy, count(8)).await.unwrap();
    for after_ms in [400_u64, 0, 150, 37] {
        broker
            .publish_event(update(&after_ms.to_string()))
            .await
            .unwrap();
        let delivery = next(&mut deliveries).await;
        let history = vec![failed_attempt(1)];
        let after = Duration::from_millis(after_ms);
        let asked_at = Instant::now();
        broker
            .delay(
                &delivery,
                Delay {
                    after,
                    attempt: count(2),
                    history: history.clone(),
                },
            )
            .await
            .unwrap();
        let again = next(&mut deliveries).await;
        let waited = asked_at.elapsed();
        assert!(waited >= after, "{waited:?} is before {after:?}");
        assert!(
            waited < after + Duration::from_secs(2),
            "{waited:?} is long after {after:?}"
        );
        assert_eq!(again.message, delivery.message);
        assert_eq!(again.accepted_at, delivery.accepted_at);
        assert_eq!((again.attempt.get(), &again.history), (2, &history));
        assert!(!again.redelivered, "it was handed on, not lost");
        broker.ack(&again.receipt).await.unwrap();
    }
}

pub(crate) async fn a_delayed_delivery_keeps_nobody_waiting(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    let mut deliveries = broker.consume(Queue::Deploy, count(1)).await.unwrap();
    for after_ms in [300, 200, 100] {
        broker
            .publish_event(update(&after_ms.to_string()))
            .await
            .unwrap();
        let delivery = next(&mut deliveries).await;
        let after = Duration::from_millis(after_ms);
        broker
            .delay(
                &delivery,
                Delay {
                    after,
                    attempt: count(1),
                    history: Vec::new(),
                },
            )
            .await
            .unwrap();
    }
    broker.publish_event(update("now")).await.unwrap();
    for expected in ["now", "100", "200", "300"] {
        let delivery = next(&mut deliveries).await;
        assert_eq!(text(&delivery), expected);
        broker.ack(&delivery.receipt).await.unwrap();
    }
}

pub(crate) async fn a_dead_letter_keeps_everything(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    let mut deliveries = broker.consume(Queue::Cleanup, count(1)).await.unwrap();
    for name in ["bad", "good"] {
        broker.publish_event(end(name)).await.unwrap();
    }
    let delivery = next(&mut deliveries).await;
    let reason = DeadLetterReason {
        code: "build_failed".to_owned(),
        message: "the build ended with an error".to_owned(),
        attempts: vec![failed_attempt(1), failed_attempt(2)],
    };
    broker.dead_letter(&delivery, &reason).await.unwrap();
    assert_eq!(adapter.dead_letters().await, [(end("bad"), reason)]);
    assert_eq!(text(&next(&mut deliveries).await), "good");
}

pub(crate) async fn a_subscriber_hears_what_it_asked_for_in_order(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    let filter = |tenant: Option<&str>, context: Option<&str>| ResultFilter {
        tenant: tenant.map(|tenant| TenantId::try_new(tenant).unwrap()),
        context: context.map(|context| ContextId::try_new(context).unwrap()),
        outcome: None,
    };
    let mut all = broker.subscribe(ResultFilter::default()).await.unwrap();
    let mut acme = broker.subscribe(filter(Some("acme"), None)).await.unwrap();
    let mut one = broker
        .subscribe(filter(Some("acme"), Some("a")))
        .await
        .unwrap();
    let outcome = Some(OutcomeKind::Removed);
    let mut removed = broker
        .subscribe(ResultFilter {
            outcome,
            ..filter(None, Some("b"))
        })
        .await
        .unwrap();
    let results = [
        result("acme", "a", 1),
        result("other", "a", 2),
        result("acme", "b", 3),
        result("acme", "a", 4),
    ];
    broker.publish_results(&results[..1]).await.unwrap();
    broker.publish_results(&results[1..]).await.unwrap();
    broker.publish_results(&[]).await.unwrap();
    for expected in &results {
        assert_eq!(soon(all.next()).await.unwrap(), *expected);
    }
    for expected in [0, 2, 3] {
        assert_eq!(soon(acme.next()).await.unwrap(), results[expected]);
    }
    for expected in [0, 3] {
        assert_eq!(soon(one.next()).await.unwrap(), results[expected]);
    }
    assert_eq!(soon(removed.next()).await.unwrap(), results[2]);
}

pub(crate) async fn a_subscriber_hears_nothing_of_the_past(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    broker
        .publish_results(&[result("acme", "a", 1)])
        .await
        .unwrap();
    let mut results = broker.subscribe(ResultFilter::default()).await.unwrap();
    broker
        .publish_results(&[result("acme", "a", 2)])
        .await
        .unwrap();
    assert_eq!(soon(results.next()).await.unwrap(), result("acme", "a", 2));
    assert!(
        tokio::time::timeout(Duration::from_millis(100), results.next())
            .await
            .is_err()
    );
}

pub(crate) async fn waiting_for_a_delivery_may_be_given_up(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    let mut deliveries = broker.consume(Queue::Deploy, count(4)).await.unwrap();
    for n in 0..20 {
        let publish = broker.publish_event(update(&n.to_string()));
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

pub(crate) async fn it_is_known_whether_anybody_consumes(adapter: &dyn Adapter) {
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
