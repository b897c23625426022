//! A broker that is killed while everybody is at work.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use foreshow_broker::rabbitmq::{RabbitMqBroker, RabbitMqOptions};
use foreshow_engine::{Broker, Delay, Queue};
use foreshow_servers::RabbitMq;

use crate::support::{count, options, result, text, until, update};

const BEFORE: usize = 150;
const AFTER: usize = 150;

/// Publishes until it is told to stop, and counts only what was confirmed. Whatever failed may be there or not.
async fn publish(broker: RabbitMqBroker, confirmed: Arc<Mutex<BTreeSet<String>>>, enough: usize) {
    for n in 0.. {
        let name = n.to_string();
        match broker.publish_event(update(&name)).await {
            Ok(()) => {
                let mut confirmed = confirmed.lock().unwrap();
                confirmed.insert(name);
                if confirmed.len() >= enough {
                    return;
                }
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_was_confirmed_is_lost_when_the_broker_is_killed() {
    let mut node = RabbitMq::temporary().await.unwrap();
    let options = RabbitMqOptions {
        publish_timeout: Duration::from_secs(3),
        ..options(&node.amqp_url("/"))
    };
    let broker = RabbitMqBroker::connect(options).await.unwrap();
    broker.apply_topology().await.unwrap();

    let confirmed = Arc::new(Mutex::new(BTreeSet::new()));
    let publisher = tokio::spawn(publish(
        broker.clone(),
        Arc::clone(&confirmed),
        BEFORE + AFTER,
    ));
    let done = Arc::new(Mutex::new(BTreeSet::new()));
    let errors = Arc::new(AtomicUsize::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let consumer = tokio::spawn({
        let (broker, done, errors, stop) = (
            broker.clone(),
            Arc::clone(&done),
            Arc::clone(&errors),
            Arc::clone(&stop),
        );
        async move {
            let mut deliveries = broker.consume(Queue::Deploy, count(16)).await.unwrap();
            while !stop.load(Ordering::Relaxed) {
                let next = tokio::time::timeout(Duration::from_millis(200), deliveries.next());
                let delivery = match next.await {
                    Ok(Ok(delivery)) => delivery,
                    Ok(Err(_)) => {
                        errors.fetch_add(1, Ordering::Relaxed);
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        continue;
                    }
                    Err(_waited) => continue,
                };
                // Every other one takes the way of a retry first. What fails stays unacknowledged and comes again.
                let n: usize = text(&delivery).parse().unwrap();
                if delivery.attempt == count(1) && n.is_multiple_of(2) {
                    let delay = Delay {
                        after: Duration::from_millis(10),
                        attempt: count(2),
                        history: Vec::new(),
                    };
                    if broker.delay(&delivery, delay).await.is_err() {
                        broker.requeue(&delivery.receipt).await.ok();
                    }
                } else {
                    done.lock().unwrap().insert(text(&delivery).to_owned());
                    broker.ack(&delivery.receipt).await.ok();
                }
            }
        }
    });

    until("some are confirmed", async || {
        confirmed.lock().unwrap().len() >= BEFORE
    })
    .await;
    node.kill().await.unwrap();
    until("the loss is seen", async || !broker.is_connected()).await;
    assert!(broker.ping().await.is_err());
    node.restart().await.unwrap();
    until("it is connected again", async || broker.is_connected()).await;
    until("publishing goes on to its end", async || {
        publisher.is_finished()
    })
    .await;
    publisher.await.unwrap();
    until("all that was confirmed is done", async || {
        let done = done.lock().unwrap();
        confirmed.lock().unwrap().is_subset(&done)
    })
    .await;
    stop.store(true, Ordering::Relaxed);
    consumer.await.unwrap();
    assert!(errors.load(Ordering::Relaxed) > 0, "the consumer was told");
    broker
        .publish_results(&[result("acme", "a", 1)])
        .await
        .unwrap();
    broker.ping().await.unwrap();
    broker.close().await;
}
