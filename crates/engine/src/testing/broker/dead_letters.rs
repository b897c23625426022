//! The dead letters of the broker in memory: kept in the order of their deaths, each held by one walk at most.

use std::{collections::VecDeque, num::NonZeroU32};

use async_trait::async_trait;

use super::{MemoryBroker, State, Waiting};
use crate::{Attempts, BrokerError, DeadLetter, DeadLetters, Decided, LetterId};

/// A letter, and the walk that holds it.
pub(super) struct Kept {
    pub(super) letter: DeadLetter,
    held_by: Option<u64>,
}

impl Kept {
    pub(super) fn new(letter: DeadLetter) -> Self {
        Self {
            letter,
            held_by: None,
        }
    }
}

/// One way through.
pub(super) struct Walk {
    broker: MemoryBroker,
    id: u64,
    to_come: VecDeque<LetterId>,
    current: Option<DeadLetter>,
}

impl Walk {
    pub(super) fn begin(broker: &MemoryBroker) -> Result<Self, BrokerError> {
        let mut state = broker.ask("go through its dead letters")?;
        state.next += 1;
        let free = state.dead_letters.iter().filter(|it| it.held_by.is_none());
        Ok(Self {
            to_come: free.map(|kept| kept.letter.id.clone()).collect(),
            broker: broker.clone(),
            id: state.next,
            current: None,
        })
    }

    /// Takes the letter given last away.
    fn take(&mut self, operation: &'static str) -> Result<Option<Taken<'_>>, BrokerError> {
        let mut state = self.broker.ask(operation)?;
        let Some(letter) = self.current.take() else {
            return Ok(None);
        };
        let at = state
            .dead_letters
            .iter()
            .position(|kept| kept.letter.id == letter.id);
        Ok(at.map(|at| {
            state.dead_letters.remove(at);
            (state, letter)
        }))
    }
}

type Taken<'a> = (std::sync::MutexGuard<'a, State>, DeadLetter);

#[async_trait]
impl DeadLetters for Walk {
    async fn next(&mut self) -> Result<Option<DeadLetter>, BrokerError> {
        let mut state = self.broker.ask("read its dead letters")?;
        self.current = None;
        while let Some(id) = self.to_come.pop_front() {
            let mut letters = state.dead_letters.iter_mut();
            let free = letters.find(|kept| kept.letter.id == id && kept.held_by.is_none());
            if let Some(kept) = free {
                kept.held_by = Some(self.id);
                self.current = Some(kept.letter.clone());
                break;
            }
        }
        Ok(self.current.clone())
    }

    async fn replay(&mut self, attempts: Attempts) -> Result<Decided, BrokerError> {
        let destination = self.current.as_ref().map(DeadLetter::destination);
        let Some(queue) = destination
            .transpose()
            .map_err(BrokerError::NotReplayable)?
        else {
            return Ok(Decided::TakenBack);
        };
        let now = self.broker.shared.clock.now();
        let Some((mut state, letter)) = self.take("replay a dead letter")? else {
            return Ok(Decided::TakenBack);
        };
        let replay = letter.next_life();
        let waiting = match attempts {
            Attempts::Reset => Waiting {
                message: letter.message,
                attempt: NonZeroU32::MIN,
                history: Vec::new(),
                replay,
                accepted_at: now,
                redelivered: true,
            },
            Attempts::Keep => Waiting {
                message: letter.message,
                attempt: letter.attempt,
                history: letter.history,
                replay,
                accepted_at: letter.accepted_at,
                redelivered: true,
            },
        };
        state.ready.entry(queue).or_default().push_back(waiting);
        drop(state);
        self.broker.shared.arrived.notify_waiters();
        Ok(Decided::Done)
    }

    async fn discard(&mut self) -> Result<Decided, BrokerError> {
        let taken = self.take("drop a dead letter")?;
        Ok(taken.map_or(Decided::TakenBack, |_| Decided::Done))
    }

    async fn end(self: Box<Self>) -> Result<(), BrokerError> {
        Ok(())
    }
}

impl Drop for Walk {
    fn drop(&mut self) {
        for kept in &mut self.broker.lock().dead_letters {
            if kept.held_by == Some(self.id) {
                kept.held_by = None;
            }
        }
    }
}
