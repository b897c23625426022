//! Messages of clients that know nothing of us, or wish us ill.

use std::time::Duration;

use foreshow_contract::HeaderValue;
use foreshow_engine::{Broker, Queue, ResultFilter};
use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldArray},
};

use crate::support::{World, count, delay_of, next, reason, table, text, until};

fn long(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_keeps_what_the_contract_has_no_type_for() {
    let world = World::new().await;
    let client = world.client().await;
    let array = AMQPValue::FieldArray(FieldArray::from(vec![AMQPValue::LongInt(1), long("x")]));
    let inner = AMQPValue::FieldTable(table(&[("deep", AMQPValue::Double(0.5))]));
    let properties = BasicProperties::default()
        .with_headers(table(&[
            ("list", array.clone()),
            ("map", inner.clone()),
            ("bytes", AMQPValue::LongString(vec![0xFF, 0].into())),
            ("tiny", AMQPValue::ShortShortInt(-3)),
        ]))
        .with_content_encoding("identity".into())
        .with_correlation_id("c-1".into())
        .with_reply_to("answers".into())
        .with_message_id("m-1".into())
        .with_app_id("editor".into())
        .with_user_id("guest".into())
        .with_priority(4)
        .with_expiration("600000".into());
    // The user who publishes must be the one who is named.
    let user = world.vhost.amqp_url();
    let user = user.split_once("//").unwrap().1.split(':').next().unwrap();
    let properties = properties.with_user_id(user.into());
    client
        .publish("foreshow.events", "context.updated.acme", properties, b"x")
        .await;

    let mut deliveries = world.broker.consume(Queue::Deploy, count(2)).await.unwrap();
    let delivery = next(&mut deliveries).await;
    assert_eq!(delivery.message.headers["tiny"], HeaderValue::Integer(-3));
    let kind = |name: &str| match &delivery.message.headers[name] {
        HeaderValue::Other { other } => other.clone(),
        plain => panic!("{plain:?}"),
    };
    assert_eq!(
        (kind("list").as_str(), kind("map").as_str()),
        ("an array", "a table")
    );
    world
        .broker
        .delay(&delivery, delay_of(Duration::ZERO))
        .await
        .unwrap();
    let again = next(&mut deliveries).await;
    assert_eq!(again.message, delivery.message);
    world.broker.dead_letter(&again, &reason()).await.unwrap();

    let dead = client.get("foreshow.dead-letters").await;
    let headers = dead.properties.headers().as_ref().unwrap().inner();
    assert_eq!((&headers["list"], &headers["map"]), (&array, &inner));
    assert_eq!(headers["tiny"], AMQPValue::ShortShortInt(-3));
    assert_eq!(headers["foreshow-user-id"], long(user));
    let properties = &dead.properties;
    let text = |value: &Option<lapin::types::ShortString>| value.as_ref().unwrap().to_string();
    assert_eq!(text(properties.content_encoding()), "identity");
    assert_eq!(text(properties.correlation_id()), "c-1");
    assert_eq!(text(properties.reply_to()), "answers");
    assert_eq!(text(properties.message_id()), "m-1");
    assert_eq!(text(properties.app_id()), "editor");
    assert_eq!(*properties.priority(), Some(4));
    assert_eq!(
        (properties.user_id(), properties.expiration()),
        (&None, &None)
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_upstream_writes_in_our_name_is_neither_believed_nor_shown() {
    let world = World::new().await;
    let client = world.client().await;
    let forged = table(&[
        ("foreshow-attempt", AMQPValue::LongUInt(7)),
        ("foreshow-history", long("[]")),
        ("foreshow-redelivered", AMQPValue::Boolean(true)),
        ("foreshow-routing-key", long("context.ended.other")),
        ("foreshow-delay-left-ms", AMQPValue::LongLongInt(60_000)),
        ("foreshow-accepted-at", AMQPValue::LongLongInt(i64::MAX)),
        ("x-death", AMQPValue::LongInt(1)),
        ("x-delivery-count", AMQPValue::LongInt(9)),
        ("x-opt-anything", long("y")),
        (
            "CC",
            AMQPValue::FieldArray(FieldArray::from(vec![long("context.ended.acme")])),
        ),
        ("x-request-id", long("kept")),
    ]);
    let properties = BasicProperties::default().with_headers(forged);
    client
        .publish("foreshow.events", "context.updated.acme", properties, b"x")
        .await;
    let mut deliveries = world.broker.consume(Queue::Deploy, count(2)).await.unwrap();
    let delivery = next(&mut deliveries).await;
    assert_eq!((delivery.attempt, delivery.redelivered), (count(1), false));
    assert_eq!(delivery.message.routing_key, "context.updated.acme");
    let names: Vec<_> = delivery.message.headers.keys().collect();
    assert_eq!(names, ["x-request-id"]);
    // The event itself was sent along; what a copy is sent along to is ours to say.
    until("the event's companion is there", async || {
        client.depth("foreshow.cleanup").await == 1
    })
    .await;
    world
        .broker
        .delay(&delivery, delay_of(Duration::ZERO))
        .await
        .unwrap();
    let again = next(&mut deliveries).await;
    assert_eq!(
        (again.attempt, again.accepted_at),
        (count(1), delivery.accepted_at)
    );
    assert_eq!(client.depth("foreshow.cleanup").await, 1);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_put_into_the_queue_by_hand_is_read() {
    let world = World::new().await;
    assert!(
        world
            .vhost
            .publish("", "foreshow.cleanup", "by hand")
            .await
            .unwrap()
    );
    let mut deliveries = world
        .broker
        .consume(Queue::Cleanup, count(2))
        .await
        .unwrap();
    let delivery = next(&mut deliveries).await;
    assert_eq!((text(&delivery), delivery.attempt), ("by hand", count(1)));
    assert_eq!(delivery.message.routing_key, "foreshow.cleanup");
    world
        .broker
        .delay(&delivery, delay_of(Duration::ZERO))
        .await
        .unwrap();
    assert_eq!(text(&next(&mut deliveries).await), "by hand");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_fill_a_frame_leave_room_for_ours() {
    let world = World::new().await;
    let client = world.client().await;
    let headers = table(&[
        ("small", long("kept")),
        ("large", long(&"x".repeat(120 * 1024))),
    ]);
    let properties = BasicProperties::default().with_headers(headers);
    client
        .publish(
            "foreshow.events",
            "context.updated.acme",
            properties,
            b"full",
        )
        .await;
    let mut deliveries = world.broker.consume(Queue::Deploy, count(2)).await.unwrap();
    let delivery = next(&mut deliveries).await;
    assert_eq!(delivery.message.headers.len(), 2);
    let mut delay = delay_of(Duration::ZERO);
    delay.history = vec![crate::support::failed_attempt(1); 50];
    world.broker.delay(&delivery, delay).await.unwrap();
    let again = next(&mut deliveries).await;
    assert_eq!((text(&again), again.history.len()), ("full", 50));
    assert_eq!(again.message.headers["small"], HeaderValue::from("kept"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_result_is_passed_over() {
    let world = World::new().await;
    let client = world.client().await;
    let mut results = world
        .broker
        .subscribe(ResultFilter::default())
        .await
        .unwrap();
    client
        .publish(
            "foreshow.results",
            "preview.ready.acme.a",
            BasicProperties::default(),
            b"{not json",
        )
        .await;
    let result = crate::support::result("acme", "a", 3);
    world
        .broker
        .publish_results(std::slice::from_ref(&result))
        .await
        .unwrap();
    assert_eq!(crate::support::soon(results.next()).await.unwrap(), result);
    world.end().await;
}
