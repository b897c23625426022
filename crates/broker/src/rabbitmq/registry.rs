//! What is out: which receipts still mean something.
//!
//! Receipts are numbered by the incarnation of their consumer. A consumer that is rebuilt gets a new number, so that a
//! receipt of a lost channel can't meet a delivery of the next one.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use foreshow_engine::Receipt;
use lapin::Acker;

use super::incoming::Original;

/// A delivery that is out.
#[derive(Clone)]
pub(super) struct Held {
    pub(super) acker: Acker,
    pub(super) original: Arc<Original>,
}

#[derive(Default)]
pub(super) struct Registry {
    numbers: AtomicU64,
    out: Mutex<HashMap<u64, HashMap<u64, Held>>>,
}

impl Registry {
    /// A number that no consumer had.
    pub(super) fn open(&self) -> u64 {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed) + 1;
        self.lock().insert(number, HashMap::new());
        number
    }

    /// The consumer is gone, and all it had is the broker's again.
    pub(super) fn close(&self, consumer: u64) {
        self.lock().remove(&consumer);
    }

    pub(super) fn hold(&self, receipt: Receipt, held: Held) {
        if let Some(out) = self.lock().get_mut(&receipt.consumer) {
            out.insert(receipt.tag, held);
        }
    }

    /// What the receipt stands for, if it is still out and its channel is open.
    pub(super) fn get(&self, receipt: &Receipt) -> Option<Held> {
        let held = self
            .lock()
            .get(&receipt.consumer)?
            .get(&receipt.tag)
            .cloned()?;
        held.acker.usable().then_some(held)
    }

    /// The same, and from now on it is no longer out.
    pub(super) fn take(&self, receipt: &Receipt) -> Option<Held> {
        self.lock().get_mut(&receipt.consumer)?.remove(&receipt.tag)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, HashMap<u64, Held>>> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
