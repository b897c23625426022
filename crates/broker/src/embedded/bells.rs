//! What wakes those who wait, within one process.
//!
//! A bell is a count that only grows: who waits compares it with what it has seen, so a ring between looking and waiting
//! is not lost. Bells say "look again", nothing more. The process's own publishing rings at once; the
//! [lookout](super::lookout) rings for messages that become due and for what other processes do.

use std::sync::atomic::{AtomicI64, Ordering};

use foreshow_contract::Timestamp;
use foreshow_engine::Queue;
use tokio::sync::{Notify, watch};

/// One set per broker handle.
#[derive(Debug)]
pub(super) struct Bells {
    deploy: Bell,
    cleanup: Bell,
    backlog: Bell,
    results: watch::Sender<u64>,
    /// The earliest due time of a queue has moved forward.
    pub(super) sooner: Notify,
}

#[derive(Debug)]
struct Bell {
    arrivals: watch::Sender<u64>,
    /// The earliest known time at which a delayed message becomes due, in µs; `i64::MAX` for none.
    due_at: AtomicI64,
}

impl Bells {
    pub(super) fn new() -> Self {
        let bell = || Bell {
            arrivals: watch::Sender::new(0),
            due_at: AtomicI64::new(i64::MAX),
        };
        Self {
            deploy: bell(),
            cleanup: bell(),
            backlog: bell(),
            results: watch::Sender::new(0),
            sooner: Notify::new(),
        }
    }

    fn of(&self, queue: Queue) -> &Bell {
        match queue {
            Queue::Deploy => &self.deploy,
            Queue::Cleanup => &self.cleanup,
            Queue::Backlog => &self.backlog,
        }
    }

    /// There may be something in the queue.
    pub(super) fn ring(&self, queue: Queue) {
        self.of(queue).arrivals.send_modify(|count| *count += 1);
    }

    /// There are new results.
    pub(super) fn ring_results(&self) {
        self.results.send_modify(|count| *count += 1);
    }

    pub(super) fn arrivals(&self, queue: Queue) -> watch::Receiver<u64> {
        self.of(queue).arrivals.subscribe()
    }

    pub(super) fn results(&self) -> watch::Receiver<u64> {
        self.results.subscribe()
    }

    /// The queues that somebody consumes here.
    pub(super) fn listened(&self) -> impl Iterator<Item = Queue> {
        Queue::ALL
            .into_iter()
            .filter(|queue| self.of(*queue).arrivals.receiver_count() > 0)
    }

    /// A message of the queue becomes due then.
    pub(super) fn note_due(&self, queue: Queue, at: Timestamp) {
        let before = self
            .of(queue)
            .due_at
            .fetch_min(at.as_micros(), Ordering::AcqRel);
        if at.as_micros() < before {
            self.sooner.notify_one();
        }
    }

    /// When the next message becomes due, as far as is known.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        let dues = Queue::ALL.map(|queue| self.of(queue).due_at.load(Ordering::Acquire));
        let micros = dues.into_iter().min().unwrap_or(i64::MAX);
        (micros != i64::MAX).then(|| Timestamp::from_micros(micros))
    }

    /// Rings for each queue in which a message has become due, and forgets when the next one will: ask the file for it.
    /// Answers whether there was any.
    pub(super) fn ring_due(&self, now: Timestamp) -> bool {
        let mut any = false;
        for queue in Queue::ALL {
            let due_at = &self.of(queue).due_at;
            if due_at.load(Ordering::Acquire) <= now.as_micros() {
                // Forgotten before the file is asked, so that a delay noted in between stays noted.
                due_at.store(i64::MAX, Ordering::Release);
                self.ring(queue);
                any = true;
            }
        }
        any
    }
}
