//! Dead letters: what was given up, with all that a replay needs.

use std::num::NonZeroU32;

use foreshow_contract::{AttemptReport, Timestamp};
use foreshow_engine::{DeadLetterReason, Message, Queue};
use foreshow_sqlite::{DatabaseError, rusqlite::Connection};

use super::{
    messages::{attempt, payload, read_json},
    schema::integer,
};

/// A message that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its number among the dead letters; never given twice.
    pub id: i64,
    /// The message as it was published.
    pub message: Message,
    /// The queue it came from.
    pub queue: Queue,
    /// Which attempt was the last.
    pub attempt: NonZeroU32,
    /// How the attempts before that went.
    pub history: Vec<AttemptReport>,
    /// When the broker first took the message.
    pub accepted_at: Timestamp,
    /// Why it was given up.
    pub reason: DeadLetterReason,
    /// When.
    pub died_at: Timestamp,
}

/// The newest dead letters.
pub(super) fn newest(
    connection: &Connection,
    limit: u32,
) -> Result<Vec<DeadLetter>, DatabaseError> {
    let mut letters = connection.prepare_cached(
        "SELECT dead_letters.id, queue, attempt, history, code, reason, died_at, accepted_at,
             routing_key, content_type, message_type, headers, body
         FROM dead_letters JOIN payloads ON payloads.id = dead_letters.payload
         ORDER BY dead_letters.id DESC LIMIT ?1",
    )?;
    let mut rows = letters.query([integer(limit.into())])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let id = row.get(0)?;
        let Some(queue) = Queue::from_name(row.get_ref(1)?.as_str().unwrap_or_default()) else {
            // Of a newer version, which had more queues.
            continue;
        };
        let reason: Option<DeadLetterReason> = read_json(&row.get::<_, String>(5)?, "reason", id);
        let code = row.get(4)?;
        found.push(DeadLetter {
            id,
            message: payload(row, 8, id)?,
            queue,
            attempt: attempt(row.get(2)?),
            history: read_json(&row.get::<_, String>(3)?, "history", id),
            accepted_at: Timestamp::from_micros(row.get(7)?),
            reason: reason.unwrap_or(DeadLetterReason {
                code,
                message: String::new(),
                attempts: Vec::new(),
            }),
            died_at: Timestamp::from_micros(row.get(6)?),
        });
    }
    Ok(found)
}
