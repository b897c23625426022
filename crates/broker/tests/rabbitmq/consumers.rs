//! Consumers that the broker ends.

use foreshow_engine::{Broker, BrokerError, Queue, ResultFilter};

use crate::support::{World, chain, count, dead_letters, next, result, soon, text, until, update};

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_consumer_says_so_once_and_is_rebuilt() {
    let world = World::new().await;
    let broker = &world.broker;
    let mut deliveries = broker.consume(Queue::Deploy, count(4)).await.unwrap();
    broker
        .publish_event(update("lost with its queue"))
        .await
        .unwrap();
    let stale = next(&mut deliveries).await;
    world.vhost.delete_queue("foreshow.deploy").await.unwrap();
    let ended = soon(deliveries.next()).await.unwrap_err();
    assert!(matches!(ended, BrokerError::Unavailable { .. }));
    assert!(
        chain(&ended).contains("`foreshow.deploy`"),
        "{}",
        chain(&ended)
    );
    // Rebuilding fails while the queue is missing, and then it does not.
    soon(deliveries.next()).await.unwrap_err();
    broker.apply_topology().await.unwrap();
    broker.publish_event(update("after")).await.unwrap();
    let delivery = next(&mut deliveries).await;
    assert_eq!(text(&delivery), "after");
    assert_ne!(delivery.receipt.consumer, stale.receipt.consumer);
    // A receipt of the consumer that is gone means nothing.
    broker.ack(&stale.receipt).await.unwrap();
    broker.requeue(&stale.receipt).await.unwrap();
    broker
        .dead_letter(&stale, &crate::support::reason())
        .await
        .unwrap();
    assert_eq!(dead_letters(broker).await, []);
    broker.requeue(&delivery.receipt).await.unwrap();
    assert_eq!(text(&next(&mut deliveries).await), "after");
    world.end().await;
}

/// The engine drops `next` and calls it again whenever a job ends, also while the consumer is being rebuilt.
#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_that_is_waited_for_in_pieces_leaves_one_consumer() {
    let world = World::new().await;
    let mut deliveries = world.broker.consume(Queue::Deploy, count(4)).await.unwrap();
    let client = world.client().await;
    for round in 0..5_u64 {
        world.vhost.delete_queue("foreshow.deploy").await.unwrap();
        soon(deliveries.next()).await.unwrap_err();
        world.broker.apply_topology().await.unwrap();
        for step in 0..20 {
            let a_moment = std::time::Duration::from_micros(300 * (step + round));
            let next = tokio::time::timeout(a_moment, deliveries.next()).await;
            assert!(next.is_err(), "nothing was published: {next:?}");
        }
        // Enough for four consumers that nobody reads.
        for n in 0..16 {
            let body = format!("{round}.{n}");
            world.broker.publish_event(update(&body)).await.unwrap();
        }
        for _ in 0..16 {
            let delivery = next(&mut deliveries).await;
            world.broker.ack(&delivery.receipt).await.unwrap();
        }
        until("one consumer is left", async || {
            client.consumers("foreshow.deploy").await == 1
        })
        .await;
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_outlives_its_queue() {
    let world = World::new().await;
    let mut results = world
        .broker
        .subscribe(ResultFilter::default())
        .await
        .unwrap();
    let queues = world.vhost.queues().await.unwrap();
    let own = queues
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|queue| queue["name"].as_str())
        .find(|name| name.starts_with("foreshow.gateway."))
        .unwrap()
        .to_owned();
    // Nobody but its connection may delete an exclusive queue, so the connection goes.
    assert!(!own.is_empty());
    let management = world.vhost.management();
    until("the connections are listed", async || {
        let listed = management.get("connections").await.unwrap().unwrap();
        let mut closed = 0;
        for connection in listed.as_array().unwrap() {
            if connection["vhost"] == world.vhost.name() {
                let name = connection["name"].as_str().unwrap();
                let name = name.replace(' ', "%20").replace('>', "%3E");
                management
                    .delete(&format!("connections/{name}"))
                    .await
                    .unwrap();
                closed += 1;
            }
        }
        closed >= 2
    })
    .await;
    let ended = soon(results.next()).await.unwrap_err();
    assert!(matches!(ended, BrokerError::Unavailable { .. }));
    // It subscribes when it is asked again, and what is published then is heard.
    let heard = tokio::spawn(async move {
        loop {
            if let Ok(result) = results.next().await {
                return result;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    });
    let expected = result("acme", "a", 9);
    until("the result is heard", async || {
        world
            .broker
            .publish_results(std::slice::from_ref(&expected))
            .await
            .ok();
        heard.is_finished()
    })
    .await;
    assert_eq!(heard.await.unwrap(), expected);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_goes_with_the_last_handle() {
    let world = World::new().await;
    let other = crate::support::options(&world.vhost.amqp_url());
    let other = foreshow_broker::rabbitmq::RabbitMqBroker::connect(other)
        .await
        .unwrap();
    let mut deliveries = other.consume(Queue::Deploy, count(4)).await.unwrap();
    let _results = other.subscribe(ResultFilter::default()).await.unwrap();
    world
        .broker
        .publish_event(update("given back"))
        .await
        .unwrap();
    next(&mut deliveries).await;
    drop(other);
    // What it consumes still lives, and can be acknowledged by nobody; then it goes too.
    drop(deliveries);
    let mut ours = world.broker.consume(Queue::Deploy, count(4)).await.unwrap();
    let delivery = next(&mut ours).await;
    assert_eq!(
        (text(&delivery), delivery.redelivered),
        ("given back", true)
    );
    world.end().await;
}
