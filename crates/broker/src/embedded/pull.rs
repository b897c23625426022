//! A queue that is read on demand: a claim for each time that somebody asks.
//!
//! Nothing is fetched ahead, so there is no task. What was claimed and not answered goes back when the handle is dropped, or by the
//! [reaper](super::reaper) when the process dies. A claim whose caller went away is still made, and goes back likewise.

use std::{num::NonZeroU32, sync::Arc};

use async_trait::async_trait;
use foreshow_engine::{BrokerError, Delivery, Pull, Queue};
use foreshow_sqlite::DatabaseError;
use tokio::{sync::watch, time::sleep};
use tracing::debug;

use super::{
    consumer::AFTER_FAILURE,
    error::unavailable,
    inner::Inner,
    messages::{self, Holder},
    session::Session,
};

/// Most messages claimed at once.
const MOST_AT_ONCE: usize = 256;

/// The handle; see the module.
pub(super) struct Puller {
    inner: Arc<Inner>,
    session: Arc<Session>,
    number: u64,
    queue: Queue,
    arrivals: watch::Receiver<u64>,
}

impl Puller {
    pub(super) async fn start(inner: Arc<Inner>, queue: Queue) -> Result<Self, BrokerError> {
        let session = inner.session().await.map_err(unavailable("read a queue"))?;
        let mut arrivals = inner.bells.arrivals(queue);
        // The first look finds what is there already.
        arrivals.mark_changed();
        let (number, _flow) = inner.register(queue, NonZeroU32::MAX);
        Ok(Self {
            inner,
            session,
            number,
            queue,
            arrivals,
        })
    }

    fn holder(&self) -> Holder {
        Holder {
            session: self.session.number,
            consumer: self.number,
        }
    }
}

#[async_trait]
impl Pull for Puller {
    async fn ready(&mut self) {
        if self.arrivals.changed().await.is_err() {
            // The bells end with the handle that this holds.
            std::future::pending::<()>().await;
        }
    }

    async fn take(&mut self, most: usize) -> Result<Vec<Delivery>, BrokerError> {
        // Before the claim, so that what arrives meanwhile rings again.
        self.arrivals.mark_unchanged();
        let (queue, holder, now) = (self.queue, self.holder(), self.inner.clock.now());
        let (session, inner) = (Arc::clone(&self.session), Arc::clone(&self.inner));
        let most = most.min(MOST_AT_ONCE);
        let taken = self
            .inner
            .db
            .write(move |tx| -> Result<_, DatabaseError> {
                let taken = messages::claim(tx, queue, holder, &inner.tags, most, now)?;
                if !taken.is_empty() {
                    session.ensure_row(tx)?;
                }
                Ok(taken)
            })
            .await;
        if taken.is_err() {
            self.arrivals.mark_changed();
        }
        taken.map_err(unavailable("read a queue"))
    }
}

impl Drop for Puller {
    fn drop(&mut self) {
        drop(self.inner.unregister(self.number));
        let (inner, holder, queue) = (Arc::clone(&self.inner), self.holder(), self.queue);
        self.inner.runtime.spawn(async move {
            // Until it succeeds: the process lives, so nobody else would give them back.
            while let Err(error) = inner.db.write(move |tx| messages::leave(tx, holder)).await {
                debug!(
                    error = &error as &dyn std::error::Error,
                    "could not give deliveries back; trying on"
                );
                sleep(AFTER_FAILURE).await;
            }
            inner.bells.ring(queue);
        });
    }
}
