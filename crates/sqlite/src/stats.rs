//! Counters of one [`Database`](crate::Database), for metrics and tests.

use std::sync::atomic::{AtomicU64, Ordering};

/// What one [`Database`](crate::Database) did since it was opened, in this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Writes that were committed.
    pub writes: u64,
    /// Commits, each with one sync. Far fewer than `writes` under load.
    pub commits: u64,
    /// Writes that ended with an error: their own, a panic, a lock not obtained, or a transaction that was undone.
    pub failed_writes: u64,
    /// Writes that wait for their turn or run right now.
    pub waiting: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) writes: Counter,
    pub(crate) commits: Counter,
    pub(crate) failed_writes: Counter,
}

#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
