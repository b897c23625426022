//! The broker, with points after a result was confirmed and after an acknowledgement.

use std::num::NonZeroU32;
use std::sync::Arc;

use async_trait::async_trait;
use foreshow_contract::ResultEvent;
use foreshow_engine::{
    Broker, BrokerError, DeadLetterReason, DeadLetters, Delay, Deliveries, Delivery, Message, Pull,
    Queue, Receipt, ResultFilter, Results,
};

use super::{Point, Points};

pub(super) struct FailingBroker {
    inner: Arc<dyn Broker>,
    points: Points,
}

impl FailingBroker {
    pub(super) fn new(inner: Arc<dyn Broker>, points: &Points) -> Self {
        let points = points.clone();
        Self { inner, points }
    }
}

#[async_trait]
impl Broker for FailingBroker {
    async fn publish_event(&self, message: Message) -> Result<(), BrokerError> {
        self.inner.publish_event(message).await
    }

    async fn consume(
        &self,
        queue: Queue,
        prefetch: NonZeroU32,
    ) -> Result<Box<dyn Deliveries>, BrokerError> {
        self.inner.consume(queue, prefetch).await
    }

    async fn pull(&self, queue: Queue) -> Result<Box<dyn Pull>, BrokerError> {
        self.inner.pull(queue).await
    }

    async fn publish_results(&self, results: &[ResultEvent]) -> Result<(), BrokerError> {
        self.inner.publish_results(results).await?;
        // Progress and notices are no ends.
        if let Some(end) = results.iter().find(|result| result.is_end()) {
            self.points.pass(Point::ResultSent, end.key().as_ref());
        }
        Ok(())
    }

    async fn ack(&self, receipt: &Receipt) -> Result<(), BrokerError> {
        self.inner.ack(receipt).await?;
        self.points.pass(Point::Acked, None);
        Ok(())
    }

    async fn requeue(&self, receipt: &Receipt) -> Result<(), BrokerError> {
        self.inner.requeue(receipt).await
    }

    async fn delay(&self, delivery: &Delivery, delay: Delay) -> Result<(), BrokerError> {
        self.inner.delay(delivery, delay).await
    }

    async fn move_to(&self, delivery: &Delivery, queue: Queue) -> Result<(), BrokerError> {
        self.inner.move_to(delivery, queue).await
    }

    async fn dead_letter(
        &self,
        delivery: &Delivery,
        reason: &DeadLetterReason,
    ) -> Result<(), BrokerError> {
        self.inner.dead_letter(delivery, reason).await
    }

    async fn dead_letters(&self) -> Result<Box<dyn DeadLetters>, BrokerError> {
        self.inner.dead_letters().await
    }

    async fn subscribe(&self, filter: ResultFilter) -> Result<Box<dyn Results>, BrokerError> {
        self.inner.subscribe(filter).await
    }

    async fn has_consumers(&self, queue: Queue) -> Result<bool, BrokerError> {
        self.inner.has_consumers(queue).await
    }

    async fn waiting(&self, queue: Queue) -> Result<u64, BrokerError> {
        self.inner.waiting(queue).await
    }

    async fn ping(&self) -> Result<(), BrokerError> {
        self.inner.ping().await
    }
}
