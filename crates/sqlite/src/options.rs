//! How a [`Database`](crate::Database) behaves; every key has a default that suits one machine.

use std::num::NonZeroUsize;
use std::time::Duration;

/// Tuning of one [`Database`](crate::Database).
#[derive(Clone, Debug)]
pub struct Options {
    /// How long a write waits for another process's transaction before it fails as
    /// [`Busy`](crate::DatabaseError::Busy). Default 10 s. Counted from the moment the write was queued, so a queue of writes
    /// behind a stuck process fails together and not one after another. Too short fails under load, too long hides a
    /// process that hangs in a transaction.
    pub busy_timeout: Duration,
    /// Connections for reading, opened when first needed. Default 4. Each may use up to half a megabyte of page cache; with
    /// too few, a slow read makes others wait (writes never do).
    pub readers: NonZeroUsize,
    /// How often the file is looked at for commits by other processes, while somebody watches. Default 50 ms. It is the
    /// longest another process's commit goes unnoticed; one look costs a few microseconds.
    pub poll_every: Duration,
    /// The size at which the write-ahead log is cut back even if readers must be waited for. Default 64 MiB. The log is
    /// reused long before that unless reads overlap without a gap. Too small makes writes pause often.
    pub wal_limit_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            busy_timeout: Duration::from_secs(10),
            readers: NonZeroUsize::new(4).unwrap_or(NonZeroUsize::MIN),
            poll_every: Duration::from_millis(50),
            wal_limit_bytes: 64 * 1024 * 1024,
        }
    }
}
