//! What is not there, or not bound: nothing vanishes.

use std::time::Duration;

use foreshow_engine::{Broker, BrokerError, Queue};
use lapin::{BasicProperties, options::ExchangeDeleteOptions, types::FieldTable};

use crate::support::{
    World, chain, count, dead_letters, delay_of, next, reason, result, text, until, update,
};

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_no_binding_takes_is_kept_among_the_dead_letters() {
    let world = World::new().await;
    let client = world.client().await;
    client
        .publish(
            "foreshow.events",
            "context.renamed.acme",
            BasicProperties::default(),
            b"odd",
        )
        .await;
    until("the dead letter is there", async || {
        client.depth("foreshow.dead-letters").await == 1
    })
    .await;
    let letters = dead_letters(&world.broker).await;
    assert_eq!(letters[0].message.routing_key, "context.renamed.acme");
    assert_eq!(letters[0].message.body.as_ref(), b"odd");
    assert_eq!((letters[0].queue, &letters[0].reason), (None, &None));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_binding_is_missing_the_input_stays_ours() {
    let world = World::new().await;
    let client = world.client().await;
    let broker = &world.broker;
    let unbind = async |name: &'static str| {
        client
            .channel
            .queue_unbind(name.into(), name.into(), "".into(), FieldTable::default())
            .await
            .unwrap();
    };
    for name in [
        "foreshow.delay.1s",
        "foreshow.dead-letters",
        "foreshow.unrouted",
    ] {
        unbind(name).await;
    }
    broker.publish_event(update("kept")).await.unwrap();
    let mut deliveries = broker.consume(Queue::Deploy, count(1)).await.unwrap();
    let delivery = next(&mut deliveries).await;
    for refused in [
        broker.delay(&delivery, delay_of(Duration::ZERO)).await,
        broker.dead_letter(&delivery, &reason()).await,
        broker.publish_results(&[result("acme", "a", 1)]).await,
    ] {
        let refused = refused.unwrap_err();
        assert!(matches!(refused, BrokerError::Unavailable { .. }));
        assert!(
            chain(&refused).contains("no queue takes"),
            "{}",
            chain(&refused)
        );
    }
    // The receipt is as good as before, once somebody has mended it.
    broker.apply_topology().await.unwrap();
    broker
        .publish_results(&[result("acme", "a", 1)])
        .await
        .unwrap();
    broker
        .delay(&delivery, delay_of(Duration::ZERO))
        .await
        .unwrap();
    assert_eq!(text(&next(&mut deliveries).await), "kept");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_an_exchange_is_missing_publishing_fails_until_it_is_there() {
    let world = World::new().await;
    let client = world.client().await;
    for exchange in ["foreshow.results", "foreshow.events"] {
        client
            .channel
            .exchange_delete(exchange.into(), ExchangeDeleteOptions::default())
            .await
            .unwrap();
    }
    let results = [result("acme", "a", 1)];
    world.broker.publish_results(&results).await.unwrap_err();
    world.broker.publish_event(update("x")).await.unwrap_err();
    world.broker.apply_topology().await.unwrap();
    world.broker.publish_results(&results).await.unwrap();
    world.broker.publish_event(update("x")).await.unwrap();
    assert_eq!(client.depth("foreshow.deploy").await, 1);
    world.end().await;
}
