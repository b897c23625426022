//! When the next replay may go: at most so many a second, and only while events do not wait for a worker.
//!
//! A rate alone can't be right. Ten thousand replays into a fleet whose builds take half a minute would stand for hours. Updates go to
//! the backlog, where little that is live stands behind them; but a tenant's flood may wait there too, and ends have one queue alone. So
//! the queue is looked at before each replay, and while more wait there than may, the replay lets them pass.

use std::num::NonZeroU32;
use std::time::Duration;

use foreshow_engine::{Broker, BrokerError, Queue};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep};

use crate::terminal::tell;

/// How often a queue is looked at in which too many wait.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How long it is waited in silence.
const TELL_AFTER: Duration = Duration::from_secs(5);

/// The pace of a replay.
pub(super) struct Pace {
    ticks: Interval,
    backlog: u64,
    has_told: bool,
}

impl Pace {
    pub(super) fn new(rate: NonZeroU32, backlog: u64) -> Self {
        let mut ticks = interval(Duration::from_secs(1) / rate.get());
        // Never two at once to make up for lost time.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            ticks,
            backlog,
            has_told: false,
        }
    }

    /// Waits for the turn of the next replay into `queue`.
    pub(super) async fn turn(
        &mut self,
        broker: &dyn Broker,
        queue: Queue,
    ) -> Result<(), BrokerError> {
        self.ticks.tick().await;
        let began_at = Instant::now();
        loop {
            let waiting = broker.waiting(queue).await?;
            if waiting <= self.backlog {
                return Ok(());
            }
            if !self.has_told && began_at.elapsed() >= TELL_AFTER {
                self.has_told = true;
                tell(&format!(
                    "{waiting} events wait in {}: the replay goes on when workers have taken them (--backlog).",
                    queue.name()
                ));
            }
            sleep(LOOK_EVERY).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use foreshow_contract::Headers;
    use foreshow_engine::Message;
    use foreshow_engine::testing::{MemoryBroker, PausedClock};

    use super::*;

    fn rate(each_second: u32) -> NonZeroU32 {
        NonZeroU32::new(each_second).unwrap()
    }

    fn broker() -> MemoryBroker {
        MemoryBroker::new(Arc::new(PausedClock::start()))
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_go_in_a_second_than_are_meant_to() {
        let (broker, mut pace) = (broker(), Pace::new(rate(50), 0));
        let began_at = Instant::now();
        for _ in 0..=100 {
            pace.turn(&broker, Queue::Deploy).await.unwrap();
        }
        assert_eq!(began_at.elapsed(), Duration::from_secs(2));
    }

    #[tokio::test(start_paused = true)]
    async fn events_that_wait_are_let_pass() {
        let (broker, mut pace) = (broker(), Pace::new(rate(50), 0));
        let event = Message {
            routing_key: "context.updated.acme".to_owned(),
            content_type: None,
            message_type: None,
            headers: Headers::new(),
            body: Vec::new().into(),
        };
        broker.publish_event(event).await.unwrap();
        pace.turn(&broker, Queue::Cleanup).await.unwrap();
        let hour = Duration::from_hours(1);
        let turn = tokio::time::timeout(hour, pace.turn(&broker, Queue::Deploy));
        assert!(turn.await.is_err(), "nobody has taken it");
        let mut deliveries = broker.consume(Queue::Deploy, rate(1)).await.unwrap();
        deliveries.next().await.unwrap();
        pace.turn(&broker, Queue::Deploy).await.unwrap();
        let mut patient = Pace::new(rate(50), 1);
        patient.turn(&broker, Queue::Deploy).await.unwrap();
    }
}
