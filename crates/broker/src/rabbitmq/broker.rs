//! The handle, and the port's methods.

use std::{num::NonZeroU32, sync::Arc};

use async_trait::async_trait;
use foreshow_contract::{MAX_EVENT_BYTES, ResultEvent, Timestamp};
use foreshow_engine::{
    Broker, BrokerError, DeadLetterReason, DeadLetters, Delay, Deliveries, Delivery, Message, Pull,
    Queue, Receipt, ResultFilter, Results,
};
use lapin::{options::BasicNackOptions, tcp::OwnedTLSConfig};
use tokio::{sync::Notify, time::timeout};

use super::{
    Drift, OptionsError, RabbitMqError, RabbitMqOptions, Topology,
    consumer::Consumer,
    dead_letters::Walk,
    error::unavailable,
    inner::{ACK_WITHIN, ANSWER_WITHIN, Inner},
    link::{Link, Role},
    metrics::Kind,
    outgoing,
    publisher::Publisher,
    pull::Puller,
    registry::Registry,
    subscription::Subscription,
    topology::{self, Names},
};

/// RabbitMQ as the broker. Cheap to clone; clones share two connections, which end with the last of them and of what it
/// consumes.
#[derive(Clone)]
pub struct RabbitMqBroker {
    inner: Arc<Inner>,
}

impl RabbitMqBroker {
    /// Starts to connect, and returns at once: for a service that waits for its broker, however long it is away.
    ///
    /// # Errors
    /// [`OptionsError`].
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start(options: RabbitMqOptions) -> Result<Self, OptionsError> {
        options.check()?;
        let tls = tls(&options)?;
        let options = Arc::new(options);
        let link = |role| Arc::new(Link::start(role, Arc::clone(&options), tls.clone()));
        let (consuming, publishing) = (link(Role::Consuming), link(Role::Publishing));
        let publisher = Publisher::new(
            Arc::clone(&publishing),
            options.publish_channels,
            options.publish_timeout,
        );
        Ok(Self {
            inner: Arc::new(Inner {
                names: Names::new(&options.prefix),
                options,
                consuming,
                publishing,
                registry: Registry::default(),
                publisher,
                moved: Notify::new(),
            }),
        })
    }

    /// Starts to connect, and waits until it has: for a command that has nothing else to do.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] where the options can't be worked with, or where no address was reached in one round
    /// through all of them.
    pub async fn connect(options: RabbitMqOptions) -> Result<Self, BrokerError> {
        const CONNECT: &str = "be connected to";
        let broker = Self::start(options).map_err(|error| BrokerError::Unavailable {
            operation: CONNECT,
            source: Box::new(error),
        })?;
        broker.opened().await?;
        Ok(broker)
    }

    /// Waits until it has connected, or has tried every address once in vain.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] with what the last address said.
    pub async fn opened(&self) -> Result<(), BrokerError> {
        let (consuming, publishing) = tokio::join!(
            self.inner.consuming.opened(),
            self.inner.publishing.opened()
        );
        consuming
            .and(publishing)
            .map_err(unavailable("be connected to"))
    }

    /// Whether the broker takes no messages for now, because it is short of memory or disk.
    pub fn is_blocked(&self) -> bool {
        self.inner.publishing.blocked().is_some()
    }

    /// Whether both connections are open.
    pub fn is_connected(&self) -> bool {
        self.inner.consuming.is_up() && self.inner.publishing.is_up()
    }

    /// The exchanges, queues and bindings that this broker works with.
    pub fn topology(&self) -> Topology {
        Topology::new(&self.inner.options.prefix, self.inner.options.octaves)
    }

    /// Declares what is missing of the topology. Changes nothing that is there.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]; where something is there in another shape, the source names it.
    pub async fn apply_topology(&self) -> Result<(), BrokerError> {
        const APPLY: &str = "apply its topology";
        let connection = self.inner.publishing.connection().await;
        let connection = connection.map_err(unavailable(APPLY))?;
        topology::apply(&connection, &self.topology())
            .await
            .map_err(unavailable(APPLY))
    }

    /// What of the topology is missing or has another shape. Changes nothing.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] where the broker can't be asked.
    pub async fn check_topology(&self) -> Result<Vec<Drift>, BrokerError> {
        const CHECK: &str = "check its topology";
        let connection = self.inner.publishing.connection().await;
        let connection = connection.map_err(unavailable(CHECK))?;
        topology::check(&connection, &self.topology())
            .await
            .map_err(unavailable(CHECK))
    }

    /// Ends both connections in an orderly way. What is consumed through them ends too.
    pub async fn close(&self) {
        tokio::join!(self.inner.consuming.close(), self.inner.publishing.close());
    }
}

/// What TLS trusts; and ring as the process's cryptography, unless somebody chose before.
fn tls(options: &RabbitMqOptions) -> Result<OwnedTLSConfig, OptionsError> {
    // An error says that there is a provider already, which is as good.
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    let mut tls = OwnedTLSConfig::default();
    if let Some(path) = &options.ca_file {
        let pem = std::fs::read_to_string(path).map_err(|source| OptionsError::CaFile {
            path: path.clone(),
            source,
        })?;
        tls.cert_chain = Some(pem);
    }
    Ok(tls)
}

