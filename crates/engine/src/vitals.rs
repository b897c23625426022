//! Whether a worker gets on: what a liveness probe wants to know.
//!
//! Each consumer beats in its own task, so a beat stops exactly where the consumer is stuck: in a call that blocks its
//! thread, or in a loop. A broker that is away stops no beat: waiting for it is getting on, and a restart would not help.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep};

use crate::{Queue, observe};

/// How often a consumer beats.
const BEAT_EVERY: Duration = Duration::from_secs(1);

/// A worker's vital signs. Cheap to clone; every clone is of the same worker.
#[derive(Clone, Debug)]
pub struct Vitals(Arc<Signs>);

#[derive(Debug)]
struct Signs {
    born_at: Instant,
    queues: [Sign; Queue::ALL.len()],
}

#[derive(Debug)]
struct Sign {
    /// Milliseconds from birth to the last beat; [`NEVER`] before the first.
    beat_ms: AtomicU64,
    running: AtomicUsize,
}

const NEVER: u64 = u64::MAX;

impl Default for Sign {
    fn default() -> Self {
        Self {
            beat_ms: AtomicU64::new(NEVER),
            running: AtomicUsize::new(0),
        }
    }
}

/// A job that runs, until it is dropped.
#[derive(Debug)]
pub struct Running {
    vitals: Vitals,
    queue: Queue,
}

impl Vitals {
    /// Of a worker that is about to start.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Signs {
            born_at: Instant::now(),
            queues: Default::default(),
        }))
    }

    /// How long ago the consumer beat last whose beat is oldest. One that has not begun yet, because its worker still waits
    /// for its servers, is not silent.
    pub fn silent_for(&self) -> Duration {
        let beats = self.0.queues.iter();
        let oldest = beats
            .map(|sign| sign.beat_ms.load(Ordering::Relaxed))
            .filter(|beat| *beat != NEVER)
            .min();
        oldest.map_or(Duration::ZERO, |oldest| {
            let oldest = Duration::from_millis(oldest);
            self.0.born_at.elapsed().saturating_sub(oldest)
        })
    }

    /// Jobs that were begun and have not ended: waiting or building.
    pub fn jobs(&self, queue: Queue) -> usize {
        self.sign(queue).running.load(Ordering::Relaxed)
    }

    pub(crate) async fn keep_beating(&self, queue: Queue) -> Infallible {
        loop {
            let since = u64::try_from(self.0.born_at.elapsed().as_millis());
            let beat = &self.sign(queue).beat_ms;
            beat.store(since.unwrap_or(NEVER - 1), Ordering::Relaxed);
            sleep(BEAT_EVERY).await;
        }
    }

    pub(crate) fn job_started(&self, queue: Queue) -> Running {
        self.sign(queue).running.fetch_add(1, Ordering::Relaxed);
        observe::delivery_taken(queue);
        self.show(queue);
        Running {
            vitals: self.clone(),
            queue,
        }
    }

    fn show(&self, queue: Queue) {
        observe::jobs_running(queue, self.jobs(queue));
    }

    fn sign(&self, queue: Queue) -> &Sign {
        match queue {
            Queue::Deploy => &self.0.queues[0],
            Queue::Cleanup => &self.0.queues[1],
            Queue::Backlog => &self.0.queues[2],
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let sign = self.vitals.sign(self.queue);
        sign.running.fetch_sub(1, Ordering::Relaxed);
        self.vitals.show(self.queue);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_oldest_beat_counts() {
        let vitals = Vitals::new();
        let deploy = vitals.clone();
        let beating = tokio::spawn(async move { deploy.keep_beating(Queue::Deploy).await });
        sleep(Duration::from_secs(10)).await;
        assert!(vitals.silent_for() <= BEAT_EVERY, "cleanup has not begun");
        let cleanup = vitals.clone();
        tokio::spawn(async move { cleanup.keep_beating(Queue::Cleanup).await });
        sleep(Duration::from_millis(10_500)).await;
        assert!(vitals.silent_for() <= BEAT_EVERY);
        beating.abort();
        sleep(Duration::from_secs(30)).await;
        assert!(vitals.silent_for() >= Duration::from_secs(29));
    }

    #[test]
    fn a_job_counts_until_it_is_dropped() {
        let vitals = Vitals::new();
        let (one, two) = (
            vitals.job_started(Queue::Deploy),
            vitals.job_started(Queue::Deploy),
        );
        assert_eq!(
            (vitals.jobs(Queue::Deploy), vitals.jobs(Queue::Cleanup)),
            (2, 0)
        );
        drop((one, two));
        assert_eq!(vitals.jobs(Queue::Deploy), 0);
    }
}
