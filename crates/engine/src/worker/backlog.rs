//! Reading the backlog: what tenants had beyond their share.
//!
//! It is asked for, never sent: with a prefetch a worker whose slots are busy for long would hold what an idle one could run,
//! and hold it for longer than the broker allows. A delivery is taken for two reasons:
//!
//! - A slot is free and nobody in line wants it. It starts with that slot.
//! - None of the backlog waits in line. One at a time stands there, for its tenant, so that a flood gets its tenant's turns and no
//!   more, and gets them also while others always have something fresh.
//!
//! What is taken counts as the deploy queue's from then on: once it was begun, its next attempt should not stand behind a flood.
//! It is not moved again, so nothing goes round in circles. If we die, what was taken goes back.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::{Consumer, Kept};
use crate::{Delivery, Pull, Queue};

impl Consumer {
    /// Reads until shutdown and drains; the number of jobs that had to be cut off.
    pub(super) async fn run_on_demand(mut self) -> usize {
        let engine = self.engine.clone();
        let started = tokio::select! {
            biased;
            started = engine.insist(&self.shutdown, || engine.broker().pull(self.queue)) => started,
            () = self.shutdown.cancelled() => return 0,
        };
        // Kept until the last job is done: their receipts belong to it.
        let Ok(mut pull) = started else {
            return 0;
        };
        self.pull(&mut *pull).await;
        self.drain().await
    }

    async fn pull(&mut self, pull: &mut dyn Pull) {
        // A waiter for another's lease has no slot, so slots alone would not bound what is held.
        let window = self.engine.options().worker.prefetch.get() as usize;
        let in_line = Arc::new(Semaphore::new(1));
        let mut failed = 0;
        let mut may_have_more = true;
        loop {
            let room = window.saturating_sub(self.jobs.len());
            let may_take = may_have_more && room > 0;
            let (most, mut ahead) = tokio::select! {
                biased;
                () = self.shutdown.cancelled() => return,
                Some(_done) = self.jobs.join_next() => continue,
                () = pull.ready(), if !may_have_more => {
                    may_have_more = true;
                    continue;
                }
                free = self.turns.until_idle(), if may_take => (free.min(room), None),
                Ok(ahead) = Arc::clone(&in_line).acquire_owned(), if may_take => (1, Some(ahead)),
            };
            let taken = tokio::select! {
                biased;
                () = self.shutdown.cancelled() => return,
                taken = pull.take(most) => taken,
            };
            match taken {
                Ok(taken) => {
                    self.reads_again(&mut failed);
                    may_have_more = !taken.is_empty();
                    if !may_have_more {
                        self.turns.all_came_back();
                    }
                    for delivery in taken {
                        let slot = || self.turns.try_slot().map(Kept::Slot);
                        let kept = ahead.take().map(Kept::Ahead).or_else(slot);
                        let delivery = Delivery {
                            queue: Queue::Deploy,
                            ..delivery
                        };
                        self.start(delivery, kept);
                    }
                }
                Err(error) => self.cannot_read(&error, &mut failed).await,
            }
        }
    }
}
