//! A queue that is read on demand: `basic.get`, on a channel of its own on the consuming connection.
//!
//! Not a consumer with a small prefetch: the broker would send it as many deliveries as the prefetch says, wanted or not, a prefetch
//! cannot be changed while consuming, and what nobody reads for longer than the consumer timeout ends the channel with
//! everything on it. A get is one round trip, some tenths of a millisecond; it is made once per delivery that a slot waits for.
//!
//! The broker tells nobody that something has arrived. What this process moves wakes it; for what others moved, or gave back,
//! it looks once a second.
//!
//! Where the channel ends, all that was taken on it comes again, as with a consumer.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use foreshow_engine::{BrokerError, Delivery, Pull, Queue};
use lapin::{Channel, options::BasicGetOptions};
use tokio::time::{sleep, timeout};

use super::{
    RabbitMqError,
    consumer::{ANSWER_WITHIN, READ, hand_out},
    error::unavailable,
    inner::Inner,
};

/// How often it looks for what others have put there.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Most deliveries of one call: each is a round trip, and the first should not wait long for the last.
const MOST_AT_ONCE: usize = 16;

/// The handle; see the module.
pub(super) struct Puller {
    inner: Arc<Inner>,
    queue: Queue,
    /// Opened when it is first needed, and again after it ended.
    open: Option<Open>,
}

/// A channel, and the number that its receipts have. Dropping it closes the channel, and the broker takes everything back.
struct Open {
    inner: Arc<Inner>,
    number: u64,
    channel: Channel,
}

impl Puller {
    pub(super) fn new(inner: Arc<Inner>, queue: Queue) -> Self {
        Self {
            inner,
            queue,
            open: None,
        }
    }

    /// Nothing is taken while its outcome could not be told.
    async fn can_publish(&self) -> Result<(), RabbitMqError> {
        self.inner.publishing.connection().await?;
        match self.inner.publishing.blocked() {
            None => Ok(()),
            Some(reason) => Err(RabbitMqError::Blocked {
                reason: reason.to_string(),
            }),
        }
    }

    async fn get(&mut self, most: usize) -> Result<Vec<Delivery>, RabbitMqError> {
        let open = match &mut self.open {
            Some(open) => open,
            closed => closed.insert(Open::new(&self.inner).await?),
        };
        let name = self.inner.names.queue(self.queue);
        let mut taken = Vec::new();
        for _ in 0..most.min(MOST_AT_ONCE) {
            let get = open
                .channel
                .basic_get(name.as_str().into(), BasicGetOptions::default());
            let Some(message) = get.await? else {
                break;
            };
            let raw = message.delivery;
            taken.extend(hand_out(&self.inner, open.number, raw, self.queue));
        }
        Ok(taken)
    }
}

impl Open {
    async fn new(inner: &Arc<Inner>) -> Result<Self, RabbitMqError> {
        let connection = inner.consuming.connection().await?;
        let channel = connection.create_channel().await?;
        Ok(Self {
            number: inner.registry.open(),
            inner: Arc::clone(inner),
            channel,
        })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.inner.registry.close(self.number);
    }
}

#[async_trait]
impl Pull for Puller {
    async fn ready(&mut self) {
        tokio::select! {
            () = self.inner.moved.notified() => {}
            () = sleep(LOOK_EVERY) => {}
        }
    }

    async fn take(&mut self, most: usize) -> Result<Vec<Delivery>, BrokerError> {
        // Before, and apart from what ends the channel: what was taken on it is still being worked on.
        self.can_publish().await.map_err(unavailable(READ))?;
        let taken =
            timeout(ANSWER_WITHIN, self.get(most))
                .await
                .unwrap_or(Err(RabbitMqError::Timeout {
                    within: ANSWER_WITHIN,
                }));
        if taken.is_err() {
            // What is on the channel comes again, so also what this very call took.
            self.open = None;
        }
        taken.map_err(unavailable(READ))
    }
}
