//! Dead letters: what was given up, with all that a replay needs, and the walk through them.
//!
//! A letter is a row beside its payload. A walk holds letters as a consumer holds deliveries: the row names the session and
//! the walk, so a process that dies gives its letters back like its deliveries, through the [reaper](super::reaper). A replay
//! and a drop are one transaction each: no crash doubles a letter here.
//!
//! A walk takes ids a page at a time, and reads one body at a time: ten thousand letters of 8 MiB need the memory of one.

use std::{collections::VecDeque, num::NonZeroU32, sync::Arc, time::Duration};

use async_trait::async_trait;
use foreshow_contract::Timestamp;
use foreshow_engine::{
    Attempts, BrokerError, DeadLetter, DeadLetterReason, DeadLetters, Decided, LetterId, Queue,
};
use foreshow_sqlite::{
    DatabaseError,
    rusqlite::{Connection, Transaction},
};
use tokio::time::sleep;
use tracing::debug;

use super::{
    error::unavailable,
    inner::Inner,
    messages::{attempt, json, payload, read_json, replays},
    session::Session,
};

/// How many letters a walk takes at once.
const PAGE: i64 = 64;

/// How long after giving letters back has failed it is tried again.
const AFTER_FAILURE: Duration = Duration::from_millis(500);

const READ: &str = "read its dead letters";

/// One way through; see the module.
pub(super) struct Walk {
    inner: Arc<Inner>,
    holder: Holder,
    /// The last letter that was taken.
    at: i64,
    /// The last one that was there when the walk began.
    end: i64,
    taken: VecDeque<i64>,
    current: Option<(i64, DeadLetter)>,
    has_ended: bool,
}

/// Whose a letter is. The session's row must be there for as long as it holds anything.
#[derive(Clone)]
struct Holder {
    session: Arc<Session>,
    walk: i64,
}

impl Walk {
    pub(super) async fn begin(inner: Arc<Inner>) -> Result<Self, BrokerError> {
        const BEGIN: &str = "go through its dead letters";
        let session = inner.session().await.map_err(unavailable(BEGIN))?;
        let holder = Holder {
            session,
            walk: inner.next_walk(),
        };
        let newest = |connection: &Connection| -> Result<i64, DatabaseError> {
            let newest = "SELECT coalesce(max(id), 0) FROM dead_letters";
            Ok(connection.query_row(newest, [], |row| row.get(0))?)
        };
        let end = inner.db.read(newest).await.map_err(unavailable(BEGIN))?;
        Ok(Self {
            inner,
            holder,
            at: 0,
            end,
            taken: VecDeque::new(),
            current: None,
            has_ended: false,
        })
    }

    /// Takes the next page of what nobody holds.
    async fn take_page(&mut self) -> Result<(), DatabaseError> {
        let (holder, at, end) = (self.holder.clone(), self.at, self.end);
        let take = move |tx: &Transaction<'_>| -> Result<Vec<i64>, DatabaseError> {
            let mut free = tx.prepare_cached(
                "SELECT id FROM dead_letters WHERE session IS NULL AND id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3",
            )?;
            let ids = free.query_map([at, end, PAGE], |row| row.get(0))?;
            let ids: Vec<i64> = ids.collect::<Result<_, _>>()?;
            if !ids.is_empty() {
                holder.session.ensure_row(tx)?;
            }
            let mut hold =
                tx.prepare_cached("UPDATE dead_letters SET session = ?2, walk = ?3 WHERE id = ?1")?;
            for id in &ids {
                hold.execute((id, holder.session.number, holder.walk))?;
            }
            Ok(ids)
        };
        let ids = self.inner.db.write(take).await?;
        self.at = ids.last().copied().unwrap_or(self.end);
        self.taken.extend(ids);
        Ok(())
    }

    /// Does something with the letter given last, if it is still held. Where that fails it can be tried again.
    async fn decide(
        &mut self,
        operation: &'static str,
        step: impl FnOnce(&Transaction<'_>, i64) -> Result<(), DatabaseError> + Send + 'static,
    ) -> Result<Decided, BrokerError> {
        let Some((id, _)) = &self.current else {
            return Ok(Decided::TakenBack);
        };
        let (id, holder) = (*id, self.holder.clone());
        let decide = move |tx: &Transaction<'_>| -> Result<Decided, DatabaseError> {
            let is_held = tx
                .prepare_cached(
                    "SELECT 1 FROM dead_letters WHERE id = ?1 AND session = ?2 AND walk = ?3",
                )?
                .exists((id, holder.session.number, holder.walk))?;
            if !is_held {
                return Ok(Decided::TakenBack);
            }
            step(tx, id)?;
            tx.prepare_cached("DELETE FROM dead_letters WHERE id = ?1")?
                .execute([id])?;
            Ok(Decided::Done)
        };
        let decided = self.inner.db.write(decide).await;
        let decided = decided.map_err(unavailable(operation))?;
        self.current = None;
        if decided == Decided::TakenBack {
            // So were the others; whoever has none of them leaves them to us.
            self.at = id - 1;
            self.taken.clear();
        }
        Ok(decided)
    }
}

#[async_trait]
impl DeadLetters for Walk {
    async fn next(&mut self) -> Result<Option<DeadLetter>, BrokerError> {
        self.current = None;
        loop {
            let Some(id) = self.taken.pop_front() else {
                if self.at >= self.end {
                    return Ok(None);
                }
                self.take_page().await.map_err(unavailable(READ))?;
                continue;
            };
            let read = self.inner.db.read(move |connection| read(connection, id));
            match read.await {
                Ok(Some(letter)) => {
                    self.current = Some((id, letter.clone()));
                    return Ok(Some(letter));
                }
                Ok(None) => {}
                Err(error) => {
                    self.taken.push_front(id);
                    return Err(unavailable(READ)(error));
                }
            }
        }
    }

