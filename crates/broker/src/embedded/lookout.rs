//! Rings for what nobody in this process does: messages become due, other processes publish.
//!
//! One task per broker handle, from its first consumer or subscription on. It sleeps until the earliest known due time or
//! until the file changes, so an idle process does nothing. A change of the file may be anything (also our own
//! acknowledgements), so it is answered by one cheap read at most every [`SPACING`], and consumers are woken only where there is
//! something for them. Nothing depends on it being quick: what this process publishes or delays itself rings directly.
//!
//! Missing a ring would strand a message until the next change. It can't: the change counter only grows, is subscribed before
//! the first look, and a look that fails is repeated.

use std::{sync::Arc, time::Duration};

use foreshow_contract::Timestamp;
use foreshow_engine::{Clock, Queue};
use foreshow_sqlite::{Database, DatabaseError, rusqlite::Connection};
use tokio::time::{Instant, sleep_until};
use tracing::debug;

use super::bells::Bells;

/// The file is looked at no more often than this because of changes.
const SPACING: Duration = Duration::from_millis(25);

/// How long after a look that failed the next one is tried.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// The longest sleep towards a due time: a wall clock that steps, or a machine that slept, is noticed within it.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// Runs until its task is aborted.
pub(super) async fn keep(db: Database, clock: Arc<dyn Clock>, bells: Arc<Bells>) {
    let mut changes = db.changes();
    let mut newest_result = 0;
    let mut looked_at = Instant::now();
    let mut look_at = Some(looked_at);
    loop {
        let now = clock.now();
        if bells.ring_due(now) {
            look_at = Some(Instant::now());
        }
        let due_in = bells
            .next_due()
            .map(|due| due.saturating_since(now).min(LONGEST_SLEEP));
        tokio::select! {
            biased;
            () = sleep_until(look_at.unwrap_or(looked_at)), if look_at.is_some() => {
                looked_at = Instant::now();
                look_at = match look(&db, &bells, clock.now(), &mut newest_result).await {
                    Ok(()) => None,
                    Err(error) => {
                        debug!(error = &error as &dyn std::error::Error, "could not look for new messages");
                        Some(looked_at + AFTER_FAILURE)
                    }
                };
            }
            () = bells.sooner.notified() => {}
            () = sleep_until(Instant::now() + due_in.unwrap_or_default()), if due_in.is_some() => {}
            () = changes.changed(), if look_at.is_none() => look_at = Some(looked_at + SPACING),
        }
    }
}

/// What a look finds in one queue.
struct Found {
    queue: Queue,
    is_ready: bool,
    next_due: Option<Timestamp>,
}

async fn look(
    db: &Database,
    bells: &Bells,
    now: Timestamp,
    newest_result: &mut i64,
) -> Result<(), DatabaseError> {
    let queues: Vec<Queue> = bells.listened().collect();
    let (found, newest) = db
        .read(move |connection| -> Result<_, DatabaseError> {
            let found = queues
                .into_iter()
                .map(|queue| look_at_queue(connection, queue, now))
                .collect::<Result<Vec<_>, _>>()?;
            Ok((found, super::results::newest(connection)?))
        })
        .await?;
    for Found {
        queue,
        is_ready,
        next_due,
    } in found
    {
        if is_ready {
            bells.ring(queue);
        }
        if let Some(due) = next_due {
            bells.note_due(queue, due);
        }
    }
    if newest != *newest_result {
        *newest_result = newest;
        bells.ring_results();
    }
    Ok(())
}

fn look_at_queue(
    connection: &Connection,
    queue: Queue,
    now: Timestamp,
) -> Result<Found, DatabaseError> {
    let is_ready = connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM messages WHERE queue = ?1 AND session IS NULL AND due_at IS NULL)
                 OR EXISTS (SELECT 1 FROM messages WHERE queue = ?1 AND due_at <= ?2)",
        )?
        .query_row((queue.name(), now.as_micros()), |row| row.get(0))?;
    let next_due: Option<i64> = connection
        .prepare_cached("SELECT min(due_at) FROM messages WHERE queue = ?1 AND due_at > ?2")?
        .query_row((queue.name(), now.as_micros()), |row| row.get(0))?;
    Ok(Found {
        queue,
        is_ready,
        next_due: next_due.map(Timestamp::from_micros),
    })
}
