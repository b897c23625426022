//! What the clones of a handle and its consumers share.
//!
//! The session, its reaper and the lookout begin with the first who needs them and end with the last who holds this. Then
//! the session's lock is free, and what was still out is given back by somebody else.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use foreshow_engine::{BrokerError, Clock, Queue, Receipt};
use foreshow_sqlite::{Database, DatabaseError, rusqlite::Transaction};
use tokio::{runtime::Handle, sync::OnceCell};
use tokio_util::task::AbortOnDropHandle;

use super::{
    bells::Bells,
    consumer::Flow,
    error::unavailable,
    lookout, reaper,
    schema::integer,
    session::{Session, SessionError},
};

pub(super) struct Inner {
    pub(super) db: Database,
    pub(super) sessions_dir: PathBuf,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) runtime: Handle,
    pub(super) bells: Arc<Bells>,
    /// Made for the first consumer: who only publishes or listens holds nothing that could be left behind.
    session: OnceCell<(Arc<Session>, AbortOnDropHandle<()>)>,
    lookout: OnceLock<AbortOnDropHandle<()>>,
    consumers: Mutex<HashMap<u64, Arc<Flow>>>,
    consumer_numbers: AtomicU64,
    walks: AtomicU64,
    pub(super) tags: AtomicU64,
}

impl Inner {
    pub(super) fn new(db: Database, sessions_dir: PathBuf, clock: Arc<dyn Clock>) -> Self {
        Self {
            db,
            sessions_dir,
            clock,
            runtime: Handle::current(),
            bells: Arc::new(Bells::new()),
            session: OnceCell::new(),
            lookout: OnceLock::new(),
            consumers: Mutex::default(),
            consumer_numbers: AtomicU64::new(1),
            walks: AtomicU64::new(1),
            tags: AtomicU64::new(1),
        }
    }

    /// This handle's session, made where there is none yet.
    pub(super) async fn session(&self) -> Result<Arc<Session>, SessionError> {
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

    pub(super) fn ensure_lookout(&self) {
        self.lookout.get_or_init(|| {
            let lookout = lookout::keep(
                self.db.clone(),
                Arc::clone(&self.clock),
                Arc::clone(&self.bells),
            );
            AbortOnDropHandle::new(self.runtime.spawn(lookout))
        });
    }

    /// A number that no other walk of this session has.
    pub(super) fn next_walk(&self) -> i64 {
        integer(self.walks.fetch_add(1, Ordering::Relaxed))
    }

    fn consumers(&self) -> MutexGuard<'_, HashMap<u64, Arc<Flow>>> {
        self.consumers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn register(&self, queue: Queue, prefetch: NonZeroU32) -> (u64, Arc<Flow>) {
        let number = self.consumer_numbers.fetch_add(1, Ordering::Relaxed);
        let flow = Arc::new(Flow::new(queue, prefetch));
        self.consumers().insert(number, Arc::clone(&flow));
        (number, flow)
    }

    pub(super) fn unregister(&self, number: u64) -> Option<Arc<Flow>> {
        self.consumers().remove(&number)
    }

    /// Moves a delivery and then frees its place in the prefetch. Answers the queue that it was out from, if it still
    /// was out with us.
    pub(super) async fn finish(
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
