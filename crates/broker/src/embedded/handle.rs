//! The handle, and the port's methods.

use std::{num::NonZeroU32, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use foreshow_contract::{MAX_EVENT_BYTES, ResultEvent};
use foreshow_engine::{
    Broker, BrokerError, Clock, DeadLetterReason, DeadLetters, Delay, Deliveries, Delivery,
    Message, Pull, Queue, Receipt, ResultFilter, Results,
};
use foreshow_sqlite::{Database, rusqlite::Transaction};

use super::{
    Depth,
    consumer::Consumer,
    dead_letters::Walk,
    depth,
    error::unavailable,
    inner::Inner,
    messages,
    pull::Puller,
    reaper,
    results::{self, Entry, Subscription},
    schema,
    session::{self, is_alive, lock_path},
};

/// The broker in one SQLite file. Cheap to clone; clones share consumers' numbering and one session.
#[derive(Clone)]
pub struct EmbeddedBroker {
    inner: Arc<Inner>,
}

impl EmbeddedBroker {
    /// Opens the broker in `db`, making its tables where they are missing, and gives back what ended processes held.
    ///
    /// `sessions_dir` holds one small file per consuming process. All processes of one file must name the same folder, on a
    /// local disk; it is made when it is first needed.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]; the source tells what is wrong with the file or the folder.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub async fn open(
        db: Database,
        sessions_dir: PathBuf,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, BrokerError> {
        const OPEN: &str = "open its queues";
        schema::apply(&db).await.map_err(unavailable(OPEN))?;
        reaper::reap(&db, &sessions_dir, None)
            .await
            .map_err(unavailable(OPEN))?;
        Ok(Self {
            inner: Arc::new(Inner::new(db, sessions_dir, clock)),
        })
    }

    /// How much is in the queue.
    pub async fn depth(&self, queue: Queue) -> Result<Depth, BrokerError> {
        self.inner
            .db
            .read(move |connection| depth::of(connection, queue))
            .await
            .map_err(unavailable("measure a queue"))
    }
}

#[async_trait]
impl Broker for EmbeddedBroker {
    async fn publish_event(&self, message: Message) -> Result<(), BrokerError> {
        let Some(queue) = Queue::for_routing_key(&message.routing_key) else {
            return Err(BrokerError::Unroutable {
                routing_key: message.routing_key,
            });
        };
        if message.body.len() > MAX_EVENT_BYTES {
            return Err(BrokerError::TooLarge {
                size_bytes: message.body.len() as u64,
                limit_bytes: MAX_EVENT_BYTES as u64,
            });
        }
        let now = self.inner.clock.now();
        self.inner
            .db
            .write(move |tx| messages::publish(tx, queue, &message, now))
            .await
            .map_err(unavailable("publish an event"))?;
        self.inner.bells.ring(queue);
        Ok(())
    }

    async fn consume(
        &self,
        queue: Queue,
        prefetch: NonZeroU32,
    ) -> Result<Box<dyn Deliveries>, BrokerError> {
        self.inner.ensure_lookout();
        let consumer = Consumer::start(Arc::clone(&self.inner), queue, prefetch).await?;
        Ok(Box::new(consumer))
    }

    async fn pull(&self, queue: Queue) -> Result<Box<dyn Pull>, BrokerError> {
        self.inner.ensure_lookout();
        let puller = Puller::start(Arc::clone(&self.inner), queue).await?;
        Ok(Box::new(puller))
    }

    async fn publish_results(&self, results: &[ResultEvent]) -> Result<(), BrokerError> {
        let entries: Vec<Entry> = results.iter().map(Entry::from).collect();
        if entries.is_empty() {
            return Ok(());
        }
        let now = self.inner.clock.now();
        self.inner
            .db
            .write(move |tx| results::append(tx, &entries, now))
            .await
            .map_err(unavailable("publish a result"))?;
        self.inner.bells.ring_results();
        Ok(())
    }

    async fn ack(&self, receipt: &Receipt) -> Result<(), BrokerError> {
        let receipt = *receipt;
        let step = move |tx: &Transaction<'_>, session| messages::ack(tx, session, receipt);
        self.inner
            .finish("acknowledge a delivery", receipt, step)
            .await?;
        Ok(())
    }

    async fn requeue(&self, receipt: &Receipt) -> Result<(), BrokerError> {
        let receipt = *receipt;
        let step = move |tx: &Transaction<'_>, session| messages::requeue(tx, session, receipt);
        if let Some(queue) = self
            .inner
            .finish("give a delivery back", receipt, step)
            .await?
        {
            self.inner.bells.ring(queue);
        }
        Ok(())
    }

    async fn delay(&self, delivery: &Delivery, delay: Delay) -> Result<(), BrokerError> {
        let receipt = delivery.receipt;
        // A microsecond more, because the clock and the duration are cut to whole ones: never early.
        let after = delay.after.saturating_add(Duration::from_micros(1));
        let due_at = self.inner.clock.now().saturating_add(after);
        let (queue, delivery) = (delivery.queue, delivery.clone());
        let step = move |tx: &Transaction<'_>, session| {
            messages::delay(tx, session, &delivery, &delay, due_at)
        };
        let delayed = self.inner.finish("delay a delivery", receipt, step).await?;
        if delayed.is_some() {
            self.inner.bells.note_due(queue, due_at);
        }
        Ok(())
    }

    async fn move_to(&self, delivery: &Delivery, queue: Queue) -> Result<(), BrokerError> {
        let (receipt, delivery) = (delivery.receipt, delivery.clone());
        let now = self.inner.clock.now();
        let step = move |tx: &Transaction<'_>, session| {
            messages::move_to(tx, session, &delivery, queue, now)
        };
        let moved = self.inner.finish("move a delivery", receipt, step).await?;
        if moved.is_some() {
            self.inner.bells.ring(queue);
        }
        Ok(())
    }

    async fn dead_letter(
        &self,
        delivery: &Delivery,
        reason: &DeadLetterReason,
    ) -> Result<(), BrokerError> {
        let (delivery, reason) = (delivery.clone(), reason.clone());
        let (receipt, now) = (delivery.receipt, self.inner.clock.now());
        let step = move |tx: &Transaction<'_>, session| {
            messages::dead_letter(tx, session, &delivery, &reason, now)
        };
        self.inner
            .finish("keep a dead letter", receipt, step)
            .await?;
        Ok(())
    }

    async fn dead_letters(&self) -> Result<Box<dyn DeadLetters>, BrokerError> {
        let walk = Walk::begin(Arc::clone(&self.inner)).await?;
        Ok(Box::new(walk))
    }

    async fn subscribe(&self, filter: ResultFilter) -> Result<Box<dyn Results>, BrokerError> {
        self.inner.ensure_lookout();
        let subscription = Subscription::open(Arc::clone(&self.inner), filter).await?;
        Ok(Box::new(subscription))
    }

    async fn has_consumers(&self, queue: Queue) -> Result<bool, BrokerError> {
        const LOOK: &str = "look for consumers";
        let names = self
            .inner
            .db
            .read(move |connection| session::consuming(connection, queue))
            .await
            .map_err(unavailable(LOOK))?;
        let dir = self.inner.sessions_dir.clone();
        tokio::task::spawn_blocking(move || {
            names.iter().any(|name| is_alive(&lock_path(&dir, name)))
        })
        .await
        .map_err(unavailable(LOOK))
    }

    async fn waiting(&self, queue: Queue) -> Result<u64, BrokerError> {
        Ok(self.depth(queue).await?.ready)
    }

    async fn ping(&self) -> Result<(), BrokerError> {
        self.inner
            .db
            .read(|connection| {
                connection
                    .query_row("SELECT count(*) FROM sessions", [], |_| Ok(()))
                    .map_err(foreshow_sqlite::DatabaseError::from)
            })
            .await
            .map_err(unavailable("answer"))
    }
}
