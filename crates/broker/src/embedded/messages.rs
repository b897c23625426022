//! A message's moves, each one step in one transaction.
//!
//! Ready, delayed and out are states of one row, so a move is one update: a crash leaves the message where it was or where it
//! went, never in both places and never in none. That is more than the port asks of `delay` and `dead_letter` (write the
//! copy, then acknowledge: a crash between the two doubles), because copy and original are the same row.
//!
//! A move names the delivery by session, consumer and tag. Tags are never reused, so the receipt of a delivery that has
//! meanwhile gone to somebody else names no row, and the move does nothing: no ack of another's delivery, no second copy.

use std::{
    collections::HashSet,
    num::NonZeroU32,
    sync::atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use foreshow_contract::Timestamp;
use foreshow_engine::{DeadLetterReason, Delay, Delivery, Message, Queue, Receipt};
use foreshow_sqlite::{
    DatabaseError,
    rusqlite::{OptionalExtension, Row, Transaction},
};
use tracing::warn;

use super::schema::integer;

/// A claim takes no further message once it has so many bytes: the claim runs on the one thread that writes.
const CLAIM_BYTES: usize = 16 << 20;

/// Who a delivery is out with: a consumer of a session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Holder {
    pub(super) session: i64,
    pub(super) consumer: u64,
}

/// Puts a new message at the end of its queue.
pub(super) fn publish(
    tx: &Transaction<'_>,
    queue: Queue,
    message: &Message,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    tx.prepare_cached(
        "INSERT INTO payloads (routing_key, content_type, message_type, headers, body, accepted_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute((
        &message.routing_key,
        &message.content_type,
        &message.message_type,
        json(&message.headers),
        &message.body[..],
        now.as_micros(),
    ))?;
    tx.prepare_cached(
        "INSERT INTO messages (id, queue, position, attempt, history) VALUES (?1, ?2, ?3, 1, '[]')",
    )?
    .execute((tx.last_insert_rowid(), queue.name(), now.as_micros()))?;
    Ok(())
}

/// Takes what is ready, at most `most` messages, oldest first. Fewer than `most` means that there are no more, unless the
/// messages are large.
pub(super) fn claim(
    tx: &Transaction<'_>,
    queue: Queue,
    holder: Holder,
    tags: &AtomicU64,
    most: usize,
    now: Timestamp,
) -> Result<Vec<Delivery>, DatabaseError> {
    tx.prepare_cached("UPDATE messages SET due_at = NULL WHERE queue = ?1 AND due_at <= ?2")?
        .execute((queue.name(), now.as_micros()))?;
    let mut taken = Vec::new();
    {
        let mut ready = tx.prepare_cached(
            "SELECT messages.id, attempt, history, routing_key, content_type, message_type, headers, body,
                 coalesce(messages.accepted_at, payloads.accepted_at), redelivered, replay
             FROM messages CROSS JOIN payloads ON payloads.id = messages.id
             WHERE queue = ?1 AND session IS NULL AND due_at IS NULL
             ORDER BY position, messages.id LIMIT ?2",
        )?;
        let mut rows = ready.query((queue.name(), integer(most as u64)))?;
        let mut bytes = 0;
        while bytes < CLAIM_BYTES
            && let Some(row) = rows.next()?
        {
            let tag = tags.fetch_add(1, Ordering::Relaxed);
            let receipt = Receipt {
                consumer: holder.consumer,
                tag,
            };
            let delivery = delivery(row, queue, receipt)?;
            bytes += delivery.message.body.len();
            taken.push((row.get::<_, i64>(0)?, delivery));
        }
    }
    let mut take = tx.prepare_cached(
        "UPDATE messages SET session = ?2, consumer = ?3, tag = ?4 WHERE id = ?1",
    )?;
    for (id, delivery) in &taken {
        take.execute((
            id,
            holder.session,
            integer(holder.consumer),
            integer(delivery.receipt.tag),
        ))?;
    }
    Ok(taken.into_iter().map(|(_, delivery)| delivery).collect())
}

fn delivery(row: &Row<'_>, queue: Queue, receipt: Receipt) -> Result<Delivery, DatabaseError> {
    let id: i64 = row.get(0)?;
    Ok(Delivery {
        message: payload(row, 3, id)?,
        queue,
        attempt: attempt(row.get(1)?),
        history: read_json(&row.get::<_, String>(2)?, "history", id),
        replay: replays(row.get(10)?),
        accepted_at: Timestamp::from_micros(row.get(8)?),
        redelivered: row.get(9)?,
        receipt,
    })
}

/// Reads a payload from five columns of a row: routing key, content type, message type, headers, body.
pub(super) fn payload(row: &Row<'_>, from: usize, id: i64) -> Result<Message, DatabaseError> {
    Ok(Message {
        routing_key: row.get(from)?,
        content_type: row.get(from + 1)?,
        message_type: row.get(from + 2)?,
        headers: read_json::<foreshow_contract::Headers>(
            &row.get::<_, String>(from + 3)?,
            "headers",
            id,
        ),
        body: Bytes::from(row.get::<_, Vec<u8>>(from + 4)?),
    })
}

pub(super) fn attempt(stored: i64) -> NonZeroU32 {
    u32::try_from(stored)
        .ok()
        .and_then(NonZeroU32::new)
        .unwrap_or(NonZeroU32::MIN)
}

pub(super) fn replays(stored: i64) -> u32 {
    u32::try_from(stored).unwrap_or_default()
}

