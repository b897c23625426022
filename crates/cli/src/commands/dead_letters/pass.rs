//! One walk through the dead letters, on behalf of a command.
//!
//! Ctrl-C is heard between two letters: the one that is being decided about is brought to its end, then the walk gives back
//! what it holds. A broker that is away for a moment is waited for; the walk goes on where it was.

use std::collections::BTreeSet;
use std::time::Duration;

use foreshow_contract::Timestamp;
use foreshow_engine::{Attempts, BrokerError, DeadLetters, Decided, LetterId};
use tokio::time::sleep;

use super::filter::{Filter, Selection};
use super::seen::Seen;
use crate::failure::{Exit, Failure, OrFail as _};
use crate::interrupt::Interrupts;
use crate::terminal::tell;
use crate::wiring::Client;

/// How often a broker that does not answer is asked again, and how long after.
const TRIES: u32 = 15;
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Which letters a pass gives.
pub(super) enum Wanted {
    Matching(Filter),
    These(BTreeSet<LetterId>),
}

impl From<&Selection> for Wanted {
    fn from(selection: &Selection) -> Self {
        if selection.is_by_id() {
            Self::These(selection.ids.iter().cloned().collect())
        } else {
            Self::Matching(selection.filter.clone())
        }
    }
}

/// The walk, and who may stop it.
pub(super) struct Pass {
    walk: Box<dyn DeadLetters>,
    wanted: Wanted,
    now: Timestamp,
    interrupts: Interrupts,
    pub(super) is_interrupted: bool,
}

impl Pass {
    pub(super) async fn begin(client: &Client, wanted: Wanted) -> Result<Self, Failure> {
        let interrupts = Interrupts::listen()?;
        let walk = client.backends.broker.dead_letters().await;
        Ok(Self {
            walk: walk.or_fail(Exit::Environment)?,
            wanted,
            now: client.backends.clock.now(),
            interrupts,
            is_interrupted: false,
        })
    }

    /// The next letter that is wanted; `None` at the end, also where somebody asked to stop.
    pub(super) async fn next(&mut self) -> Result<Option<Seen>, Failure> {
        while !self.is_interrupted {
            if matches!(&self.wanted, Wanted::These(ids) if ids.is_empty()) {
                break;
            }
            let walk = &mut self.walk;
            let letter = tokio::select! {
                biased;
                () = self.interrupts.next() => {
                    self.is_interrupted = true;
                    break;
                }
                letter = patiently(async || walk.next().await) => letter?,
            };
            let Some(letter) = letter else {
                break;
            };
            // By its id first: to read an event of 8 MiB takes its time.
            if let Wanted::These(ids) = &mut self.wanted {
                if ids.remove(&letter.id) {
                    return Ok(Some(Seen::read(letter)));
                }
                continue;
            }
            let seen = Seen::read(letter);
            if matches!(&self.wanted, Wanted::Matching(filter) if filter.takes(&seen, self.now)) {
                return Ok(Some(seen));
            }
        }
        Ok(None)
    }

    /// Waits, unless somebody asks to stop; answers whether to go on.
    pub(super) async fn wait(
        &mut self,
        until: impl AsyncFnMut() -> Result<(), BrokerError>,
    ) -> Result<bool, Failure> {
        tokio::select! {
            biased;
            () = self.interrupts.next() => self.is_interrupted = true,
            came = patiently(until) => came?,
        }
        Ok(!self.is_interrupted)
    }

    /// Replays the letter given last. Where the broker took it back meanwhile, it comes again.
    pub(super) async fn replay(
        &mut self,
        id: &LetterId,
        attempts: Attempts,
    ) -> Result<Decided, Failure> {
        let walk = &mut self.walk;
        let decided = patiently(async || walk.replay(attempts).await).await?;
        Ok(self.again(id, decided))
    }

    /// Drops it.
    pub(super) async fn discard(&mut self, id: &LetterId) -> Result<Decided, Failure> {
        let walk = &mut self.walk;
        let decided = patiently(async || walk.discard().await).await?;
        Ok(self.again(id, decided))
    }

    /// A letter that comes again is wanted again.
    fn again(&mut self, id: &LetterId, decided: Decided) -> Decided {
        if let (Decided::TakenBack, Wanted::These(ids)) = (decided, &mut self.wanted) {
            ids.insert(id.clone());
        }
        decided
    }

    /// Gives back what is left; answers the ids that were asked for and not found, and whether somebody asked to stop.
    pub(super) async fn end(self) -> Ended {
        if let Err(error) = self.walk.end().await {
            // What was done is done, and that is what has to be told.
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the broker was not heard to take back what is left; it does so as this command ends"
            );
        }
        let missing = match self.wanted {
            // After Ctrl-C nobody knows.
            Wanted::These(ids) if !self.is_interrupted => ids.into_iter().collect(),
            Wanted::These(_) | Wanted::Matching(_) => Vec::new(),
        };
        Ended {
            missing,
            is_interrupted: self.is_interrupted,
        }
    }
}

/// How a pass ended.
pub(super) struct Ended {
    pub(super) missing: Vec<LetterId>,
    pub(super) is_interrupted: bool,
}

impl Ended {
    /// Says which ids were not found.
    pub(super) fn tell_missing(&self) {
        for id in &self.missing {
            tell(&missing(id));
        }
    }
}

pub(super) fn missing(id: &LetterId) -> String {
    format!(
        "There is no dead letter {id}: it was replayed or dropped, or another command holds it until it ends. \
         `foreshow dead-letters list` shows what is there."
    )
}

/// Asks again where the broker does not answer.
async fn patiently<T>(mut ask: impl AsyncFnMut() -> Result<T, BrokerError>) -> Result<T, Failure> {
    let mut tries = 1;
    loop {
        match ask().await {
            Err(BrokerError::Unavailable { .. }) if tries < TRIES => {
                if tries == 1 {
                    tell("The broker does not answer; waiting for it.");
                }
                tries += 1;
                sleep(AGAIN_AFTER).await;
            }
            answered => return answered.or_fail(Exit::Environment),
        }
    }
}