#[async_trait]
impl Broker for RabbitMqBroker {
    async fn publish_event(&self, message: Message) -> Result<(), BrokerError> {
        const PUBLISH: &str = "publish an event";
        let unroutable = |message: Message| BrokerError::Unroutable {
            routing_key: message.routing_key,
        };
        if Queue::for_routing_key(&message.routing_key).is_none() {
            return Err(unroutable(message));
        }
        if message.body.len() > MAX_EVENT_BYTES {
            return Err(BrokerError::TooLarge {
                size_bytes: message.body.len() as u64,
                limit_bytes: MAX_EVENT_BYTES as u64,
            });
        }
        let limit = self.inner.header_limit();
        let event = outgoing::event(&message, &self.inner.names, limit, Timestamp::now())
            .map_err(unavailable(PUBLISH))?;
        match self.inner.publisher.publish(Kind::Event, &event).await {
            Ok(()) => Ok(()),
            Err(error) => Err(unavailable(PUBLISH)(error)),
        }
    }

    async fn consume(
        &self,
        queue: Queue,
        prefetch: NonZeroU32,
    ) -> Result<Box<dyn Deliveries>, BrokerError> {
        let consumer = Consumer::start(Arc::clone(&self.inner), queue, prefetch)
            .await
            .map_err(unavailable("consume a queue"))?;
        Ok(Box::new(consumer))
    }

    async fn pull(&self, queue: Queue) -> Result<Box<dyn Pull>, BrokerError> {
        Ok(Box::new(Puller::new(Arc::clone(&self.inner), queue)))
    }

    async fn publish_results(&self, results: &[ResultEvent]) -> Result<(), BrokerError> {
        const PUBLISH: &str = "publish a result";
        let (inner, now) = (&self.inner, Timestamp::now());
        let messages: Vec<_> = results
            .iter()
            .map(|result| outgoing::result(result, &inner.names, inner.options.results, now))
            .collect::<Result<_, _>>()
            .map_err(unavailable(PUBLISH))?;
        inner
            .publisher
            .publish_all(Kind::Result, &messages)
            .await
            .map_err(unavailable(PUBLISH))
    }

    async fn ack(&self, receipt: &Receipt) -> Result<(), BrokerError> {
        self.inner
            .ack(receipt)
            .await
            .map_err(unavailable("acknowledge a delivery"))
    }

    async fn requeue(&self, receipt: &Receipt) -> Result<(), BrokerError> {
        if let Some(held) = self.inner.registry.take(receipt) {
            let back = BasicNackOptions {
                requeue: true,
                multiple: false,
            };
            timeout(ACK_WITHIN, held.acker.nack(back)).await.ok();
        }
        Ok(())
    }

    async fn delay(&self, delivery: &Delivery, delay: Delay) -> Result<(), BrokerError> {
        self.inner
            .delay(delivery, &delay)
            .await
            .map_err(unavailable("delay a delivery"))
    }

    async fn move_to(&self, delivery: &Delivery, queue: Queue) -> Result<(), BrokerError> {
        self.inner
            .move_to(delivery, queue)
            .await
            .map_err(unavailable("move a delivery"))
    }

    async fn dead_letter(
        &self,
        delivery: &Delivery,
        reason: &DeadLetterReason,
    ) -> Result<(), BrokerError> {
        self.inner
            .dead_letter(delivery, reason)
            .await
            .map_err(unavailable("keep a dead letter"))
    }

    async fn dead_letters(&self) -> Result<Box<dyn DeadLetters>, BrokerError> {
        let walk = Walk::begin(Arc::clone(&self.inner))
            .await
            .map_err(unavailable("go through its dead letters"))?;
        Ok(Box::new(walk))
    }

    async fn subscribe(&self, filter: ResultFilter) -> Result<Box<dyn Results>, BrokerError> {
        let subscription = Subscription::start(Arc::clone(&self.inner), filter)
            .await
            .map_err(unavailable("subscribe to results"))?;
        Ok(Box::new(subscription))
    }

    async fn has_consumers(&self, queue: Queue) -> Result<bool, BrokerError> {
        let inner = &self.inner;
        let declared = inner
            .passive_declare(&inner.consuming, queue)
            .await
            .map_err(unavailable("look for consumers"))?;
        Ok(declared.consumer_count() > 0)
    }

    async fn waiting(&self, queue: Queue) -> Result<u64, BrokerError> {
        let inner = &self.inner;
        let declared = inner
            .passive_declare(&inner.consuming, queue)
            .await
            .map_err(unavailable("measure a queue"))?;
        Ok(declared.message_count().into())
    }

    async fn ping(&self) -> Result<(), BrokerError> {
        const ANSWER: &str = "answer";
        let inner = &self.inner;
        let ask = async {
            inner.consuming.connection().await?;
            inner.publishing.connection().await?;
            if let Some(reason) = inner.publishing.blocked() {
                return Err(RabbitMqError::Blocked {
                    reason: reason.to_string(),
                });
            }
            inner
                .passive_declare(&inner.publishing, Queue::Deploy)
                .await
        };
        timeout(ANSWER_WITHIN, ask)
            .await
            .unwrap_or(Err(RabbitMqError::Timeout {
                within: ANSWER_WITHIN,
            }))
            .map(drop)
            .map_err(unavailable(ANSWER))
    }
}
