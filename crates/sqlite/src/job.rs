//! A caller's write, with its types hidden, on its way through the writer's queue.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use rusqlite::Transaction;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::DatabaseError;

/// How a closure ended, before anything is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Keep,
    /// It refused or panicked: what it did must be undone.
    Undo,
}

/// What became of the transaction that a write ran in.
#[derive(Clone, Debug)]
pub(crate) enum Fate {
    /// Committed and synced: the closure's own answer holds.
    Committed,
    /// Rolled back. Whatever the closure answered, also a refusal, may rest on a mate's write that never came to be.
    RolledBack(DatabaseError),
    /// Rolled back because of this very write: its own error says more than ours, if it noticed one.
    Broken(DatabaseError),
}

pub(crate) trait Job: Send {
    /// Runs the closure; called once.
    fn run(&mut self, tx: &Transaction<'_>, file: &Arc<Path>) -> Verdict;
    /// Answers the caller.
    fn settle(self: Box<Self>, fate: Fate);
    fn queued_at(&self) -> Instant;
}

/// A write and the way back to its caller. The permit is its place in the bounded queue, held until it is answered.
pub(crate) struct Write<F, T, E> {
    closure: Option<F>,
    outcome: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
    queued_at: Instant,
    place: OwnedSemaphorePermit,
}

impl<F, T, E> Write<F, T, E> {
    pub(crate) fn new(
        closure: F,
        reply: oneshot::Sender<Result<T, E>>,
        place: OwnedSemaphorePermit,
    ) -> Self {
        Self {
            closure: Some(closure),
            outcome: None,
            reply,
            queued_at: Instant::now(),
            place,
        }
    }
}

impl<F, T, E> Job for Write<F, T, E>
where
    F: FnOnce(&Transaction<'_>) -> Result<T, E> + Send,
    T: Send,
    E: From<DatabaseError> + Send,
{
    fn run(&mut self, tx: &Transaction<'_>, file: &Arc<Path>) -> Verdict {
        let Some(closure) = self.closure.take() else {
            return Verdict::Undo;
        };
        // Unwind safe: all that the closure could leave half-done is in the transaction, which is rolled back.
        let outcome = catch_unwind(AssertUnwindSafe(|| closure(tx)))
            .unwrap_or_else(|panic| Err(DatabaseError::panicked(file, panic.as_ref()).into()));
        let verdict = if outcome.is_ok() {
            Verdict::Keep
        } else {
            Verdict::Undo
        };
        self.outcome = Some(outcome);
        verdict
    }

    fn settle(self: Box<Self>, fate: Fate) {
        let answer = match (fate, self.outcome) {
            (Fate::Committed, Some(outcome)) => outcome,
            (Fate::Broken(_), Some(Err(own))) => Err(own),
            (Fate::RolledBack(error) | Fate::Broken(error), _) => Err(error.into()),
            // It never ran. The dropped reply reads as `Closed`.
            (Fate::Committed, None) => return,
        };
        drop(self.place);
        // Nobody listens any more if the caller's future was dropped; the write stands all the same.
        drop(self.reply.send(answer));
    }

    fn queued_at(&self) -> Instant {
        self.queued_at
    }
}
