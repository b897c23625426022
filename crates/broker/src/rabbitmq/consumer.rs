//! One consumer: a channel of its own on the consuming connection, rebuilt whenever the broker or the network ends it.
//!
//! It ends in many ways (a lost connection, a queue deleted or moved, a delivery held longer than the broker's consumer
//! timeout), and all of them look the same from here: the stream ends. [`next`](Deliveries::next) then says so once, and
//! builds a new incarnation when it is called again; receipts of the old one mean nothing from then on, since the broker
//! delivers all of it again.
//!
//! An incarnation is built in a task of its own. A build that was cut off would leave a consumer that the broker feeds and nobody
//! reads, with up to a prefetch of deliveries in it until the connection ends; and whoever calls `next` drops it, and calls again,
//! whenever something else comes first.
//!
//! Nothing is handed out while the publishing connection would not take the outcome.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use async_trait::async_trait;
use foreshow_contract::Timestamp;
use foreshow_engine::{BrokerError, Deliveries, Delivery, Queue, Receipt};
use futures_util::{FutureExt as _, StreamExt as _};
use lapin::{
    Channel,
    message::Delivery as Raw,
    options::{BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions},
    types::FieldTable,
};
use tokio::{
    task::{JoinError, JoinHandle},
    time::{sleep, timeout},
};
use tracing::{debug, warn};

use super::{
    RabbitMqError, error::unavailable, incoming::Incoming, inner::Inner, metrics, registry::Held,
};

pub(super) const READ: &str = "read a queue";

/// How long the broker may take to answer a consumer's own requests.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Between tries to send a message on to its next hop.
const HOP_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// The handle; see the module.
pub(super) struct Consumer {
    inner: Arc<Inner>,
    queue: Queue,
    prefetch: u16,
    state: State,
}

enum State {
    /// To be built when somebody asks.
    Ended,
    /// Being built. Where nobody waits for it any more, what was built ends with its task.
    Building(JoinHandle<Result<Incarnation, RabbitMqError>>),
    Running(Incarnation),
    /// What was read is still out.
    Stopped(
        #[expect(dead_code, reason = "kept so that its receipts stay good")] Option<Incarnation>,
    ),
}

/// One channel with its consumer. Dropping it closes the channel, and the broker takes everything back.
struct Incarnation {
    inner: Arc<Inner>,
    number: u64,
    channel: Channel,
    stream: lapin::Consumer,
}

impl Consumer {
    pub(super) async fn start(
        inner: Arc<Inner>,
        queue: Queue,
        prefetch: NonZeroU32,
    ) -> Result<Self, RabbitMqError> {
        let prefetch = u16::try_from(prefetch.get()).unwrap_or(u16::MAX);
        let building = tokio::spawn(Incarnation::start(Arc::clone(&inner), queue, prefetch));
        let incarnation = built(building.await)?;
        Ok(Self {
            inner,
            queue,
            prefetch,
            state: State::Running(incarnation),
        })
    }
}

/// What a task has built.
fn built(
    ended: Result<Result<Incarnation, RabbitMqError>, JoinError>,
) -> Result<Incarnation, RabbitMqError> {
    ended.unwrap_or_else(|error| match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        // Only a runtime that is being taken down ends it otherwise.
        Err(_cancelled) => Err(RabbitMqError::Stopped),
    })
}

#[async_trait]
impl Deliveries for Consumer {
    async fn next(&mut self) -> Result<Delivery, BrokerError> {
        loop {
            let incarnation = match &mut self.state {
                State::Running(incarnation) => incarnation,
                State::Stopped(_) => return Err(unavailable(READ)(RabbitMqError::Stopped)),
                State::Ended => {
                    let inner = Arc::clone(&self.inner);
                    let building = Incarnation::start(inner, self.queue, self.prefetch);
                    self.state = State::Building(tokio::spawn(building));
                    continue;
                }
                State::Building(building) => {
                    let ended = building.await;
                    self.state = State::Ended;
                    let incarnation = built(ended).map_err(unavailable(READ))?;
                    metrics::consumer_rebuilt(self.queue.name());
                    self.state = State::Running(incarnation);
                    continue;
                }
            };
            let publishing = Arc::clone(&self.inner.publishing);
            publishing.until_it_takes().await;
            let item = tokio::select! {
                item = incarnation.stream.next() => item,
                () = publishing.until_it_takes_nothing() => continue,
            };
            match item {
                Some(Ok(raw)) => {
                    if let Some(delivery) =
                        hand_out(&incarnation.inner, incarnation.number, raw, self.queue)
                    {
                        return Ok(delivery);
                    }
                }
                ended => {
                    let ended = RabbitMqError::ConsumerEnded {
                        queue: self.inner.names.queue(self.queue),
                        source: ended.and_then(Result::err),
                    };
                    self.state = State::Ended;
                    return Err(unavailable(READ)(ended));
                }
            }
        }
    }

