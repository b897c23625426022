use std::{num::NonZeroU32, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use foreshow_contract::{
    AttemptReport, ContextId, Headers, OutcomeKind, RawMessage, ResultEvent, TenantId, Timestamp,
};
use serde::{Deserialize, Serialize};

use super::dead_letters::{DeadLetters, NotReplayable};

/// Carries context events to the workers and results to whoever listens.
///
/// What every adapter promises:
///
/// - A method that publishes returns `Ok` only once the broker has *taken responsibility*: the message is durable and
///   was routed (or caught by an alternate exchange). On `Err` the message may or may not be there.
/// - A delivery that is neither acknowledged nor handed on when its consumer goes away, however it goes, is delivered
///   again. So every delivery comes at least once.
/// - [`delay`](Broker::delay), [`move_to`](Broker::move_to) and [`dead_letter`](Broker::dead_letter) write the copy first and
///   acknowledge the original after, so a crash between the two doubles a message and never loses one.
/// - An acknowledgement is never confirmed: a copy may come back even after `ack` returned `Ok`.
#[async_trait]
pub trait Broker: Send + Sync + 'static {
    /// Publishes a context event, as an upstream service would.
    async fn publish_event(&self, message: Message) -> Result<(), BrokerError>;

    /// Starts consuming `queue` with at most `prefetch` deliveries out at once.
    async fn consume(
        &self,
        queue: Queue,
        prefetch: NonZeroU32,
    ) -> Result<Box<dyn Deliveries>, BrokerError>;

    /// Reads `queue` on demand: nothing is taken from it ahead of being asked for.
    async fn pull(&self, queue: Queue) -> Result<Box<dyn Pull>, BrokerError>;

    /// Publishes results in order, each confirmed and not returned.
    async fn publish_results(&self, results: &[ResultEvent]) -> Result<(), BrokerError>;

    /// The delivery is done with. For this method and the four below: a receipt that is no longer held, because its
    /// consumer went away, is no error and changes nothing; the message is delivered again.
    async fn ack(&self, receipt: &Receipt) -> Result<(), BrokerError>;

    /// Gives the delivery back untouched, for any consumer, at once.
    async fn requeue(&self, receipt: &Receipt) -> Result<(), BrokerError>;

    /// Hands the delivery to come back to `delivery.queue`, which the caller may have changed, no earlier than `delay.after`
    /// from now, with the attempt and history given.
    async fn delay(&self, delivery: &Delivery, delay: Delay) -> Result<(), BrokerError>;

    /// Moves the delivery to the end of `queue`, as it is: attempt, history, replay, time of acceptance and `redelivered`, which
    /// the caller may have set, travel along.
    async fn move_to(&self, delivery: &Delivery, queue: Queue) -> Result<(), BrokerError>;

    /// Keeps a copy among the dead letters, with the reason and everything a replay needs (`delivery.queue` among it), then
    /// acknowledges.
    async fn dead_letter(
        &self,
        delivery: &Delivery,
        reason: &DeadLetterReason,
    ) -> Result<(), BrokerError>;

    /// Begins a walk through the dead letters as they are now.
    async fn dead_letters(&self) -> Result<Box<dyn DeadLetters>, BrokerError>;

    /// Results from now on that match `filter`. Nothing published after this returns is missed while the
    /// subscription is read reasonably fast.
    async fn subscribe(&self, filter: ResultFilter) -> Result<Box<dyn Results>, BrokerError>;

    /// Whether anybody consumes `queue` right now, so that a publisher can say that nobody does. Who pulls does not count.
    async fn has_consumers(&self, queue: Queue) -> Result<bool, BrokerError>;

    /// How many messages wait in `queue` for somebody to take them, so that who has time can let them pass. What is delayed,
    /// or out with a consumer, does not count.
    async fn waiting(&self, queue: Queue) -> Result<u64, BrokerError>;

    /// Whether the broker answers now, and would take what is published. Fails within seconds; it does not wait for a
    /// broker that is away.
    async fn ping(&self) -> Result<(), BrokerError>;
}

/// The deliveries of one consumer.
#[async_trait]
pub trait Deliveries: Send {
    /// The next delivery. Waits as long as there is none. Cancel-safe: a delivery is never lost by dropping the future.
    ///
    /// # Errors
    /// The broker could not be asked. Calling again tries again; the adapter rebuilds what it needs.
    async fn next(&mut self) -> Result<Delivery, BrokerError>;

    /// Takes no more deliveries, and gives back those that nobody has read. What was read stays out, and its receipts
    /// stay good, until this is dropped.
    async fn stop(&mut self);
}

/// A queue that is read on demand. What was taken goes back when this is dropped, unless it was acknowledged or handed on.
#[async_trait]
pub trait Pull: Send {
    /// Waits until there may be something to take that the last call of [`take`](Pull::take) did not find. It may return for
    /// nothing. Cancel-safe.
    async fn ready(&mut self);

    /// Takes what is there, oldest first: at most `most` deliveries, perhaps fewer although there are more, and none only where
    /// none are there. Does not wait for any. What it took when it was cancelled goes back when this is dropped.
    ///
    /// # Errors
    /// The broker could not be asked. Calling again tries again; the adapter rebuilds what it needs.
    async fn take(&mut self, most: usize) -> Result<Vec<Delivery>, BrokerError>;
}

/// The results of one subscription.
#[async_trait]
pub trait Results: Send {
    /// The next result. Cancel-safe.
    async fn next(&mut self) -> Result<ResultEvent, BrokerError>;
}

