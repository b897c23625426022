//! One consumer: a task that fetches ahead, and the handle that reads what it fetched.
//!
//! The fetcher claims as many messages as the prefetch has room for, in one write, and goes on without waiting while there may
//! be more; else it sleeps until its queue's bell rings. Acknowledgements that come while a claim commits make room for the
//! next one together, so under load a claim takes many messages.
//!
//! Claims are never lost with the future that waits for them: `next` only reads a channel, and what sits in the channel when the
//! consumer is dropped is still out with it in the file. [`Consumer`]'s drop stops the fetcher first, waits until it is
//! gone (a claim that it had queued is then before us in the writer's queue), and then gives everything back.
//! If the process dies instead, the [reaper](super::reaper) of another does the same.

use std::{
    collections::HashSet,
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use foreshow_engine::{BrokerError, Deliveries, Delivery, Queue, Receipt};
use foreshow_sqlite::DatabaseError;
use tokio::{
    sync::{Notify, mpsc, watch},
    task::JoinHandle,
    time::sleep,
};
use tracing::{debug, warn};

use super::{
    error::unavailable,
    inner::Inner,
    messages::{self, Holder},
    schema::integer,
    session::Session,
};

/// Most messages claimed at once.
const MOST_AT_ONCE: usize = 256;

/// How long after a claim or a give-back that failed it is tried again.
pub(super) const AFTER_FAILURE: Duration = Duration::from_millis(500);

/// The deliveries of one consumer that are out.
pub(super) struct Flow {
    pub(super) queue: Queue,
    prefetch: usize,
    out: Mutex<HashSet<u64>>,
    freed: Notify,
}

impl Flow {
    pub(super) fn new(queue: Queue, prefetch: NonZeroU32) -> Self {
        Self {
            queue,
            prefetch: prefetch.get() as usize,
            out: Mutex::default(),
            freed: Notify::new(),
        }
    }

    fn out(&self) -> MutexGuard<'_, HashSet<u64>> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The delivery is no longer out.
    pub(super) fn free(&self, receipt: &Receipt) {
        if self.out().remove(&receipt.tag) {
            self.freed.notify_one();
        }
    }

    /// Waits until the prefetch has room, and answers for how many.
    async fn room(&self) -> usize {
        loop {
            let room = self.prefetch.saturating_sub(self.out().len());
            if room > 0 {
                return room;
            }
            // One fetcher waits, and a permit is kept if it doesn't yet.
            self.freed.notified().await;
        }
    }
}

/// The handle; see the module.
pub(super) struct Consumer {
    inner: Arc<Inner>,
    session: Arc<Session>,
    number: u64,
    flow: Arc<Flow>,
    fetched: Option<mpsc::Receiver<Result<Delivery, BrokerError>>>,
    fetcher: Option<JoinHandle<()>>,
}

impl Consumer {
    pub(super) async fn start(
        inner: Arc<Inner>,
        queue: Queue,
        prefetch: NonZeroU32,
    ) -> Result<Self, BrokerError> {
        let session = inner
            .session()
            .await
            .map_err(unavailable("consume a queue"))?;
        // Before anybody can learn of the consumer: a lookout that finds its row rings for it.
        let arrivals = inner.bells.arrivals(queue);
        let (number, flow) = inner.register(queue, prefetch);
        // From here on dropping it strikes the consumer off again, so also when this call is cancelled or fails.
        let mut consumer = Self {
            inner: Arc::clone(&inner),
            session: Arc::clone(&session),
            number,
            flow: Arc::clone(&flow),
            fetched: None,
            fetcher: None,
        };
        let row = (session.number, integer(number), queue.name());
        inner
            .db
            .write(move |tx| -> Result<(), DatabaseError> {
                tx.execute(
                    "INSERT INTO consumers (session, consumer, queue) VALUES (?1, ?2, ?3)",
                    row,
                )?;
                Ok(())
            })
            .await
            .map_err(unavailable("consume a queue"))?;
        let (send, fetched) = mpsc::channel(flow.prefetch.min(MOST_AT_ONCE));
        let fetcher = Fetcher {
            inner,
            session,
            number,
            flow,
            arrivals,
            send,
        };
        consumer.fetched = Some(fetched);
        consumer.fetcher = Some(tokio::spawn(fetcher.run()));
        Ok(consumer)
    }
}

#[async_trait]
impl Deliveries for Consumer {
    async fn next(&mut self) -> Result<Delivery, BrokerError> {
        let fetched = match &mut self.fetched {
            Some(fetched) => fetched.recv().await,
            None => None,
        };
        fetched.unwrap_or_else(|| Err(unavailable("read a queue")("the consumer was stopped")))
    }

    async fn stop(&mut self) {
        let Some(fetcher) = self.fetcher.take() else {
            return;
        };
        fetcher.abort();
        // Aborted or not, it is over; a claim that it had queued is before us in the writer's queue.
        drop(fetcher.await);
        let mut read = self.flow.out().clone();
        if let Some(mut fetched) = self.fetched.take() {
            while let Ok(unread) = fetched.try_recv() {
                if let Ok(unread) = unread {
                    read.remove(&unread.receipt.tag);
                }
            }
        }
        self.flow.out().retain(|tag| read.contains(tag));
        let holder = Holder {
            session: self.session.number,
            consumer: self.number,
        };
        let given_back = self
            .inner
            .db
            .write(move |tx| messages::leave_all_but(tx, holder, &read))
            .await;
        match given_back {
            Ok(0) => {}
            Ok(_) => self.inner.bells.ring(self.flow.queue),
            Err(error) => debug!(
                error = &error as &dyn std::error::Error,
                "could not give back what nobody has read; it goes back with the rest"
            ),
        }
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        let flow = self.inner.unregister(self.number);
        let fetcher = self.fetcher.take();
        let inner = Arc::clone(&self.inner);
        let holder = Holder {
            session: self.session.number,
            consumer: self.number,
        };
        if let Some(fetcher) = &fetcher {
            fetcher.abort();
        }
        self.inner.runtime.spawn(async move {
            if let Some(fetcher) = fetcher {
                // Aborted or not, it is over.
                drop(fetcher.await);
            }
            // Until it succeeds: the process lives, so nobody else would give them back.
            while let Err(error) = inner.db.write(move |tx| messages::leave(tx, holder)).await {
                debug!(
                    error = &error as &dyn std::error::Error,
                    "could not give deliveries back; trying on"
                );
                sleep(AFTER_FAILURE).await;
            }
            if let Some(flow) = flow {
                inner.bells.ring(flow.queue);
            }
        });
    }
}

struct Fetcher {
    inner: Arc<Inner>,
    session: Arc<Session>,
    number: u64,
    flow: Arc<Flow>,
    arrivals: watch::Receiver<u64>,
    send: mpsc::Sender<Result<Delivery, BrokerError>>,
}

impl Fetcher {
    /// Runs until the consumer is dropped.
    async fn run(mut self) {
        let mut may_have_more = true;
        loop {
            let room = self.flow.room().await.min(MOST_AT_ONCE);
            if !may_have_more && self.arrivals.changed().await.is_err() {
                return;
            }
            // Before the claim, so that what arrives meanwhile rings again.
            self.arrivals.mark_unchanged();
            match self.claim(room).await {
                Ok(deliveries) => {
                    may_have_more = !deliveries.is_empty();
                    for delivery in deliveries {
                        if self.send.send(Ok(delivery)).await.is_err() {
                            return;
                        }
                    }
                }
                Err(error) => {
                    may_have_more = true;
                    // Told if there is room for it; if there is none, the reader has other things to do.
                    if let Err(error) = self.send.try_send(Err(unavailable("read a queue")(error)))
                    {
                        warn!(
                            error = &error as &dyn std::error::Error,
                            "{} can't be read; trying on",
                            self.flow.queue.name()
                        );
                    }
                    sleep(AFTER_FAILURE).await;
                }
            }
        }
    }

    async fn claim(&self, most: usize) -> Result<Vec<Delivery>, DatabaseError> {
        let queue = self.flow.queue;
        let holder = Holder {
            session: self.session.number,
            consumer: self.number,
        };
        let session = Arc::clone(&self.session);
        let inner = Arc::clone(&self.inner);
        let now = self.inner.clock.now();
        let deliveries = self
            .inner
            .db
            .write(move |tx| -> Result<_, DatabaseError> {
                let deliveries = messages::claim(tx, queue, holder, &inner.tags, most, now)?;
                if !deliveries.is_empty() {
                    session.ensure_row(tx)?;
                }
                Ok(deliveries)
            })
            .await?;
        self.flow
            .out()
            .extend(deliveries.iter().map(|delivery| delivery.receipt.tag));
        Ok(deliveries)
    }
}
