//! What nobody asked for: the queue flows on, and each is where an operator would look.

use foreshow_contract::ResultBody;
use foreshow_tests::{Foreshow, Upstream, eventually, key, update};
use lapin::{
    BasicProperties, Connection, ConnectionProperties,
    options::{BasicPublishOptions, ConfirmSelectOptions},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_ours_is_kept_and_stops_nobody() {
    let foreshow = Foreshow::fleet().await;
    let _up = foreshow.up().await;
    let mut upstream = Upstream::connect(&foreshow).await;
    let vhost = foreshow.ground().vhost().expect("it stands on RabbitMQ");
    let publish = async |key: &str, body: &str| {
        let routed = vhost.publish("foreshow.events", key, body).await;
        assert!(routed.expect("the broker takes it"));
    };

    // No binding takes it: it never was an event, and is kept among the dead letters.
    publish("context.renamed.acme", "who knows").await;
    // Not JSON, and an order of another system's.
    publish("context.updated.acme", "hello?").await;
    let ResultBody::Rejected(rejected) = upstream.next_end().await.body else {
        panic!()
    };
    assert_eq!(rejected.code.as_str(), "malformed_json");
    publish("context.updated.acme", r#"{"orderId":7}"#).await;
    let ResultBody::Rejected(rejected) = upstream.next_end().await.body else {
        panic!()
    };
    assert_eq!(rejected.code.as_str(), "not_a_cloud_event");
    // 20 MB: more than any event may have.
    publish_large(&vhost.amqp_url(), &"x".repeat(20_000_000)).await;
    let ResultBody::Rejected(rejected) = upstream.next_end().await.body else {
        panic!()
    };
    assert_eq!(rejected.code.as_str(), "too_large");

    upstream
        .publish(&update(&key("acme", "c"), 1, "fine"))
        .await;
    assert_eq!(upstream.next_end().await.id, "acme/c/1/updated/ready");
    eventually("four dead letters", async || {
        vhost
            .depth("foreshow.dead-letters")
            .await
            .expect("it tells")
            == 4
    })
    .await;
    foreshow.close().await;
}

/// The management API takes no such body.
async fn publish_large(url: &str, body: &str) {
    let connected = Connection::connect(url, ConnectionProperties::default()).await;
    let connection = connected.expect("the broker is there");
    let channel = connection.create_channel().await.expect("a channel");
    let confirm = channel.confirm_select(ConfirmSelectOptions::default());
    confirm.await.expect("confirms");
    let published = channel.basic_publish(
        "foreshow.events".into(),
        "context.updated.acme".into(),
        BasicPublishOptions::default(),
        body.as_bytes(),
        BasicProperties::default(),
    );
    let confirmed = published.await.expect("sent").await.expect("confirmed");
    assert!(confirmed.is_ack());
    connection.close(200, "done".into()).await.expect("closed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_that_nobody_subscribed_to_blocks_nothing() {
    let foreshow = Foreshow::fleet().await;
    let _up = foreshow.up().await;
    let broker = foreshow.broker().await;
    let publisher = foreshow_tests::Publisher::new(broker);
    publisher
        .publish(&update(&key("acme", "c"), 1, "unheard"))
        .await;
    let vhost = foreshow.ground().vhost().expect("it stands on RabbitMQ");
    let store = foreshow.store().await;
    eventually("it is live", async || {
        let record = store
            .context(&key("acme", "c"))
            .await
            .expect("the store answers");
        record.is_some_and(|record| record.live.is_some() && record.lease.is_none())
    })
    .await;
    eventually("the result is kept aside", async || {
        vhost.depth("foreshow.unrouted").await.expect("it tells") >= 1
    })
    .await;
    eventually("the delivery is done with", async || {
        vhost.depth("foreshow.deploy").await.expect("it tells") == 0
    })
    .await;
    foreshow.close().await;
}
