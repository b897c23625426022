//! Tenants' walls: whoever may publish for one tenant changes nothing of another's, and learns nothing.

use foreshow_contract::{
    ContextEvent, ContextTouched, IncomingEvent, ResultBody, STRUCTURED_JSON, encode,
};
use foreshow_servers::rabbitmq::Permissions;
use foreshow_tests::{Foreshow, Upstream, end, event, fetch, key, update};
use lapin::{
    BasicProperties, Connection, ConnectionProperties,
    options::{BasicPublishOptions, ConfirmSelectOptions},
    types::{AMQPValue, FieldArray, FieldTable},
};

/// Publishes as this user, with these headers: whether the broker took it.
async fn published(
    url: &str,
    routing_key: &str,
    headers: FieldTable,
    event: &IncomingEvent,
) -> bool {
    let connected = Connection::connect(url, ConnectionProperties::default()).await;
    let connection = connected.expect("the user is let in");
    let channel = connection.create_channel().await.expect("a channel");
    let confirm = channel.confirm_select(ConfirmSelectOptions::default());
    confirm.await.expect("confirms");
    let properties = BasicProperties::default()
        .with_content_type(STRUCTURED_JSON.into())
        .with_headers(headers);
    let body = encode(event);
    let sent = channel.basic_publish(
        "foreshow.events".into(),
        routing_key.into(),
        BasicPublishOptions::default(),
        &body,
        properties,
    );
    let taken = match sent.await {
        Ok(confirm) => confirm.await.is_ok_and(|confirmed| confirmed.is_ack()),
        Err(_) => false,
    };
    // A refusal has ended the channel, not the connection.
    connection.close(200, "done".into()).await.expect("closed");
    taken
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenants_own_user_reaches_no_other_tenant() {
    let foreshow = Foreshow::fleet().await;
    let _up = foreshow.up().await;
    let mut upstream = Upstream::connect(&foreshow).await;
    let vhost = foreshow.ground().vhost().expect("it stands on RabbitMQ");
    let (user, password) = (format!("acme-{:016x}", fastrand::u64(..)), "wallflower");
    let management = vhost.management();
    let added = async {
        management.add_user(&user, password, "").await?;
        let permissions = Permissions::new("^$", "^foreshow\\.events$", "^$");
        management
            .set_permissions(vhost.name(), &user, &permissions)
            .await?;
        let keys = "^context\\.(updated|ended|touched)\\.acme$";
        management
            .set_topic_permissions(vhost.name(), &user, "foreshow.events", keys, "^$")
            .await
    };
    added.await.expect("a user can be made");
    let url = vhost.amqp_url_as(&user, password);
    let plain = FieldTable::default;

    // What globex shows.
    let theirs = key("globex", "site");
    upstream.publish(&update(&theirs, 5, "globex's own")).await;
    let ResultBody::Ready(ready) = upstream.next_end().await.body else {
        panic!()
    };
    let store = foreshow.store().await;
    let before = store.context(&theirs).await.expect("the store answers");

    // Under globex's key the broker refuses it, whatever is in it.
    let forged = update(&theirs, 6, "acme was here");
    assert!(!published(&url, "context.updated.globex", plain(), &forged).await);
    // Under acme's own key the worker does: updates, ends and touches; and what is acme's own is taken.
    let touch = event(ContextEvent::Touched(ContextTouched {
        key: theirs.clone(),
    }));
    let copied = AMQPValue::FieldArray(FieldArray::from(vec![AMQPValue::LongString(
        "context.ended.globex".into(),
    )]));
    let mut copies = plain();
    copies.insert("CC".into(), copied);
    for (routing_key, headers, event) in [
        ("context.updated.acme", plain(), &forged),
        ("context.ended.acme", plain(), &end(&theirs, 6)),
        ("context.touched.acme", plain(), &touch),
        // An end of acme's own, sent as an update: a key that is allowed says nothing of another.
        (
            "context.updated.acme",
            plain(),
            &end(&key("acme", "site"), 6),
        ),
    ] {
        assert!(published(&url, routing_key, headers, event).await);
        let result = upstream.next_end().await;
        let ResultBody::Rejected(rejected) = &result.body else {
            panic!("{routing_key}: {result:?}")
        };
        assert_eq!(
            rejected.code.as_str(),
            "routing_key_mismatch",
            "{rejected:?}"
        );
        assert_eq!(
            result.routing_key(),
            "event.rejected.acme.unknown",
            "it is told to acme alone"
        );
    }
    // A copy by the broker's `CC` comes under the first key: refused by the broker, or here, wherever it goes.
    if published(&url, "context.updated.acme", copies, &end(&theirs, 6)).await {
        let result = upstream.next_end().await;
        assert_eq!(result.routing_key(), "event.rejected.acme.unknown");
    }
    let own = update(&key("acme", "site"), 1, "acme's own");
    assert!(published(&url, "context.updated.acme", plain(), &own).await);
    let mut result = upstream.next_end().await;
    while matches!(result.body, ResultBody::Rejected(_)) {
        result = upstream.next_end().await;
    }
    assert_eq!(result.id, "acme/site/1/updated/ready");

    let after = store.context(&theirs).await.expect("the store answers");
    assert_eq!(before, after, "nothing happened to globex");
    assert_eq!(fetch(&ready.url).await.text(), "globex's own");
    management.delete_user(&user).await.expect("the user goes");
    foreshow.close().await;
}
