//! What was given up, and the way through it.
//!
//! Looking takes a letter out of everybody else's sight, for that is how a queue is read; so a way through the letters is
//! a *walk* that holds what it has come by. Nothing is lost by looking: what the walk leaves alone is given back when it
//! ends, or when its process dies. Two walks at once do no harm: neither sees what the other holds.
//!
//! A replay publishes first and takes the letter away after, so a crash between the two doubles a message and never loses
//! one.

use std::{fmt, num::NonZeroU32, str::FromStr};

use async_trait::async_trait;
use foreshow_contract::{AttemptReport, Timestamp};
use serde::{Serialize, Serializer};

use super::broker::{BrokerError, DeadLetterReason, Message, Queue};

/// A walk through the dead letters that nobody else held when it began: each once, the oldest first. What dies meanwhile is
/// left for the next walk.
///
/// Dropping it gives back what it holds, soon; [`end`](DeadLetters::end) waits until that is done.
#[async_trait]
pub trait DeadLetters: Send {
    /// The next letter; `None` where the walk has come to its end. The one before it, if nothing was decided about it, is
    /// left: still held, and no longer to be decided about.
    ///
    /// Dropping the future loses nothing; a letter may then be given by the next walk only.
    ///
    /// # Errors
    /// The broker could not be asked. Calling again goes on, without giving a letter twice.
    async fn next(&mut self) -> Result<Option<DeadLetter>, BrokerError>;

    /// Publishes the letter given last to the queue it [belongs to](DeadLetter::destination), exactly as it was, in a new
    /// life, and then takes it from among the dead letters.
    ///
    /// # Errors
    /// [`BrokerError::NotReplayable`], or the broker could not be asked: then the letter is still there, and can be decided
    /// about again.
    async fn replay(&mut self, attempts: Attempts) -> Result<Decided, BrokerError>;

    /// Takes the letter given last from among the dead letters, for good.
    async fn discard(&mut self) -> Result<Decided, BrokerError>;

    /// Gives back what is left, and returns once others see it.
    async fn end(self: Box<Self>) -> Result<(), BrokerError>;
}

/// What a replay makes of the attempts that its message had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempts {
    /// It is as if it were new: the first attempt, without history, accepted now.
    Reset,
    /// The attempt that failed last is tried again, and the message is as old as it is.
    Keep,
}

/// Whether a decision came in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a letter that was taken back is still there"]
pub enum Decided {
    /// It is done.
    Done,
    /// The broker took the letter back before, because the connection ended or it was held for too long. Nothing was done,
    /// and the walk comes by the letter again if nobody else does before.
    TakenBack,
}

/// A message that was given up, or that no binding took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Names it among the dead letters, from one walk to the next.
    pub id: LetterId,
    /// The message as it was published.
    pub message: Message,
    /// The queue it came from; none where it never reached one.
    pub queue: Option<Queue>,
    /// Which attempt was the last.
    pub attempt: NonZeroU32,
    /// How the attempts before that went.
    pub history: Vec<AttemptReport>,
    /// How often it was replayed before.
    pub replay: u32,
    /// When the broker first took the message, or about that; for one that was replayed, its last new life.
    pub accepted_at: Timestamp,
    /// Why it was given up; none where the broker put it here.
    pub reason: Option<DeadLetterReason>,
    /// When.
    pub died_at: Option<Timestamp>,
    /// How many bytes the body had, where it was left out because the broker would not take it.
    pub body_left_out_bytes: Option<u64>,
}

impl DeadLetter {
    /// Where a replay publishes it: to the queue that it came from, or to the one that takes its routing key now. An update
    /// goes to the [backlog](Queue::Backlog), which workers read with free slots only: what is live comes first.
    ///
    /// # Errors
    /// Why it can't be replayed.
    pub fn destination(&self) -> Result<Queue, NotReplayable> {
        if let Some(bytes) = self.body_left_out_bytes {
            return Err(NotReplayable::BodyLeftOut { bytes });
        }
        let routing_key = &self.message.routing_key;
        self.queue
            .or_else(|| Queue::for_routing_key(routing_key))
            .map(|queue| match queue {
                Queue::Deploy | Queue::Backlog => Queue::Backlog,
                Queue::Cleanup => Queue::Cleanup,
            })
            .ok_or_else(|| NotReplayable::Unrouted {
                routing_key: routing_key.clone(),
            })
    }

