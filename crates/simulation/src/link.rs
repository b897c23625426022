//! A worker's calls over the network: a request, what it does when it lands, and its answer.
//!
//! What was sent cannot be recalled. The landing is therefore no part of the calling task: it happens, or not, whatever
//! becomes of the caller, which may be dead, frozen, or no longer interested by then. A call may find its worker dying
//! just before or just after it; its request or its answer may be lost; and it may land long after the caller gave up.

use std::{future::pending, time::Duration};

use tokio::{
    sync::oneshot,
    time::{sleep, sleep_until, timeout},
};

use crate::{
    process::Process,
    stats::Count,
    weather::{Port, Weather},
    world::World,
};

/// A worker's side of the network.
#[derive(Clone)]
pub(crate) struct Link {
    pub(crate) world: World,
    pub(crate) process: Process,
}

/// There was no answer: what was asked may or may not have happened, or may yet happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no answer")]
pub(crate) struct NoAnswer;

/// What becomes of one call.
struct Fate {
    hesitates: Option<Duration>,
    dies_before: bool,
    dies_after: bool,
    request: Duration,
    answer: Duration,
    request_is_lost: bool,
    answer_is_lost: bool,
    /// The caller gives up then.
    patience: Option<Duration>,
    /// The request is lost if its caller is gone before it lands.
    dies_with_caller: bool,
}

impl Link {
    fn fate(&self, port: Port, may_be_late: bool) -> Fate {
        let weather = self.world.weather();
        let Weather {
            crash,
            crashes_left,
            lose_request,
            lose_answer,
            late,
            hesitate,
            ..
        } = *weather;
        let (from, to) = weather.latency(port);
        drop(weather);
        let crash = if crashes_left > 0 { crash } else { 0 };
        let mut dice = self.world.dice();
        let round_trip = dice.u64(crate::world::millis(from)..=crate::world::millis(to));
        let there = dice.u64(0..=round_trip);
        let drawn = dice.u32(0..10_000);
        let mut fate = Fate {
            hesitates: None,
            dies_before: false,
            dies_after: false,
            request: Duration::from_millis(there),
            answer: Duration::from_millis(round_trip - there),
            request_is_lost: false,
            answer_is_lost: false,
            patience: None,
            dies_with_caller: dice.bool(),
        };
        let mut below = 0;
        let mut falls = |rate: u32| {
            let from = below;
            below += rate;
            (from..below).contains(&drawn)
        };
        if falls(crash) {
            if dice.bool() {
                fate.dies_before = true;
            } else {
                fate.dies_after = true;
            }
        } else if falls(lose_request) {
            fate.request_is_lost = true;
        } else if falls(lose_answer) {
            fate.answer_is_lost = true;
        } else if falls(hesitate) {
            fate.hesitates = Some(Duration::from_millis(dice.u64(1..400)));
        } else if may_be_late && falls(late) {
            fate.patience = Some(Duration::from_millis(dice.u64(200..2_000)));
            fate.request = Duration::from_millis(dice.u64(1_000..25_000));
            fate.dies_with_caller = false;
            fate.request_is_lost = dice.u8(0..4) == 0;
        }
        fate
    }

    /// Calls: `landing` is what the request does where it arrives. `starting` is told the moment at which it leaves.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        port: Port,
        may_be_late: bool,
        starting: impl FnOnce() + Send,
        landing: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, NoAnswer> {
        let fate = self.fate(port, may_be_late);
        if fate.dies_before {
            return self.die("as it called").await;
        }
        if let Some(hesitates) = fate.hesitates {
            sleep(hesitates).await;
        }
        starting();
        self.world.stats().count(Count::Calls);
        let (tell, told) = oneshot::channel();
        let world = self.world.clone();
        let flight = world.in_flight();
        tokio::spawn(async move {
            let flight = flight;
            sleep(fate.request).await;
            let stalls_until = world.weather().store_stalls_until;
            if let (Port::Store, Some(until)) = (port, stalls_until) {
                sleep_until(until).await;
            }
            let caller_is_gone = tell.is_closed();
            if fate.request_is_lost || (caller_is_gone && fate.dies_with_caller) {
                world.stats().count(Count::RequestsLost);
                return;
            }
            if caller_is_gone {
                let late = fate.patience.is_some();
                let count = if late {
                    Count::LateLandings
                } else {
                    Count::OrphanLandings
                };
                world.stats().count(count);
            }
            let answer = landing();
            drop(flight);
            sleep(fate.answer).await;
            if fate.answer_is_lost {
                world.stats().count(Count::AnswersLost);
                return;
            }
            // A caller that is gone hears nothing.
            drop(tell.send(answer));
        });
        let answer = match fate.patience {
            Some(patience) => timeout(patience, told).await.map_err(|_| NoAnswer),
            None => Ok(told.await),
        };
        if fate.dies_after {
            return self.die("as it was answered").await;
        }
        answer?.map_err(|_| NoAnswer)
    }

    async fn die<T>(&self, when: &str) -> Result<T, NoAnswer> {
        self.crash(when);
        pending().await
    }

    fn crash(&self, when: &str) {
        let mut weather = self.world.weather();
        weather.crashes_left = weather.crashes_left.saturating_sub(1);
        drop(weather);
        self.world
            .tell(self.process.name(), || format!("crashes {when}"));
        self.process.kill();
    }
}