    async fn stop(&mut self) {
        let State::Running(mut incarnation) = std::mem::replace(&mut self.state, State::Ended)
        else {
            self.state = State::Stopped(None);
            return;
        };
        incarnation.give_back_what_nobody_read().await;
        self.state = State::Stopped(Some(incarnation));
    }
}

impl Incarnation {
    async fn start(inner: Arc<Inner>, queue: Queue, prefetch: u16) -> Result<Self, RabbitMqError> {
        let opening = async {
            let connection = inner.consuming.connection().await?;
            Ok::<_, RabbitMqError>(connection.create_channel().await?)
        };
        let channel = in_time(opening).await?;
        let number = inner.registry.open();
        let consuming = async {
            channel
                .basic_qos(prefetch, BasicQosOptions { global: false })
                .await?;
            let tag = format!("{}.{}.{number}", inner.options.name, queue.name());
            let consuming = channel.basic_consume(
                inner.names.queue(queue).into(),
                tag.into(),
                BasicConsumeOptions::default(),
                FieldTable::default(),
            );
            Ok(consuming.await?)
        };
        let stream = match in_time(consuming).await {
            Ok(stream) => stream,
            Err(error) => {
                inner.registry.close(number);
                // The broker may have made the consumer all the same, or may be about to.
                let closing = channel.close(200, "given up".into());
                if let Ok(Err(error)) = timeout(ANSWER_WITHIN, closing).await {
                    debug!(
                        error = &error as &dyn std::error::Error,
                        "the channel of a consumer that was not made has ended"
                    );
                }
                return Err(error);
            }
        };
        Ok(Self {
            inner,
            number,
            channel,
            stream,
        })
    }

    /// Cancels the consumer, and gives back what came before the broker knew.
    async fn give_back_what_nobody_read(&mut self) {
        let cancelling = self
            .channel
            .basic_cancel(self.stream.tag(), BasicCancelOptions::default());
        match timeout(ANSWER_WITHIN, cancelling).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => debug!(
                error = &error as &dyn std::error::Error,
                "a consumer was not cancelled; its channel has ended"
            ),
            Err(_elapsed) => {
                warn!("a consumer was not cancelled in time; it ends with its channel");
            }
        }
        let back = BasicNackOptions {
            requeue: true,
            multiple: false,
        };
        while let Some(Some(Ok(unread))) = self.stream.next().now_or_never() {
            if unread.acker.nack(back).await.is_err() {
                // The channel has ended, and everything is the broker's again.
                break;
            }
        }
    }
}

/// Registers a delivery, and answers it unless it has to go round again. Nothing here waits, so that a delivery is
/// never lost with a future.
pub(super) fn hand_out(
    inner: &Arc<Inner>,
    consumer: u64,
    mut raw: Raw,
    queue: Queue,
) -> Option<Delivery> {
    let now = Timestamp::now();
    let receipt = Receipt {
        consumer,
        tag: raw.delivery_tag,
    };
    let acker = raw.acker.clone();
    if raw.exchange.as_str() == inner.names.queue(Queue::Backlog) {
        // Only workers write to the backlog's exchange. As if it came back from a delay: then what they wrote on it is believed.
        raw.exchange = "".into();
    }
    let incoming = Incoming::read(&mut raw, now);
    let (left, due_at) = (incoming.left, incoming.due_at);
    let (delivery, original) = incoming.delivery(queue, receipt);
    let original = Arc::new(original);
    inner.registry.hold(receipt, Held { acker, original });
    if left.is_zero() {
        if let Some(due_at) = due_at {
            metrics::came_back(now.saturating_since(due_at));
        }
        return Some(delivery);
    }
    tokio::spawn(go_on_waiting(Arc::clone(inner), delivery, left));
    None
}

impl Drop for Incarnation {
    fn drop(&mut self) {
        self.inner.registry.close(self.number);
    }
}

/// The answer, where it comes in time.
async fn in_time<T>(
    asking: impl Future<Output = Result<T, RabbitMqError>>,
) -> Result<T, RabbitMqError> {
    let late = RabbitMqError::Timeout {
        within: ANSWER_WITHIN,
    };
    timeout(ANSWER_WITHIN, asking).await.unwrap_or(Err(late))
}

/// Sends a delivery on to the next hop of its delay, for as long as it is ours to send.
async fn go_on_waiting(inner: Arc<Inner>, delivery: Delivery, left: Duration) {
    let delay = foreshow_engine::Delay {
        after: left,
        attempt: delivery.attempt,
        history: delivery.history.clone(),
    };
    while let Err(error) = inner.delay(&delivery, &delay).await {
        debug!(
            error = &error as &dyn std::error::Error,
            "a delayed message was not sent on; trying on"
        );
        sleep(HOP_AGAIN_AFTER).await;
    }
}
