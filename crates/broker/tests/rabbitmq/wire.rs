//! What others see on the wire.

use foreshow_broker::rabbitmq::ResultsMode;
use foreshow_contract::ResultEvent;
use foreshow_engine::{Broker, Delay, Queue, ResultFilter};
use lapin::{
    options::{QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable},
};

use crate::support::{
    Client, World, count, dead_letters, failed_attempt, next, reason, result, soon, update,
};

async fn listen(client: &Client) {
    let exclusive = QueueDeclareOptions {
        exclusive: true,
        ..QueueDeclareOptions::default()
    };
    let channel = &client.channel;
    channel
        .queue_declare("mine".into(), exclusive, FieldTable::default())
        .await
        .unwrap();
    channel
        .queue_bind(
            "mine".into(),
            "foreshow.results".into(),
            "#".into(),
            QueueBindOptions::default(),
            FieldTable::default(),
        )
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_is_a_cloud_event_in_binary_mode() {
    let world = World::new().await;
    let client = world.client().await;
    listen(&client).await;
    let result = result("acme", "ctx/42", 7);
    world
        .broker
        .publish_results(std::slice::from_ref(&result))
        .await
        .unwrap();
    let got = client.get("mine").await;
    assert_eq!(got.routing_key.as_str(), "preview.removed.acme.ctx~2F42");
    let properties = &got.properties;
    let text = |value: &Option<lapin::types::ShortString>| value.as_ref().unwrap().to_string();
    assert_eq!(text(properties.content_type()), "application/json");
    assert_eq!(text(properties.message_id()), result.id);
    assert_eq!(text(properties.app_id()), "foreshow");
    assert_eq!(*properties.delivery_mode(), Some(2));
    assert!(properties.timestamp().is_some());
    let headers = properties.headers().as_ref().unwrap().inner();
    for (name, value) in headers {
        assert!(name.as_str().starts_with("ce-"), "{name}");
        assert!(
            matches!(value, AMQPValue::LongString(_)),
            "{name}: {value:?}"
        );
    }
    let header = |name: &str| match &headers[name] {
        AMQPValue::LongString(text) => text.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(header("ce-id"), result.id);
    assert_eq!(header("ce-specversion"), "1.0");
    assert_eq!(header("ce-sequence"), "00000000000000000007");
    assert!(
        !headers.contains_key("ce-traceparent"),
        "what is unset is left out"
    );
    assert_eq!(got.data, result.data_json());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_may_be_structured_and_is_read_by_who_subscribes() {
    let world = World::with(|options| options.results = ResultsMode::Structured).await;
    let client = world.client().await;
    listen(&client).await;
    let mut results = world
        .broker
        .subscribe(ResultFilter::default())
        .await
        .unwrap();
    let result = result("acme", "a", 7);
    world
        .broker
        .publish_results(std::slice::from_ref(&result))
        .await
        .unwrap();
    let got = client.get("mine").await;
    let content_type = got.properties.content_type().as_ref().unwrap();
    assert_eq!(content_type.as_str(), "application/cloudevents+json");
    assert_eq!(ResultEvent::from_json(&got.data).unwrap(), result);
    assert_eq!(soon(results.next()).await.unwrap(), result);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn results_that_nobody_asked_for_are_kept_aside_and_many_stay_in_order() {
    let world = World::new().await;
    let client = world.client().await;
    let results: Vec<_> = (0..200).map(|n| result("acme", "a", n)).collect();
    world.broker.publish_results(&results).await.unwrap();
    assert_eq!(client.depth("foreshow.unrouted").await, 200);
    for expected in &results[..3] {
        let got = client.get("foreshow.unrouted").await;
        assert_eq!(got.data, expected.data_json());
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_and_what_is_dead_tells_its_way_in_headers_of_our_own() {
    let world = World::new().await;
    let client = world.client().await;
    let mut deliveries = world.broker.consume(Queue::Deploy, count(2)).await.unwrap();
    world.broker.publish_event(update("late")).await.unwrap();
    let delivery = next(&mut deliveries).await;
    let delay = Delay {
        after: std::time::Duration::from_secs(4),
        attempt: count(3),
        history: vec![failed_attempt(1), failed_attempt(2)],
    };
    world.broker.delay(&delivery, delay).await.unwrap();
    let waiting = client.get("foreshow.delay.4s").await;
    assert_eq!(
        waiting.properties.expiration().as_ref().unwrap().as_str(),
        "4001"
    );
    let headers = waiting.properties.headers().as_ref().unwrap().inner();
    assert_eq!(headers["foreshow-attempt"], AMQPValue::LongUInt(3));
    assert!(headers.contains_key("foreshow-history") && headers.contains_key("foreshow-due-at"));
    assert!(
        !headers.contains_key("foreshow-delay-left-ms")
            && !headers.contains_key("foreshow-redelivered")
    );
    drop(client);

    let again = next(&mut deliveries).await;
    world.broker.dead_letter(&again, &reason()).await.unwrap();
    let letters = dead_letters(&world.broker).await;
    assert_eq!(letters.len(), 1);
    let letter = &letters[0];
    assert_eq!(
        (&letter.message, letter.queue),
        (&update("late"), Some(Queue::Deploy))
    );
    assert_eq!((letter.attempt, letter.history.len()), (count(3), 2));
    assert_eq!(letter.reason.as_ref(), Some(&reason()));
    assert_eq!(letter.accepted_at, delivery.accepted_at);
    assert!(letter.died_at.unwrap() > letter.accepted_at);
    assert_eq!(letter.body_left_out_bytes, None);
    let client = world.client().await;
    let dead = client.get("foreshow.dead-letters").await;
    assert_eq!(dead.routing_key.as_str(), "context.updated.acme");
    let headers = dead.properties.headers().as_ref().unwrap().inner();
    assert!(
        !headers
            .keys()
            .any(|name| name.as_str().starts_with("x-death"))
    );
    assert_eq!(
        headers["foreshow-origin-queue"],
        AMQPValue::LongString("foreshow.deploy".into())
    );
    assert_eq!(dead.properties.expiration(), &None);
    world.end().await;
}
