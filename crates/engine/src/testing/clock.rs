use foreshow_contract::Timestamp;
use tokio::time::Instant;

use crate::Clock;

/// A wall clock that runs with tokio's own clock, so that pausing the one pauses the other.
#[derive(Clone, Copy, Debug)]
pub struct PausedClock {
    began_at: Instant,
    epoch: Timestamp,
}

impl PausedClock {
    /// Starts at a fixed instant: 2026-01-01T00:00:00Z.
    pub fn start() -> Self {
        Self {
            began_at: Instant::now(),
            epoch: Timestamp::from_micros(1_767_225_600_000_000),
        }
    }

    /// How long it has run.
    pub fn elapsed(&self) -> std::time::Duration {
        self.began_at.elapsed()
    }
}

impl Clock for PausedClock {
    fn now(&self) -> Timestamp {
        self.epoch.saturating_add(self.began_at.elapsed())
    }
}
