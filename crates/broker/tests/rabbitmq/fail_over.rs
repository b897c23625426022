//! Addresses that don't answer, and users who may not.

use std::time::{Duration, Instant};

use foreshow_broker::rabbitmq::{RabbitMqBroker, RabbitMqOptions};
use foreshow_engine::{Broker, Queue, ResultFilter};
use foreshow_servers::shared;
use tokio::net::TcpListener;

use crate::support::{World, chain, options, soon, update};

#[tokio::test(flavor = "multi_thread")]
async fn the_next_address_is_dialled_where_one_is_dead_or_mute() {
    let world = World::new().await;
    // One that takes connections and never says a word, and one that nobody listens on.
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (mute_at, closed_at) = (mute.local_addr().unwrap(), closed.local_addr().unwrap());
    drop(closed);
    let urls = format!(
        "amqp://{closed_at},amqp://{mute_at},{}",
        world.vhost.amqp_url()
    );
    let options = RabbitMqOptions {
        connect_timeout: Duration::from_millis(500),
        ..options(&urls)
    };
    // Longer than usual only where the machine is busy.
    let options = RabbitMqOptions {
        urls: options.urls,
        ..options
    };
    let broker = soon(RabbitMqBroker::connect(options)).await.unwrap();
    broker.publish_event(update("over")).await.unwrap();
    broker.ping().await.unwrap();
    broker.close().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_refused_is_told_why_without_a_password() {
    let vhost = shared::rabbitmq().await;
    let url = vhost.amqp_url_as("nobody", "s3cret");
    let refused = soon(RabbitMqBroker::connect(options(&url)))
        .await
        .err()
        .unwrap();
    let words = chain(&refused);
    assert!(words.contains("can't be connected to"), "{words}");
    assert!(words.contains("ACCESS") || words.contains("403"), "{words}");
    assert!(
        !words.contains("s3cret") && !format!("{refused:?}").contains("s3cret"),
        "{words}"
    );
    vhost.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_broker_every_call_fails_soon_and_nothing_hangs() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("amqp://{}", closed.local_addr().unwrap());
    drop(closed);
    let began_at = Instant::now();
    assert!(RabbitMqBroker::connect(options(&url)).await.is_err());
    let broker = RabbitMqBroker::start(options(&url)).unwrap();
    assert!(broker.ping().await.is_err());
    assert!(broker.publish_event(update("x")).await.is_err());
    assert!(broker.subscribe(ResultFilter::default()).await.is_err());
    assert!(broker.has_consumers(Queue::Deploy).await.is_err());
    assert!(broker.apply_topology().await.is_err());
    let consuming = broker.consume(Queue::Deploy, crate::support::count(1));
    assert!(consuming.await.is_err());
    assert!(!broker.is_connected() && !broker.is_blocked());
    assert!(
        began_at.elapsed() < Duration::from_secs(30),
        "{:?}",
        began_at.elapsed()
    );
}
