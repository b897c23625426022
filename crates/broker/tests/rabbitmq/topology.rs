//! Declaring, and finding drift.

use foreshow_broker::rabbitmq::{Drift, RabbitMqBroker, RabbitMqOptions};
use foreshow_engine::{Broker, Queue};
use foreshow_servers::shared;
use lapin::{options::QueueDeclareOptions, types::FieldTable};

use crate::support::{Client, World, chain, options, update};

#[tokio::test(flavor = "multi_thread")]
async fn applied_twice_it_is_whole_and_without_drift() {
    let vhost = shared::rabbitmq().await;
    // All octaves, as in production.
    let urls = options(&vhost.amqp_url()).urls;
    let broker = RabbitMqBroker::connect(RabbitMqOptions::new(urls))
        .await
        .unwrap();
    let missing = broker.check_topology().await.unwrap();
    let topology = broker.topology();
    assert_eq!(
        missing.len(),
        topology.exchanges.len() + topology.queues.len()
    );
    assert!(missing.iter().all(|it| matches!(it, Drift::Missing { .. })));
    let asked = broker.ping().await.unwrap_err();
    assert!(
        chain(&asked).contains("`foreshow.deploy` is missing"),
        "{}",
        chain(&asked)
    );

    for _ in 0..2 {
        broker.apply_topology().await.unwrap();
        assert_eq!(broker.check_topology().await.unwrap(), []);
    }
    broker.ping().await.unwrap();
    broker.close().await;
    vhost.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_or_has_another_shape_is_named() {
    let world = World::new().await;
    world.vhost.delete_queue("foreshow.cleanup").await.unwrap();
    world.vhost.delete_queue("foreshow.delay.1s").await.unwrap();
    let client = world.client().await;
    let durable = QueueDeclareOptions::durable();
    client
        .channel
        .queue_declare("foreshow.delay.1s".into(), durable, FieldTable::default())
        .await
        .unwrap();

    let words: Vec<_> = world
        .broker
        .check_topology()
        .await
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(words.len(), 2, "{words:?}");
    assert_eq!(words[0], "the queue `foreshow.cleanup` is missing");
    assert!(words[1].starts_with("the queue `foreshow.delay.1s` is there in another shape"));
    assert!(
        words[1].contains("406") || words[1].contains("PRECONDITION"),
        "{}",
        words[1]
    );
    // It was only looked at.
    assert_eq!(world.broker.check_topology().await.unwrap().len(), 2);

    let refused = chain(&world.broker.apply_topology().await.unwrap_err());
    assert!(
        refused.contains("`foreshow.delay.1s` is there in another shape"),
        "{refused}"
    );
    world.vhost.delete_queue("foreshow.delay.1s").await.unwrap();
    world.broker.apply_topology().await.unwrap();
    assert_eq!(world.broker.check_topology().await.unwrap(), []);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_installations_share_a_vhost() {
    let world = World::new().await;
    let mut other = options(&world.vhost.amqp_url());
    "staging".clone_into(&mut other.prefix);
    let other = RabbitMqBroker::connect(other).await.unwrap();
    other.apply_topology().await.unwrap();
    other.publish_event(update("theirs")).await.unwrap();
    let client = Client::connect(&world.vhost.amqp_url()).await;
    assert_eq!(client.depth("staging.deploy").await, 1);
    assert_eq!(client.depth(Queue::Deploy.name()).await, 0);
    other.close().await;
    world.end().await;
}
