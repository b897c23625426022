//! What the handle is made of, and the steps that take more than one message.

use std::{sync::Arc, time::Duration};

use foreshow_contract::{MAX_EVENT_BYTES, Timestamp};
use foreshow_engine::{DeadLetterReason, Delay, Delivery, Queue, Receipt};
use lapin::{
    options::{BasicAckOptions, QueueDeclareOptions},
    types::FieldTable,
};
use tokio::{sync::Notify, time::timeout};
use tracing::warn;

use super::{
    RabbitMqError, RabbitMqOptions,
    error::{NOT_FOUND, PRECONDITION_FAILED},
    link::Link,
    metrics::Kind,
    octave, outgoing,
    publisher::Publisher,
    registry::Registry,
    topology::Names,
};

/// How long [`Broker::ping`] and its like may take.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// How long an acknowledgement may take to leave this process.
pub(super) const ACK_WITHIN: Duration = Duration::from_secs(10);

/// What a frame holds where there is no connection to ask.
const USUAL_FRAME_MAX: u32 = 128 * 1024;

/// What all clones of a handle, and all that they consume, have in common.
pub(super) struct Inner {
    pub(super) options: Arc<RabbitMqOptions>,
    pub(super) names: Names,
    pub(super) consuming: Arc<Link>,
    pub(super) publishing: Arc<Link>,
    pub(super) registry: Registry,
    pub(super) publisher: Publisher,
    /// This process has put something into the backlog.
    pub(super) moved: Notify,
}

impl Inner {
    pub(super) fn header_limit(&self) -> usize {
        outgoing::header_limit(self.publishing.frame_max().unwrap_or(USUAL_FRAME_MAX))
    }

    /// The copy first, then the acknowledgement.
    pub(super) async fn delay(
        &self,
        delivery: &Delivery,
        delay: &Delay,
    ) -> Result<(), RabbitMqError> {
        let Some(held) = self.registry.get(&delivery.receipt) else {
            return Ok(());
        };
        let hop = octave::hop(delay.after, self.options.octaves);
        let copy = outgoing::delayed(
            delivery,
            &held.original,
            delay,
            hop,
            Timestamp::now().saturating_add(delay.after),
            &self.names,
            self.header_limit(),
        );
        self.publisher.publish(Kind::Delay, &copy).await?;
        self.ack(&delivery.receipt).await
    }

    /// The copy first, then the acknowledgement. Of all queues only the backlog has an exchange of its own.
    pub(super) async fn move_to(
        &self,
        delivery: &Delivery,
        queue: Queue,
    ) -> Result<(), RabbitMqError> {
        let Some(held) = self.registry.get(&delivery.receipt) else {
            return Ok(());
        };
        let copy = match queue {
            Queue::Backlog => outgoing::moved(
                delivery,
                &held.original,
                self.names.queue(queue),
                self.header_limit(),
            ),
            // By way of the shortest delay, which workers may write to.
            Queue::Deploy | Queue::Cleanup => {
                let at_once = Delay {
                    after: Duration::ZERO,
                    attempt: delivery.attempt,
                    history: delivery.history.clone(),
                };
                let mut delivery = delivery.clone();
                delivery.queue = queue;
                return self.delay(&delivery, &at_once).await;
            }
        };
        self.publisher.publish(Kind::Move, &copy).await?;
        self.moved.notify_one();
        self.ack(&delivery.receipt).await
    }

    pub(super) async fn dead_letter(
        &self,
        delivery: &Delivery,
        reason: &DeadLetterReason,
    ) -> Result<(), RabbitMqError> {
        let Some(held) = self.registry.get(&delivery.receipt) else {
            return Ok(());
        };
        let letter = outgoing::dead_letter(
            delivery,
            &held.original,
            reason,
            Timestamp::now(),
            &self.names,
            self.header_limit(),
        );
        match self.publisher.publish(Kind::DeadLetter, &letter).await {
            Ok(()) => {}
            // The broker's limit was lowered, or it was upgraded to one with a lower limit, after it took the message.
            Err(error)
                if error.reply_code() == Some(PRECONDITION_FAILED)
                    && letter.body.len() > MAX_EVENT_BYTES =>
            {
                warn!(
                    bytes = letter.body.len(),
                    "RabbitMQ takes no message as large as one that it delivered; its dead letter is kept without a body"
                );
                let letter = outgoing::without_body(letter);
                self.publisher.publish(Kind::DeadLetter, &letter).await?;
            }
            Err(error) => return Err(error),
        }
        self.ack(&delivery.receipt).await
    }

    pub(super) async fn ack(&self, receipt: &Receipt) -> Result<(), RabbitMqError> {
        let Some(held) = self.registry.take(receipt) else {
            return Ok(());
        };
        // Handed to the connection at once; where that ends before it is written, the message is delivered again, as
        // after any acknowledgement that got lost.
        timeout(ACK_WITHIN, held.acker.ack(BasicAckOptions::default()))
            .await
            .ok();
        Ok(())
    }

    /// A channel of its own, for a question that may end it.
    pub(super) async fn passive_declare(
        &self,
        link: &Link,
        queue: Queue,
    ) -> Result<lapin::Queue, RabbitMqError> {
        let name = self.names.queue(queue);
        let ask = async {
            let channel = link.connection().await?.create_channel().await?;
            let options = QueueDeclareOptions {
                passive: true,
                ..QueueDeclareOptions::default()
            };
            Ok(channel
                .queue_declare(name.as_str().into(), options, FieldTable::default())
                .await?)
        };
        let answer = timeout(ANSWER_WITHIN, ask)
            .await
            .unwrap_or(Err(RabbitMqError::Timeout {
                within: ANSWER_WITHIN,
            }));
        answer.map_err(|error| match error.reply_code() {
            Some(NOT_FOUND) => RabbitMqError::Topology {
                drift: format!("the queue `{name}` is missing"),
            },
            _ => error,
        })
    }
}
