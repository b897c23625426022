//! A vhost of the run's RabbitMQ with the topology in it, and what tests are written with.

use std::{error::Error, num::NonZeroU8, sync::Arc, time::Duration};

use async_trait::async_trait;
use foreshow_broker::rabbitmq::{AmqpUrl, RabbitMqBroker, RabbitMqOptions};
pub(crate) use foreshow_conformance::broker::{
    Adapter, count, dead_letters, delay_of, failed_attempt, next, reason, result, soon, text,
    update,
};
use foreshow_engine::Broker;
use foreshow_servers::shared::{self, SharedVhost};
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties,
    message::BasicGetMessage,
    options::{BasicGetOptions, BasicPublishOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable},
};

/// Options for this address. Few octaves: every queue costs a new vhost some time.
pub(crate) fn options(url: &str) -> RabbitMqOptions {
    RabbitMqOptions {
        octaves: NonZeroU8::new(3).unwrap(),
        name: "test".to_owned(),
        ..RabbitMqOptions::new(AmqpUrl::parse_list(url).unwrap())
    }
}

/// A broker of one's own.
pub(crate) struct World {
    pub(crate) vhost: SharedVhost,
    pub(crate) broker: RabbitMqBroker,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// With options that the test changes.
    pub(crate) async fn with(change: impl FnOnce(&mut RabbitMqOptions)) -> Self {
        let vhost = shared::rabbitmq().await;
        let mut options = options(&vhost.amqp_url());
        change(&mut options);
        let broker = RabbitMqBroker::connect(options).await.unwrap();
        broker.apply_topology().await.unwrap();
        Self { vhost, broker }
    }

    /// A client that is not ours.
    pub(crate) async fn client(&self) -> Client {
        Client::connect(&self.vhost.amqp_url()).await
    }

    /// Ends the connections, then removes the vhost under them.
    pub(crate) async fn end(self) {
        self.broker.close().await;
        self.vhost.close().await;
    }
}

#[async_trait]
impl Adapter for World {
    fn broker(&self) -> Arc<dyn Broker> {
        Arc::new(self.broker.clone())
    }

    async fn close(&self) {
        self.broker.close().await;
    }
}

/// A plain AMQP client, as somebody else would use one.
pub(crate) struct Client {
    _connection: Connection,
    pub(crate) channel: Channel,
}

impl Client {
    pub(crate) async fn connect(url: &str) -> Self {
        let connection = Connection::connect(url, ConnectionProperties::default())
            .await
            .unwrap();
        let channel = connection.create_channel().await.unwrap();
        Self {
            _connection: connection,
            channel,
        }
    }

    pub(crate) async fn publish(
        &self,
        exchange: &str,
        key: &str,
        properties: BasicProperties,
        body: &[u8],
    ) {
        self.channel
            .basic_publish(
                exchange.into(),
                key.into(),
                BasicPublishOptions::default(),
                body,
                properties,
            )
            .await
            .unwrap();
    }

    /// The next message of a queue, which must come. It is not acknowledged.
    pub(crate) async fn get(&self, queue: &str) -> BasicGetMessage {
        soon(async {
            loop {
                let options = BasicGetOptions::default();
                if let Some(message) = self.channel.basic_get(queue.into(), options).await.unwrap()
                {
                    return message;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await
    }

    /// How many messages a queue has that nobody holds.
    pub(crate) async fn depth(&self, queue: &str) -> u32 {
        self.declared(queue).await.message_count()
    }

    /// How many consumers a queue has.
    pub(crate) async fn consumers(&self, queue: &str) -> u32 {
        self.declared(queue).await.consumer_count()
    }

    async fn declared(&self, queue: &str) -> lapin::Queue {
        let options = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        self.channel
            .queue_declare(queue.into(), options, FieldTable::default())
            .await
            .unwrap()
    }
}

/// A table of headers.
pub(crate) fn table(entries: &[(&str, AMQPValue)]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in entries {
        table.insert((*name).into(), value.clone());
    }
    table
}

/// Waits for a state.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), wait)
        .await
        .unwrap_or_else(|_| panic!("it did not come to this: {what}"));
}

/// An error and all that lies beneath it.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
