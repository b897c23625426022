//! A broker that is short of memory, of patience, or of size.

use std::time::Duration;

use bytes::Bytes;
use foreshow_broker::rabbitmq::{RabbitMqBroker, RabbitMqOptions};
use foreshow_contract::MAX_EVENT_BYTES;
use foreshow_engine::{Broker, BrokerError, Queue};
use foreshow_servers::{RabbitMq, shared};
use lapin::BasicProperties;

use crate::support::{
    Client, World, chain, count, dead_letters, delay_of, next, options, reason, soon, text, until,
    update,
};

#[tokio::test(flavor = "multi_thread")]
async fn while_the_broker_blocks_publishers_nothing_is_handed_out() {
    let node = RabbitMq::temporary().await.unwrap();
    let options = RabbitMqOptions {
        publish_timeout: Duration::from_secs(2),
        ..options(&node.amqp_url("/"))
    };
    let broker = RabbitMqBroker::connect(options).await.unwrap();
    broker.apply_topology().await.unwrap();
    for name in ["first", "second"] {
        broker.publish_event(update(name)).await.unwrap();
    }
    let mut deliveries = broker.consume(Queue::Deploy, count(1)).await.unwrap();
    let first = next(&mut deliveries).await;

    node.ctl(&["set_vm_memory_high_watermark", "0.00001"])
        .await
        .unwrap();
    // The broker says so when somebody publishes; that message may still come through.
    until("publishers are blocked", async || {
        broker.publish_event(update("stuck")).await.ok();
        broker.is_blocked()
    })
    .await;
    let refused = broker
        .publish_event(update("never handed over"))
        .await
        .unwrap_err();
    assert!(
        chain(&refused).contains("blocks publishers"),
        "{}",
        chain(&refused)
    );
    let asked = broker.ping().await.unwrap_err();
    assert!(
        chain(&asked).contains("blocks publishers"),
        "{}",
        chain(&asked)
    );
    // What was begun can be ended, and makes room; the next one is kept back all the same.
    broker.ack(&first.receipt).await.unwrap();
    let early = tokio::time::timeout(Duration::from_secs(2), deliveries.next()).await;
    assert!(early.is_err(), "{early:?}");

    node.ctl(&["set_vm_memory_high_watermark", "0.6"])
        .await
        .unwrap();
    until("publishers are welcome", async || !broker.is_blocked()).await;
    let second = next(&mut deliveries).await;
    assert_eq!(text(&second), "second");
    broker.ack(&second.receipt).await.unwrap();
    broker.publish_event(update("last")).await.unwrap();
    loop {
        let delivery = next(&mut deliveries).await;
        assert_ne!(text(&delivery), "never handed over");
        if text(&delivery) == "last" {
            break;
        }
        broker.ack(&delivery.receipt).await.unwrap();
    }
    broker.ping().await.unwrap();
    broker.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_is_held_too_long_ends_its_consumer_and_comes_again() {
    let node = RabbitMq::temporary().await.unwrap();
    // Looked at each second instead of each minute. Both are read when a channel is opened.
    node.ctl(&[
        "eval",
        "application:set_env(rabbit, consumer_timeout, 1000), \
         application:set_env(rabbit, channel_tick_interval, 500).",
    ])
    .await
    .unwrap();
    let broker = RabbitMqBroker::connect(options(&node.amqp_url("/")))
        .await
        .unwrap();
    broker.apply_topology().await.unwrap();
    let mut deliveries = broker.consume(Queue::Deploy, count(1)).await.unwrap();
    broker.publish_event(update("long")).await.unwrap();
    let held = next(&mut deliveries).await;
    let ended = soon(deliveries.next()).await.unwrap_err();
    assert!(matches!(ended, BrokerError::Unavailable { .. }));
    assert!(
        chain(&ended).contains("406")
            || chain(&ended).contains("timeout")
            || chain(&ended).contains("PRECONDITION"),
        "{}",
        chain(&ended)
    );
    // The next channel has time again.
    node.ctl(&[
        "eval",
        "application:set_env(rabbit, consumer_timeout, 1800000).",
    ])
    .await
    .unwrap();
    let again = next(&mut deliveries).await;
    assert_eq!((text(&again), again.redelivered), ("long", true));
    assert_eq!(again.attempt, count(1), "waiting is no attempt");
    // Too late for the first receipt, and in time for the second.
    broker.ack(&held.receipt).await.unwrap();
    broker.ack(&again.receipt).await.unwrap();
    broker.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_the_broker_took_and_would_not_take_again_is_kept_without_its_body() {
    let node = RabbitMq::temporary().await.unwrap();
    let broker = RabbitMqBroker::connect(options(&node.amqp_url("/")))
        .await
        .unwrap();
    broker.apply_topology().await.unwrap();
    let client = Client::connect(&node.amqp_url("/")).await;
    let body = vec![b'x'; 20 * 1024 * 1024];
    let properties = BasicProperties::default();
    let published = client.publish("foreshow.events", "context.ended.acme", properties, &body);
    soon(published).await;
    node.ctl(&[
        "eval",
        "application:set_env(rabbit, max_message_size, 16777216).",
    ])
    .await
    .unwrap();
    // Over new channels, which the new limits hold for.
    let strict = RabbitMqBroker::connect(options(&node.amqp_url("/")))
        .await
        .unwrap();
    let mut ends = strict.consume(Queue::Cleanup, count(1)).await.unwrap();
    let large = next(&mut ends).await;
    assert_eq!(large.message.body.len(), body.len());
    let refused = strict.delay(&large, delay_of(Duration::ZERO)).await;
    assert!(matches!(refused, Err(BrokerError::Unavailable { .. })));
    strict.dead_letter(&large, &reason()).await.unwrap();
    let letters = dead_letters(&strict).await;
    assert_eq!(letters[0].body_left_out_bytes, Some(body.len() as u64));
    assert_eq!(letters[0].reason.as_ref(), Some(&reason()));
    assert!(letters[0].message.body.is_empty());
    strict.close().await;
    broker.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_over_our_limit_is_refused_and_one_of_others_flows() {
    let world = World::new().await;
    let mut large = update("");
    large.body = Bytes::from(vec![b'x'; MAX_EVENT_BYTES + 1]);
    let refused = world.broker.publish_event(large).await;
    assert!(
        matches!(refused, Err(BrokerError::TooLarge { limit_bytes, .. }) if limit_bytes == MAX_EVENT_BYTES as u64)
    );
    let body = vec![b'y'; 20 * 1024 * 1024];
    let client = world.client().await;
    let properties = BasicProperties::default();
    client
        .publish("foreshow.events", "context.updated.acme", properties, &body)
        .await;
    let mut deliveries = world.broker.consume(Queue::Deploy, count(1)).await.unwrap();
    let delivery = next(&mut deliveries).await;
    world
        .broker
        .dead_letter(&delivery, &reason())
        .await
        .unwrap();
    let letters = dead_letters(&world.broker).await;
    assert!(letters[0].message.body == body, "it was changed on the way");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_amqp_cannot_carry_is_told_and_not_tried() {
    let vhost = shared::rabbitmq().await;
    let broker = RabbitMqBroker::connect(options(&vhost.amqp_url()))
        .await
        .unwrap();
    broker.apply_topology().await.unwrap();
    let long = "x".repeat(300);
    let mut key = update("x");
    key.routing_key = format!("context.updated.{long}");
    let mut content_type = update("x");
    content_type.content_type = Some(long.clone());
    let mut name = update("x");
    name.headers.insert(long.clone(), "v".into());
    let mut headers = update("x");
    headers
        .headers
        .insert("long".to_owned(), "x".repeat(200_000).into());
    for (message, what) in [
        (key, "the routing key"),
        (content_type, "the content type"),
        (name, "a header's name"),
        (headers, "the table of headers"),
    ] {
        let refused = chain(&broker.publish_event(message).await.unwrap_err());
        assert!(refused.contains(what), "{refused}");
    }
    broker.publish_event(update("fine")).await.unwrap();
    broker.close().await;
    vhost.close().await;
}
