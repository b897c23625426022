//! A vhost of the run's RabbitMQ with the topology in it, and what tests are written with.

use std::{num::NonZeroU8, sync::Arc, time::Duration};

use async_trait::async_trait;
use foreshow_broker::rabbitmq::{AmqpUrl, RabbitMqBroker, RabbitMqOptions};
pub(crate) use foreshow_conformance::broker::{
    Adapter, count, delay_of, end, expect_nothing, failed_attempt, next, reason, result, soon,
    text, update,
};
use foreshow_engine::{Broker, DeadLetterReason, Message};
use foreshow_servers::shared::{self, SharedVhost};

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

    /// Another process's handle.
    pub(crate) async fn another(&self) -> RabbitMqBroker {
        RabbitMqBroker::connect(options(&self.vhost.amqp_url()))
            .await
            .unwrap()
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

    async fn dead_letters(&self) -> Vec<(Message, DeadLetterReason)> {
        let letters = self.broker.dead_letters(100).await.unwrap();
        letters
            .into_iter()
            .map(|letter| (letter.message, letter.reason.unwrap()))
            .collect()
    }

    async fn close(&self) {
        self.broker.close().await;
    }
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
