//! Messages that the client library cannot parse: each is delivered all the same, and ends no connection.

use foreshow_contract::HeaderValue;
use foreshow_engine::{Broker, Queue};
use foreshow_servers::rabbitmq::raw::{RawMessage, RawPublisher, header, nested_header};

use crate::support::{World, count, dead_letters, next, reason, text};

fn named(body: &str) -> RawMessage {
    RawMessage {
        routing_key: b"context.updated.acme".to_vec(),
        body: body.into(),
        ..RawMessage::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_utf8_or_nested_too_deep_is_delivered_readable() {
    let world = World::new().await;
    let mut publisher = RawPublisher::connect(&world.vhost.amqp_url())
        .await
        .unwrap();
    let bad = || Some(b"application/\xff\xfejson".to_vec());
    let messages = [
        RawMessage {
            content_type: bad(),
            ..named("content type")
        },
        RawMessage {
            kind: bad(),
            ..named("type")
        },
        RawMessage {
            headers: Some([header(b"n\xffme", b"x"), header(b"ce-id", b"v\xfflue")].concat()),
            ..named("headers")
        },
        RawMessage {
            headers: Some(nested_header(b"deep", 20_000)),
            ..named("nested")
        },
        RawMessage {
            routing_key: b"context.updated.\xf0\x9f".to_vec(),
            ..named("routing key")
        },
    ];
    for message in &messages {
        publisher.publish("foreshow.events", message).await.unwrap();
    }
    let mut deliveries = world
        .broker
        .consume(Queue::Deploy, count(10))
        .await
        .unwrap();
    let mut read = Vec::new();
    for message in &messages {
        let delivery = next(&mut deliveries).await;
        assert_eq!(text(&delivery).as_bytes(), message.body);
        assert!(!delivery.redelivered, "no connection was lost");
        read.push(delivery);
    }
    let message = |at: usize| &read[at].message;
    assert_eq!(
        message(0).content_type.as_deref(),
        Some("application/??json")
    );
    assert_eq!(
        message(1).message_type.as_deref(),
        Some("application/??json")
    );
    assert_eq!(message(2).headers["n?me"], HeaderValue::from("x"));
    assert_eq!(message(2).headers["ce-id"], HeaderValue::other("binary"));
    assert_eq!(message(3).headers["deep"], HeaderValue::other("an array"));
    assert_eq!(message(4).routing_key, "context.updated.??");
    // And each can be kept.
    for delivery in &read {
        world.broker.dead_letter(delivery, &reason()).await.unwrap();
    }
    let letters = dead_letters(&world.broker).await;
    assert_eq!(letters.len(), messages.len());
    world.end().await;
}