    /// How often its message will have been replayed, after one more: one that never reached a queue has not lived yet.
    pub fn next_life(&self) -> u32 {
        self.replay.saturating_add(u32::from(self.queue.is_some()))
    }
}

/// Why a letter can't be replayed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReplayable {
    /// Its body is not here.
    #[error(
        "its body of {bytes} bytes was left out, because the broker took no message of that size; publish it again from where \
         it came"
    )]
    BodyLeftOut {
        /// How many there were.
        bytes: u64,
    },
    /// It never reached a queue, and would not now.
    #[error(
        "no queue takes the routing key {routing_key:?}; publish it again as context.updated.<tenant>, \
         context.ended.<tenant> or context.touched.<tenant>"
    )]
    Unrouted {
        /// What it was published with.
        routing_key: String,
    },
}

/// The name of a dead letter: one short word.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LetterId(String);

/// The text names no dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected the id of a dead letter: up to 32 of a-z and 0-9, as `foreshow dead-letters list` shows it"
)]
pub struct LetterIdError;

impl LetterId {
    /// The most bytes of one.
    const MAX_BYTES: usize = 32;

    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for LetterId {
    type Err = LetterIdError;

    fn from_str(text: &str) -> Result<Self, LetterIdError> {
        let fits = !text.is_empty() && text.len() <= Self::MAX_BYTES;
        let is_word = text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if fits && is_word {
            Ok(Self(text.to_owned()))
        } else {
            Err(LetterIdError)
        }
    }
}

impl From<u64> for LetterId {
    fn from(number: u64) -> Self {
        Self(number.to_string())
    }
}

impl fmt::Display for LetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Serialize for LetterId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use foreshow_contract::Headers;

    use super::*;

    fn letter(routing_key: &str, queue: Option<Queue>) -> DeadLetter {
        DeadLetter {
            id: LetterId::from(7),
            message: Message {
                routing_key: routing_key.to_owned(),
                content_type: None,
                message_type: None,
                headers: Headers::new(),
                body: Bytes::new(),
            },
            queue,
            attempt: NonZeroU32::MIN,
            history: Vec::new(),
            replay: 0,
            accepted_at: Timestamp::from_micros(1),
            reason: None,
            died_at: None,
            body_left_out_bytes: None,
        }
    }

    #[test]
    fn a_letter_goes_back_where_it_came_from_or_where_its_key_leads() {
        let lived = letter("context.updated.acme", Some(Queue::Cleanup));
        assert_eq!(lived.destination(), Ok(Queue::Cleanup));
        assert_eq!(lived.next_life(), 1);
        let update = letter("context.updated.acme", Some(Queue::Deploy));
        assert_eq!(
            update.destination(),
            Ok(Queue::Backlog),
            "behind what is live"
        );
        let unrouted = letter("context.expired.acme", None);
        assert_eq!(unrouted.destination(), Ok(Queue::Cleanup));
        assert_eq!(unrouted.next_life(), 0, "it has not lived yet");
        let stray = letter("context.renamed.acme", None).destination();
        assert!(stray.unwrap_err().to_string().contains("renamed"));
    }

    #[test]
    fn a_letter_without_its_body_stays() {
        let mut empty = letter("context.updated.acme", Some(Queue::Deploy));
        empty.body_left_out_bytes = Some(20_000_000);
        let refused = empty.destination().unwrap_err();
        assert!(refused.to_string().contains("20000000 bytes"), "{refused}");
    }

    #[test]
    fn an_id_is_one_short_word() {
        for good in ["17", "0a9f3c", &"a".repeat(32)] {
            assert_eq!(good.parse::<LetterId>().unwrap().to_string(), good);
        }
        for bad in ["", "A", "a b", "../x", "ü", "-1", &"a".repeat(33)] {
            assert_eq!(bad.parse::<LetterId>(), Err(LetterIdError), "{bad:?}");
        }
    }
}