    async fn replay(&mut self, attempts: Attempts) -> Result<Decided, BrokerError> {
        let Some((_, letter)) = &self.current else {
            return Ok(Decided::TakenBack);
        };
        let queue = letter.destination().map_err(BrokerError::NotReplayable)?;
        let life = Life::of(letter, attempts, self.inner.clock.now());
        let step = move |tx: &Transaction<'_>, id| life.begin(tx, id, queue);
        let decided = self.decide("replay a dead letter", step).await?;
        if decided == Decided::Done {
            self.inner.bells.ring(queue);
        }
        Ok(decided)
    }

    async fn discard(&mut self) -> Result<Decided, BrokerError> {
        let step = |tx: &Transaction<'_>, id| -> Result<(), DatabaseError> {
            tx.prepare_cached(
                "DELETE FROM payloads WHERE id = (SELECT payload FROM dead_letters WHERE id = ?1)",
            )?
            .execute([id])?;
            Ok(())
        };
        self.decide("drop a dead letter", step).await
    }

    async fn end(mut self: Box<Self>) -> Result<(), BrokerError> {
        let holder = self.holder.clone();
        let left = self.inner.db.write(move |tx| leave(tx, &holder)).await;
        left.map_err(unavailable("take dead letters back"))?;
        self.has_ended = true;
        Ok(())
    }
}

impl Drop for Walk {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        let (inner, holder) = (Arc::clone(&self.inner), self.holder.clone());
        // Behind whatever page was being taken: the writer keeps the order. And until it succeeds: the process lives, so
        // nobody else would give them back.
        self.inner.runtime.spawn(async move {
            loop {
                let holder = holder.clone();
                let Err(error) = inner.db.write(move |tx| leave(tx, &holder)).await else {
                    return;
                };
                debug!(
                    error = &error as &dyn std::error::Error,
                    "could not give dead letters back; trying on"
                );
                sleep(AFTER_FAILURE).await;
            }
        });
    }
}

/// What a replayed message begins with.
struct Life {
    attempt: NonZeroU32,
    history: String,
    replay: u32,
    accepted_at: Timestamp,
    now: Timestamp,
}

impl Life {
    fn of(letter: &DeadLetter, attempts: Attempts, now: Timestamp) -> Self {
        let (attempt, history, accepted_at) = match attempts {
            Attempts::Reset => (NonZeroU32::MIN, "[]".to_owned(), now),
            Attempts::Keep => (letter.attempt, json(&letter.history), letter.accepted_at),
        };
        Self {
            attempt,
            history,
            replay: letter.next_life(),
            accepted_at,
            now,
        }
    }

    /// The letter's payload stays where it is; a message names it again.
    fn begin(&self, tx: &Transaction<'_>, id: i64, queue: Queue) -> Result<(), DatabaseError> {
        tx.prepare_cached(
            "INSERT INTO messages (id, queue, position, attempt, history, replay, accepted_at, redelivered)
             SELECT payload, ?2, ?3, ?4, ?5, ?6, ?7, 1 FROM dead_letters WHERE id = ?1",
        )?
        .execute((
            id,
            queue.name(),
            self.now.as_micros(),
            self.attempt.get(),
            &self.history,
            self.replay,
            self.accepted_at.as_micros(),
        ))?;
        Ok(())
    }
}

/// Gives everything back that a walk holds.
fn leave(tx: &Transaction<'_>, holder: &Holder) -> Result<(), DatabaseError> {
    tx.prepare_cached(
        "UPDATE dead_letters SET session = NULL, walk = NULL WHERE session = ?1 AND walk = ?2",
    )?
    .execute((holder.session.number, holder.walk))?;
    Ok(())
}

/// One letter; none where it is of a queue that only a newer version knows.
fn read(connection: &Connection, id: i64) -> Result<Option<DeadLetter>, DatabaseError> {
    let mut letters = connection.prepare_cached(
        "SELECT queue, attempt, history, code, reason, died_at, replay,
             coalesce(dead_letters.accepted_at, payloads.accepted_at),
             routing_key, content_type, message_type, headers, body
         FROM dead_letters JOIN payloads ON payloads.id = dead_letters.payload
         WHERE dead_letters.id = ?1",
    )?;
    let mut rows = letters.query([id])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let Some(queue) = Queue::from_name(row.get_ref(0)?.as_str().unwrap_or_default()) else {
        return Ok(None);
    };
    let code = row.get(3)?;
    let reason: Option<DeadLetterReason> = read_json(&row.get::<_, String>(4)?, "reason", id);
    Ok(Some(DeadLetter {
        id: LetterId::from(u64::try_from(id).unwrap_or_default()),
        message: payload(row, 8, id)?,
        queue: Some(queue),
        attempt: attempt(row.get(1)?),
        history: read_json(&row.get::<_, String>(2)?, "history", id),
        replay: replays(row.get(6)?),
        accepted_at: Timestamp::from_micros(row.get(7)?),
        reason: Some(reason.unwrap_or(DeadLetterReason {
            code,
            message: String::new(),
            attempts: Vec::new(),
        })),
        died_at: Some(Timestamp::from_micros(row.get(5)?)),
        body_left_out_bytes: None,
    }))
}
