//! Publishing: mandatory, persistent, confirmed, and in time.
//!
//! A confirm may carry a message that came back, so published means *acknowledged and nothing returned*. Past the
//! deadline a message may or may not be there; that is for the caller to know, and at-least-once makes it harmless.
//!
//! While the broker blocks the connection, nothing more is handed to the client: it would keep every try in memory and
//! send them all once the broker takes messages again.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use deadpool::managed::PoolError;
use lapin::{BasicProperties, Confirmation, options::BasicPublishOptions, types::ShortString};
use tokio::time::timeout;

use super::{
    RabbitMqError,
    link::Link,
    metrics::{self, Kind, Published},
    pool::{self, ChannelPool},
};

/// How many messages of one call are on their way at once.
const BATCH: usize = 64;

/// A message for the broker.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    pub(super) exchange: String,
    pub(super) routing_key: ShortString,
    pub(super) properties: BasicProperties,
    pub(super) body: Bytes,
}

pub(super) struct Publisher {
    link: Arc<Link>,
    pool: ChannelPool,
    within: Duration,
}

impl Publisher {
    pub(super) fn new(link: Arc<Link>, channels: u16, within: Duration) -> Self {
        let pool = pool::pool(Arc::clone(&link), channels);
        Self { link, pool, within }
    }

    /// Publishes one message.
    pub(super) async fn publish(
        &self,
        kind: Kind,
        message: &Outgoing,
    ) -> Result<(), RabbitMqError> {
        self.publish_all(kind, std::slice::from_ref(message)).await
    }

    /// Publishes messages in order. On an error some may be there, and those that are not follow all that are.
    pub(super) async fn publish_all(
        &self,
        kind: Kind,
        messages: &[Outgoing],
    ) -> Result<(), RabbitMqError> {
        for batch in messages.chunks(BATCH) {
            let began_at = Instant::now();
            let outcome = match timeout(self.within, self.batch(batch)).await {
                Ok(outcome) => outcome,
                Err(_elapsed) => Err(match self.link.blocked() {
                    Some(reason) => RabbitMqError::Blocked {
                        reason: reason.to_string(),
                    },
                    None => RabbitMqError::Timeout {
                        within: self.within,
                    },
                }),
            };
            let result = match &outcome {
                Ok(()) => Published::Confirmed,
                Err(RabbitMqError::Returned { .. }) => Published::Returned,
                Err(RabbitMqError::Refused { .. }) => Published::Refused,
                Err(_) => Published::Unknown,
            };
            metrics::published(kind, result, batch.len(), began_at.elapsed());
            outcome?;
        }
        Ok(())
    }

    async fn batch(&self, batch: &[Outgoing]) -> Result<(), RabbitMqError> {
        // Without a connection it fails at once; blocked, it waits.
        self.link.connection().await?;
        self.link.until_it_takes().await;
        let mut lent = self.pool.get().await.map_err(|error| match error {
            PoolError::Backend(error) => error,
            PoolError::Timeout(_)
            | PoolError::Closed
            | PoolError::NoRuntimeSpecified
            | PoolError::PostCreateHook(_) => RabbitMqError::Timeout {
                within: self.within,
            },
        })?;
        lent.open = true;
        let mut confirms = Vec::with_capacity(batch.len());
        for message in batch {
            let options = BasicPublishOptions {
                mandatory: true,
                immediate: false,
            };
            let exchange = message.exchange.as_str().into();
            let confirm = lent
                .channel
                .basic_publish(
                    exchange,
                    message.routing_key.clone(),
                    options,
                    &message.body,
                    message.properties.clone(),
                )
                .await?;
            confirms.push(confirm);
        }
        let mut failed = None;
        for (message, confirm) in batch.iter().zip(confirms) {
            let trouble = match confirm.await? {
                Confirmation::Ack(None) => continue,
                Confirmation::Ack(Some(_)) | Confirmation::Nack(Some(_)) => {
                    RabbitMqError::Returned {
                        exchange: message.exchange.clone(),
                        routing_key: message.routing_key.to_string(),
                    }
                }
                Confirmation::Nack(None) | Confirmation::NotRequested => RabbitMqError::Refused {
                    exchange: message.exchange.clone(),
                },
            };
            failed.get_or_insert(trouble);
        }
        // Everything was answered: the channel is as good as new, whatever the answers were.
        lent.open = false;
        failed.map_or(Ok(()), Err)
    }
}

/// AMQP's short strings end at 255 bytes, and the client panics on a longer one.
pub(super) fn short(what: &'static str, text: &str) -> Result<ShortString, RabbitMqError> {
    const LIMIT: usize = 255;
    ShortString::try_new(text).map_err(|_| RabbitMqError::TooLong {
        what,
        bytes: text.len(),
        limit_bytes: LIMIT,
    })
}
