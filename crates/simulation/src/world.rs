//! What everything in a simulated world shares: the time, the dice, the weather, the story, and who watches.
//!
//! One thread, one runtime, one source of randomness. Whatever happens asks the dice in the order in which it happens, and
//! tokio's scheduler and its paused clock repeat that order exactly; so a seed is a whole story.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use fastrand::Rng;
use foreshow_contract::Timestamp;
use foreshow_engine::Clock;
use tokio::time::Instant;

use crate::{check::Watchtower, stats::Stats, story::Story, weather::Weather};

/// The instant at which every world begins, by a clock that is right: 2026-01-01T00:00:00Z.
const EPOCH: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);

/// A simulated world. Cheap to clone.
#[derive(Clone)]
pub(crate) struct World(Arc<Inner>);

struct Inner {
    began_at: Instant,
    dice: Mutex<Rng>,
    weather: Mutex<Weather>,
    story: Mutex<Story>,
    stats: Mutex<Stats>,
    tower: Mutex<Watchtower>,
    in_flight: AtomicUsize,
}

impl World {
    pub(crate) fn new(dice: Rng, weather: Weather, story: Story, tower: Watchtower) -> Self {
        Self(Arc::new(Inner {
            began_at: Instant::now(),
            dice: Mutex::new(dice),
            weather: Mutex::new(weather),
            story: Mutex::new(story),
            stats: Mutex::default(),
            tower: Mutex::new(tower),
            in_flight: AtomicUsize::new(0),
        }))
    }

    /// How long the world has existed.
    pub(crate) fn elapsed(&self) -> Duration {
        self.0.began_at.elapsed()
    }

    pub(crate) fn dice(&self) -> MutexGuard<'_, Rng> {
        lock(&self.0.dice)
    }

    /// A span between the two.
    pub(crate) fn span(&self, (from, to): (Duration, Duration)) -> Duration {
        let (from, to) = (millis(from), millis(to));
        Duration::from_millis(self.dice().u64(from..=to.max(from)))
    }

    /// Whether something happens that happens `rate` times in ten thousand.
    pub(crate) fn happens(&self, rate: u32) -> bool {
        rate > 0 && self.dice().u32(0..10_000) < rate
    }

    pub(crate) fn weather(&self) -> MutexGuard<'_, Weather> {
        lock(&self.0.weather)
    }

    pub(crate) fn stats(&self) -> MutexGuard<'_, Stats> {
        lock(&self.0.stats)
    }

    pub(crate) fn tower(&self) -> MutexGuard<'_, Watchtower> {
        lock(&self.0.tower)
    }

    /// Adds a line to the story, where one is told.
    pub(crate) fn tell(&self, who: &str, line: impl FnOnce() -> String) {
        let mut story = lock(&self.0.story);
        if story.is_told() {
            story.line(self.elapsed(), who, &line());
        }
    }

    pub(crate) fn take_story(&self) -> Story {
        std::mem::take(&mut lock(&self.0.story))
    }

    pub(crate) fn take_stats(&self) -> Stats {
        std::mem::take(&mut lock(&self.0.stats))
    }

    /// A request is on its way until the guard is dropped.
    pub(crate) fn in_flight(&self) -> InFlight {
        self.0.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(Arc::clone(&self.0))
    }

    pub(crate) fn requests_in_flight(&self) -> usize {
        self.0.in_flight.load(Ordering::Relaxed)
    }
}

/// A request that has not landed yet.
pub(crate) struct InFlight(Arc<Inner>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Somebody's wall clock: it may be wrong, and step.
#[derive(Clone)]
pub(crate) struct WallClock {
    began_at: Instant,
    ahead_micros: Arc<Mutex<i64>>,
}

impl WallClock {
    /// A clock that is ahead of the right one by so many microseconds.
    pub(crate) fn ahead_by(world: &World, ahead_micros: i64) -> Self {
        Self {
            began_at: world.0.began_at,
            ahead_micros: Arc::new(Mutex::new(ahead_micros)),
        }
    }

    /// Steps, forward or back.
    pub(crate) fn step(&self, micros: i64) {
        *lock(&self.ahead_micros) += micros;
    }
}

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        let right = EPOCH.saturating_add(self.began_at.elapsed());
        Timestamp::from_micros(right.as_micros() + *lock(&self.ahead_micros))
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
