//! Time as the simulators tell it: the wall clock at the start, and from there on a clock that never goes back.
//!
//! Builds advance by elapsed time that is computed when somebody looks, so a step of the wall clock must not finish or undo one.

use std::time::Instant;

use foreshow_contract::Timestamp;

/// A clock that never goes back.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
    started_at_ms: u64,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self {
            started: Instant::now(),
            started_at_ms: u64::try_from(Timestamp::now().as_micros() / 1000).unwrap_or(0),
        }
    }

    /// Milliseconds since the Unix epoch.
    pub fn now_ms(&self) -> u64 {
        self.started_at_ms.saturating_add(self.since_start_ms())
    }

    /// Milliseconds since the simulator was started.
    pub fn since_start_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