/// Ends a delivery. Answers whether it was still out with the holder.
pub(super) fn ack(
    tx: &Transaction<'_>,
    session: i64,
    receipt: Receipt,
) -> Result<bool, DatabaseError> {
    let id: Option<i64> = tx
        .prepare_cached(
            "DELETE FROM messages WHERE session = ?1 AND consumer = ?2 AND tag = ?3 RETURNING id",
        )?
        .query_row(
            (session, integer(receipt.consumer), integer(receipt.tag)),
            |row| row.get(0),
        )
        .optional()?;
    if let Some(id) = id {
        tx.prepare_cached("DELETE FROM payloads WHERE id = ?1")?
            .execute([id])?;
    }
    Ok(id.is_some())
}

/// Puts a delivery back where it was.
pub(super) fn requeue(
    tx: &Transaction<'_>,
    session: i64,
    receipt: Receipt,
) -> Result<bool, DatabaseError> {
    let given_back = tx
        .prepare_cached(
            "UPDATE messages SET session = NULL, consumer = NULL, tag = NULL, redelivered = 1
             WHERE session = ?1 AND consumer = ?2 AND tag = ?3",
        )?
        .execute((session, integer(receipt.consumer), integer(receipt.tag)))?;
    Ok(given_back > 0)
}

/// Makes a delivery wait until `due_at`, from when on it stands behind what was ready before.
pub(super) fn delay(
    tx: &Transaction<'_>,
    session: i64,
    delivery: &Delivery,
    delay: &Delay,
    due_at: Timestamp,
) -> Result<bool, DatabaseError> {
    let receipt = delivery.receipt;
    let delayed = tx
        .prepare_cached(
            "UPDATE messages SET session = NULL, consumer = NULL, tag = NULL,
                 due_at = ?4, position = ?4, attempt = ?5, history = ?6, redelivered = redelivered OR ?7, queue = ?8
             WHERE session = ?1 AND consumer = ?2 AND tag = ?3",
        )?
        .execute((
            session,
            integer(receipt.consumer),
            integer(receipt.tag),
            due_at.as_micros(),
            delay.attempt.get(),
            json(&delay.history),
            delivery.redelivered,
            delivery.queue.name(),
        ))?;
    Ok(delayed > 0)
}

/// Puts a delivery at the end of another queue.
pub(super) fn move_to(
    tx: &Transaction<'_>,
    session: i64,
    delivery: &Delivery,
    queue: Queue,
    now: Timestamp,
) -> Result<bool, DatabaseError> {
    let receipt = delivery.receipt;
    let moved = tx
        .prepare_cached(
            "UPDATE messages SET session = NULL, consumer = NULL, tag = NULL,
                 queue = ?4, position = ?5, redelivered = redelivered OR ?6
             WHERE session = ?1 AND consumer = ?2 AND tag = ?3",
        )?
        .execute((
            session,
            integer(receipt.consumer),
            integer(receipt.tag),
            queue.name(),
            now.as_micros(),
            delivery.redelivered,
        ))?;
    Ok(moved > 0)
}

/// Moves a delivery to the dead letters; its payload stays where it is.
pub(super) fn dead_letter(
    tx: &Transaction<'_>,
    session: i64,
    delivery: &Delivery,
    reason: &DeadLetterReason,
    now: Timestamp,
) -> Result<bool, DatabaseError> {
    let receipt = delivery.receipt;
    let moved = tx
        .prepare_cached(
            "INSERT INTO dead_letters (payload, queue, attempt, history, replay, accepted_at, code, reason, died_at)
             SELECT id, ?7, attempt, history, ?8, accepted_at, ?4, ?5, ?6 FROM messages
             WHERE session = ?1 AND consumer = ?2 AND tag = ?3",
        )?
        .execute((
            session,
            integer(receipt.consumer),
            integer(receipt.tag),
            &reason.code,
            json(reason),
            now.as_micros(),
            delivery.queue.name(),
            delivery.replay,
        ))?;
    tx.prepare_cached("DELETE FROM messages WHERE session = ?1 AND consumer = ?2 AND tag = ?3")?
        .execute((session, integer(receipt.consumer), integer(receipt.tag)))?;
    Ok(moved > 0)
}

/// Gives everything back that is out with a consumer, and strikes the consumer off.
pub(super) fn leave(tx: &Transaction<'_>, holder: Holder) -> Result<usize, DatabaseError> {
    leave_all_but(tx, holder, &HashSet::new())
}

/// Like [`leave`], but the deliveries with these tags stay out.
pub(super) fn leave_all_but(
    tx: &Transaction<'_>,
    holder: Holder,
    kept: &HashSet<u64>,
) -> Result<usize, DatabaseError> {
    let (session, consumer) = (holder.session, integer(holder.consumer));
    tx.prepare_cached("DELETE FROM consumers WHERE session = ?1 AND consumer = ?2")?
        .execute((session, consumer))?;
    Ok(tx
        .prepare_cached(
            "UPDATE messages SET session = NULL, consumer = NULL, tag = NULL, redelivered = 1
             WHERE session = ?1 AND consumer = ?2 AND tag NOT IN (SELECT value FROM json_each(?3))",
        )?
        .execute((session, consumer, json(kept)))?)
}

pub(super) fn json<T: serde::Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("strings, numbers and lists are always JSON")
}

/// Reads what [`json`] wrote. What can't be read is left out and told: an error here would come back with every claim, and
/// no message behind this one would ever be delivered.
pub(super) fn read_json<T: serde::de::DeserializeOwned + Default>(
    text: &str,
    what: &str,
    id: i64,
) -> T {
    serde_json::from_str(text).unwrap_or_else(|error| {
        warn!(
            error = &error as &dyn std::error::Error,
            "the {what} of message {id} can't be read and is left out"
        );
        T::default()
    })
}
