//! The broker in one SQLite file, for everything that one machine runs.
//!
//! What it keeps true, beside the port's promises:
//!
//! - **One row, one transaction.** Each move of a message is one synced update ([`messages`]); a crash finds it before or
//!   after, never twice and never gone.
//! - **A dead process's deliveries come back at once**, and a living one's never do, however slow it is: the operating
//!   system says who lives ([`session`]).
//! - **In order of arrival** within a queue; what is given back goes to its old place, what was delayed joins the end when it
//!   is due. Never early by the wall clock; where that steps forward, by as much earlier.
//! - **Idle costs nothing.** Consumers sleep until there is something for them ([`bells`], [`lookout`]).
//!
//! Who races: the tasks of this process, through the one writer of the [`Database`]; other processes on the same file,
//! through SQLite's lock. A full disk or a failing one is [`BrokerError::Unavailable`] to whoever asked; nothing is lost
//! and nothing needs to be restarted when it is mended.

mod bells;
mod consumer;
mod dead_letters;
mod depth;
mod error;
mod lookout;
mod messages;
mod reaper;
mod results;
mod schema;
mod session;

use std::{
    collections::HashMap,
    num::NonZeroU32,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use foreshow_contract::{MAX_EVENT_BYTES, ResultEvent};
use foreshow_engine::{
    Broker, BrokerError, Clock, DeadLetterReason, Delay, Deliveries, Delivery, Message, Queue,
    Receipt, ResultFilter, Results,
};
use foreshow_sqlite::{Database, DatabaseError, rusqlite::Transaction};
use tokio::{runtime::Handle, sync::OnceCell};
use tokio_util::task::AbortOnDropHandle;

use self::{
    bells::Bells,
    consumer::{Consumer, Flow},
    error::unavailable,
    results::{Entry, Subscription},
    session::{Session, SessionError, is_alive, lock_path},
};
pub use self::{dead_letters::DeadLetter, depth::Depth};

/// The broker in one SQLite file. Cheap to clone; clones share consumers' numbering and one session.
#[derive(Clone)]
pub struct EmbeddedBroker {
    inner: Arc<Inner>,
}

struct Inner {
    db: Database,
    sessions_dir: PathBuf,
    clock: Arc<dyn Clock>,
    runtime: Handle,
    bells: Arc<Bells>,
    /// Made for the first consumer: who only publishes or listens holds nothing that could be left behind.
    session: OnceCell<(Arc<Session>, AbortOnDropHandle<()>)>,
    lookout: OnceLock<AbortOnDropHandle<()>>,
    consumers: Mutex<HashMap<u64, Arc<Flow>>>,
    consumer_numbers: AtomicU64,
    tags: AtomicU64,
}

impl Inner {
    /// This handle's session, made where there is none yet.
    async fn session(&self) -> Result<Arc<Session>, SessionError> {
        let made = self.session.get_or_try_init(|| async {
            reaper::remove_strays(&self.db, &self.sessions_dir).await?;
            let session = Arc::new(Session::open(&self.db, &self.sessions_dir).await?);
            let reaper = reaper::keep(
                self.db.clone(),
                self.sessions_dir.clone(),
                Arc::clone(&self.bells),
                Arc::clone(&session),
            );
            let reaper = AbortOnDropHandle::new(self.runtime.spawn(reaper));
            Ok::<_, SessionError>((session, reaper))
        });
        Ok(Arc::clone(&made.await?.0))
    }

    fn ensure_lookout(&self) {
        self.lookout.get_or_init(|| {
            let lookout = lookout::keep(
                self.db.clone(),
                Arc::clone(&self.clock),
                Arc::clone(&self.bells),
            );
            AbortOnDropHandle::new(self.runtime.spawn(lookout))
        });
    }

    fn consumers(&self) -> MutexGuard<'_, HashMap<u64, Arc<Flow>>> {
        self.consumers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn register(&self, queue: Queue, prefetch: NonZeroU32) -> (u64, Arc<Flow>) {
        let number = self.consumer_numbers.fetch_add(1, Ordering::Relaxed);
        let flow = Arc::new(Flow::new(queue, prefetch));
        self.consumers().insert(number, Arc::clone(&flow));
        (number, flow)
    }

    fn unregister(&self, number: u64) -> Option<Arc<Flow>> {
        self.consumers().remove(&number)
    }

    /// Moves a delivery and then frees its place in the prefetch. Answers the queue that it was out from, if it still
    /// was out with us.
    async fn finish(
        &self,
        operation: &'static str,
        receipt: Receipt,
        step: impl FnOnce(&Transaction<'_>, i64) -> Result<bool, DatabaseError> + Send + 'static,
    ) -> Result<Option<Queue>, BrokerError> {
        let Some((session, _)) = self.session.get() else {
            // Nothing was ever delivered here.
            return Ok(None);
        };
        let session = session.number;
        let was_out = self
            .db
            .write(move |tx| step(tx, session))
            .await
            .map_err(unavailable(operation))?;
        let Some(flow) = self.consumers().get(&receipt.consumer).cloned() else {
            // Struck off, which gives its deliveries back.
            return Ok(None);
        };
        flow.free(&receipt);
        Ok(was_out.then_some(flow.queue))
    }
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
            inner: Arc::new(Inner {
                db,
                sessions_dir,
                clock,
                runtime: Handle::current(),
                bells: Arc::new(Bells::new()),
                session: OnceCell::new(),
                lookout: OnceLock::new(),
                consumers: Mutex::default(),
                consumer_numbers: AtomicU64::new(1),
                tags: AtomicU64::new(1),
            }),
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

    /// The newest dead letters, newest first, bodies included.
    pub async fn dead_letters(&self, limit: u32) -> Result<Vec<DeadLetter>, BrokerError> {
        self.inner
            .db
            .read(move |connection| dead_letters::newest(connection, limit))
            .await
            .map_err(unavailable("list dead letters"))
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
        let step = move |tx: &Transaction<'_>, session| {
            messages::delay(tx, session, receipt, delay.attempt, &delay.history, due_at)
        };
        if let Some(queue) = self.inner.finish("delay a delivery", receipt, step).await? {
            self.inner.bells.note_due(queue, due_at);
        }
        Ok(())
    }

    async fn dead_letter(
        &self,
        delivery: &Delivery,
        reason: &DeadLetterReason,
    ) -> Result<(), BrokerError> {
        let (receipt, reason, now) = (delivery.receipt, reason.clone(), self.inner.clock.now());
        let step = move |tx: &Transaction<'_>, session| {
            messages::dead_letter(tx, session, receipt, &reason, now)
        };
        self.inner
            .finish("keep a dead letter", receipt, step)
            .await?;
        Ok(())
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
}
