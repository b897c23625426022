//! What a walk through the dead letters promises on RabbitMQ, beside the port's claims.

use std::time::Duration;

use foreshow_broker::rabbitmq::RabbitMqBroker;
use foreshow_engine::{
    Attempts, Broker, BrokerError, Decided, Delay, Delivery, NotReplayable, Queue,
};
use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldArray, FieldTable, ShortString},
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::broadcast,
};

use crate::support::{
    World, chain, count, dead_letters, delay_of, failed_attempt, next, options, reason, soon,
    table, text, until, update,
};

/// What was replayed, as a worker with a free slot comes by it. Given back at once.
async fn next_replayed(broker: &RabbitMqBroker) -> Delivery {
    let mut backlog = broker.pull(Queue::Backlog).await.unwrap();
    soon(backlog.ready()).await;
    let taken = backlog.take(1).await.unwrap();
    taken.into_iter().next().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_is_what_was_published_down_to_what_we_cannot_read() {
    let world = World::new().await;
    let client = world.client().await;
    let nested = AMQPValue::FieldArray(FieldArray::from(vec![AMQPValue::Double(1.5)]));
    let headers = table(&[
        ("nested", nested),
        ("small", AMQPValue::ShortShortInt(-3)),
        ("foreshow-replay", AMQPValue::LongUInt(9)),
    ]);
    let properties = BasicProperties::default()
        .with_headers(headers)
        .with_content_type("text/odd".into())
        .with_correlation_id("c-7".into())
        .with_message_id("m-7".into())
        .with_app_id("upstream".into())
        .with_timestamp(1_790_000_000)
        .with_priority(3);
    client
        .publish(
            "foreshow.events",
            "context.updated.acme",
            properties,
            b"\xff\0",
        )
        .await;
    let broker = &world.broker;
    let mut deliveries = broker.consume(Queue::Deploy, count(1)).await.unwrap();
    let first = next(&mut deliveries).await;
    assert_eq!(first.replay, 0, "upstream is not believed");
    let delay = Delay {
        after: Duration::ZERO,
        attempt: count(2),
        history: vec![failed_attempt(1)],
    };
    broker.delay(&first, delay).await.unwrap();
    let second = next(&mut deliveries).await;
    broker.dead_letter(&second, &reason()).await.unwrap();
    drop(deliveries);
    let mut walk = broker.dead_letters().await.unwrap();
    soon(walk.next()).await.unwrap().unwrap();
    assert_eq!(walk.replay(Attempts::Reset).await.unwrap(), Decided::Done);
    walk.end().await.unwrap();

    let raw = client.get("foreshow.deploy.backlog").await;
    let (sent, got) = (&raw.delivery.data, &raw.delivery.properties);
    assert_eq!(
        (sent.as_slice(), raw.exchange.as_str()),
        (&b"\xff\0"[..], "")
    );
    let words = |word: &Option<ShortString>| word.as_ref().unwrap().to_string();
    assert_eq!(words(got.content_type()), "text/odd");
    assert_eq!(words(got.correlation_id()), "c-7");
    assert_eq!(words(got.message_id()), "m-7");
    assert_eq!(words(got.app_id()), "upstream");
    assert_eq!(
        (got.priority(), got.timestamp()),
        (&Some(3), &Some(1_790_000_000))
    );
    assert_eq!((got.delivery_mode(), got.expiration()), (&Some(2), &None));
    let headers = got.headers().as_ref().unwrap().inner();
    assert_eq!(
        headers["nested"],
        AMQPValue::FieldArray(FieldArray::from(vec![AMQPValue::Double(1.5)]))
    );
    assert_eq!(headers["small"], AMQPValue::ShortShortInt(-3));
    assert_eq!(headers["foreshow-attempt"], AMQPValue::LongUInt(1));
    assert_eq!(headers["foreshow-replay"], AMQPValue::LongUInt(1));
    for gone in [
        "foreshow-history",
        "foreshow-reason",
        "foreshow-died-at",
        "foreshow-origin-queue",
    ] {
        assert!(!headers.contains_key(gone), "{gone}");
    }
    world.end().await;
}

/// Nothing was done to it, it comes again, and what was given before does not.
#[tokio::test(flavor = "multi_thread")]
async fn a_walk_outlives_its_connection() {
    let world = World::new().await;
    let way = Way::to(&world.vhost.amqp_url()).await;
    let broker = &RabbitMqBroker::connect(options(&way.url)).await.unwrap();
    let mut deliveries = broker.consume(Queue::Deploy, count(1)).await.unwrap();
    for name in ["one", "two", "three"] {
        broker.publish_event(update(name)).await.unwrap();
        let delivery = next(&mut deliveries).await;
        broker.dead_letter(&delivery, &reason()).await.unwrap();
    }
    drop(deliveries);
    let mut walk = broker.dead_letters().await.unwrap();
    soon(walk.next()).await.unwrap().unwrap();
    let second = soon(walk.next()).await.unwrap().unwrap();
    way.cut.send(()).unwrap();
    until("the connection has ended", async || !broker.is_connected()).await;
    assert_eq!(
        walk.replay(Attempts::Reset).await.unwrap(),
        Decided::TakenBack
    );
    let mut came = Vec::new();
    until("the walk has come to its end", async || {
        match walk.next().await {
            Ok(Some(letter)) => {
                came.push(letter.id);
                false
            }
            Ok(None) => true,
            Err(BrokerError::Unavailable { .. }) => false,
            Err(error) => panic!("{}", chain(&error)),
        }
    })
    .await;
    assert_eq!(came.len(), 2, "the second again, and the third");
    assert!(came.contains(&second.id));
    walk.end().await.unwrap();
    let left = dead_letters(broker).await;
    assert_eq!(left.len(), 3, "nothing was replayed, and nothing is lost");
    broker.close().await;
    world.end().await;
}

/// A way to the broker that can be cut.
struct Way {
    url: String,
    cut: broadcast::Sender<()>,
}

impl Way {
    async fn to(url: &str) -> Self {
        let (before, rest) = url.split_once('@').unwrap();
        let (address, vhost) = rest.split_once('/').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("{before}@{}/{vhost}", listener.local_addr().unwrap());
        let (cut, address) = (broadcast::Sender::new(1), address.to_owned());
        let cuts = cut.clone();
        tokio::spawn(async move {
            while let Ok((mut ours, _)) = listener.accept().await {
                let (mut cut, address) = (cuts.subscribe(), address.clone());
                tokio::spawn(async move {
                    let mut theirs = TcpStream::connect(address).await.unwrap();
                    tokio::select! {
                        _ = copy_bidirectional(&mut ours, &mut theirs) => {}
                        _ = cut.recv() => {}
                    }
                });
            }
        });
        Self { url, cut }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_no_binding_took_is_replayed_where_its_key_leads_now() {
    let world = World::new().await;
    let (client, broker) = (world.client().await, &world.broker);
    let unbind = client.channel.queue_unbind(
        "foreshow.deploy".into(),
        "foreshow.events".into(),
        "context.updated.*".into(),
        FieldTable::default(),
    );
    unbind.await.unwrap();
    for key in ["context.updated.acme", "context.renamed.acme"] {
        let properties = BasicProperties::default();
        client
            .publish("foreshow.events", key, properties, b"odd")
            .await;
    }
    until("both are kept", async || {
        client.depth("foreshow.dead-letters").await == 2
    })
    .await;
    let first = dead_letters(broker).await;
    let mut walk = broker.dead_letters().await.unwrap();
    let stray = soon(walk.next()).await.unwrap().unwrap();
    assert_eq!((stray.queue, &stray.reason), (None, &None));
    assert_eq!(
        stray.id, first[0].id,
        "without any header of ours it has an id that stays"
    );
    assert_eq!(walk.replay(Attempts::Reset).await.unwrap(), Decided::Done);
    soon(walk.next()).await.unwrap().unwrap();
    let refused = walk.replay(Attempts::Reset).await.unwrap_err();
    assert!(
        matches!(&refused, BrokerError::NotReplayable(NotReplayable::Unrouted { routing_key }) if routing_key == "context.renamed.acme"),
        "{refused:?}"
    );
    walk.end().await.unwrap();
    let replayed = next_replayed(broker).await;
    assert_eq!(
        (text(&replayed), replayed.replay),
        ("odd", 0),
        "its first life"
    );
    assert_eq!(replayed.message.routing_key, "context.updated.acme");
    assert_eq!(dead_letters(broker).await.len(), 1);
    world.end().await;
}

/// Then it is still there, and can be decided about again.
#[tokio::test(flavor = "multi_thread")]
async fn a_replay_that_no_queue_takes_loses_nothing() {
    let world = World::new().await;
    let broker = &world.broker;
    broker.publish_event(update("kept")).await.unwrap();
    let mut deliveries = broker.consume(Queue::Deploy, count(1)).await.unwrap();
    let delivery = next(&mut deliveries).await;
    broker
        .delay(&delivery, delay_of(Duration::ZERO))
        .await
        .unwrap();
    let delivery = next(&mut deliveries).await;
    broker.dead_letter(&delivery, &reason()).await.unwrap();
    drop(deliveries);
    world
        .vhost
        .delete_queue("foreshow.deploy.backlog")
        .await
        .unwrap();
    let mut walk = broker.dead_letters().await.unwrap();
    soon(walk.next()).await.unwrap().unwrap();
    let refused = walk.replay(Attempts::Reset).await.unwrap_err();
    assert!(
        chain(&refused).contains("foreshow.deploy.backlog"),
        "{}",
        chain(&refused)
    );
    broker.apply_topology().await.unwrap();
    assert_eq!(walk.replay(Attempts::Reset).await.unwrap(), Decided::Done);
    walk.end().await.unwrap();
    assert_eq!(dead_letters(broker).await, []);
    assert_eq!(text(&next_replayed(broker).await), "kept");
    world.end().await;
}

/// It holds what it has come by, until the system ends its connection.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_process_held_that_vanished_is_there_again() {
    let world = World::new().await;
    let broker = &world.broker;
    broker.publish_event(update("held")).await.unwrap();
    let mut deliveries = broker.consume(Queue::Deploy, count(1)).await.unwrap();
    let delivery = next(&mut deliveries).await;
    broker.dead_letter(&delivery, &reason()).await.unwrap();
    let other = RabbitMqBroker::connect(options(&world.vhost.amqp_url()))
        .await
        .unwrap();
    let mut walk = other.dead_letters().await.unwrap();
    soon(walk.next()).await.unwrap().unwrap();
    assert_eq!(dead_letters(broker).await, []);
    other.close().await;
    until("it is there again", async || {
        dead_letters(broker).await.len() == 1
    })
    .await;
    drop(walk);
    world.end().await;
}