/// The queues that workers read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Queue {
    /// Updates and touches.
    Deploy,
    /// Ends, expiries and resets, which never wait behind deploys.
    Cleanup,
    /// What a tenant has in [`Deploy`](Self::Deploy) beyond its share of a worker's window. Read on demand: with free slots, and in its
    /// tenant's turn.
    Backlog,
}

impl Message {
    /// The message, as the contract reads it.
    pub fn raw(&self) -> RawMessage<'_> {
        RawMessage {
            content_type: self.content_type.as_deref(),
            message_type: self.message_type.as_deref(),
            headers: &self.headers,
            body: &self.body,
        }
    }
}

impl Queue {
    /// Every queue.
    pub const ALL: [Self; 3] = [Self::Deploy, Self::Cleanup, Self::Backlog];

    /// The queue's name at the broker.
    pub fn name(self) -> &'static str {
        match self {
            Self::Deploy => "foreshow.deploy",
            Self::Cleanup => "foreshow.cleanup",
            Self::Backlog => "foreshow.deploy.backlog",
        }
    }

    /// The queue of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|queue| queue.name() == name)
    }

    /// The queue that takes an event published with this routing key; `None` where no binding takes it.
    pub fn for_routing_key(key: &str) -> Option<Self> {
        let mut words = key.splitn(3, '.');
        match (words.next(), words.next(), words.next()) {
            (Some("context"), Some("updated" | "touched"), Some(tenant))
                if !tenant.contains('.') =>
            {
                Some(Self::Deploy)
            }
            (Some("context"), Some("ended" | "expired" | "reset"), Some(tenant))
                if !tenant.contains('.') =>
            {
                Some(Self::Cleanup)
            }
            _ => None,
        }
    }
}

/// A message as it travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Where it was sent to, e.g. `context.updated.acme`.
    pub routing_key: String,
    /// The content type, e.g. `application/cloudevents+json`.
    pub content_type: Option<String>,
    /// The property `type`, which tells of a body that is still encoded for AMQP 1.0.
    pub message_type: Option<String>,
    /// The headers, without those that the adapter itself adds on the way.
    pub headers: Headers,
    /// The body. It may hold env values: never log it.
    pub body: Bytes,
}

/// One delivery of a message to one consumer.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The message.
    pub message: Message,
    /// The queue it came from.
    pub queue: Queue,
    /// Which attempt this is, from 1. Counted by us, in our own header.
    pub attempt: NonZeroU32,
    /// How earlier attempts went.
    pub history: Vec<AttemptReport>,
    /// How often an operator replayed the message from the dead letters; 0 in its first life.
    pub replay: u32,
    /// When the broker first took the message.
    pub accepted_at: Timestamp,
    /// Whether it may have been delivered before to a consumer that went away, or gave it back; a delay keeps it, also
    /// where the caller has set it. `false` is certain.
    pub redelivered: bool,
    /// What `ack` and its kin need.
    pub receipt: Receipt,
}

/// Names one delivery to the adapter that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Receipt {
    /// The consumer, in the adapter's numbering.
    pub consumer: u64,
    /// The delivery, unique within the consumer.
    pub tag: u64,
}

/// How a delivery should come back.
#[derive(Clone, Debug)]
pub struct Delay {
    /// Not before this long from now.
    pub after: Duration,
    /// The attempt it will be.
    pub attempt: NonZeroU32,
    /// How the attempts so far went.
    pub history: Vec<AttemptReport>,
}

/// Why a message is kept among the dead letters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetterReason {
    /// A stable code, e.g. `build_failed` or `malformed_json`.
    pub code: String,
    /// What happened, for people.
    pub message: String,
    /// How the attempts went.
    pub attempts: Vec<AttemptReport>,
}

/// Which results a subscriber wants; an empty filter wants all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResultFilter {
    /// Only of this tenant.
    pub tenant: Option<TenantId>,
    /// Only of this context.
    pub context: Option<ContextId>,
    /// Only of this kind.
    pub outcome: Option<OutcomeKind>,
}

impl ResultFilter {
    /// Whether the result is wanted.
    pub fn matches(&self, result: &ResultEvent) -> bool {
        let key = result.key();
        self.outcome
            .is_none_or(|outcome| outcome == result.outcome())
            && self
                .tenant
                .as_ref()
                .is_none_or(|tenant| key.as_ref().is_some_and(|key| key.tenant == *tenant))
            && self
                .context
                .as_ref()
                .is_none_or(|context| key.as_ref().is_some_and(|key| key.context == *context))
    }
}

/// The broker could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// It could not be reached, or did not answer in time; what was asked may or may not have happened.
    #[error("the broker could not {operation}")]
    Unavailable {
        /// What was asked, e.g. `publish a result`.
        operation: &'static str,
        /// What lies beneath.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No queue takes a message with this routing key.
    #[error(
        "no queue takes a message with the routing key {routing_key:?}; use context.updated.<tenant>, \
         context.ended.<tenant> or context.touched.<tenant>"
    )]
    Unroutable {
        /// The key it was sent with.
        routing_key: String,
    },
    /// The message is larger than the broker takes.
    #[error(
        "a message of {size_bytes} bytes is over the limit of {limit_bytes}; send the files as a bundle"
    )]
    TooLarge {
        /// Its size.
        size_bytes: u64,
        /// The limit.
        limit_bytes: u64,
    },
    /// The dead letter can't be replayed, now or later.
    #[error("the dead letter can't be replayed")]
    NotReplayable(#[source] NotReplayable),
}
