//! Results: a log with numbered entries, and readers that follow it.
//!
//! Entries are numbered in the order of their commits, for writes are serialized by SQLite's lock. So a reader that has seen
//! up to one number misses nothing by asking for the higher ones, whichever process wrote them.
//! The newest [`KEPT`] are kept; a reader that falls further behind than that loses some, and says so.

use std::{collections::VecDeque, sync::Arc};

use async_trait::async_trait;
use foreshow_contract::{ResultEvent, Timestamp};
use foreshow_engine::{BrokerError, ResultFilter, Results};
use foreshow_sqlite::{
    Database, DatabaseError,
    rusqlite::{Connection, Transaction},
};
use tokio::sync::watch;
use tracing::warn;

use super::{error::unavailable, inner::Inner, schema::integer};

/// Results kept for readers that lag behind.
const KEPT: i64 = 10_000;

/// How many results are added between two removals of what is beyond [`KEPT`].
const PRUNE_EVERY: i64 = 256;

/// Results read at once.
const PAGE: usize = 256;

/// A result on its way into the log.
pub(super) struct Entry {
    id: String,
    routing_key: String,
    key: Option<(String, String)>,
    outcome: &'static str,
    body: Vec<u8>,
}

impl From<&ResultEvent> for Entry {
    fn from(result: &ResultEvent) -> Self {
        Self {
            id: result.id.clone(),
            routing_key: result.routing_key(),
            // Both or none: this is what a filter asks for.
            key: result
                .key()
                .map(|key| (key.tenant.as_str().into(), key.context.as_str().into())),
            outcome: result.outcome().word(),
            body: result.to_json(),
        }
    }
}

/// Adds results, and now and then removes the oldest.
pub(super) fn append(
    tx: &Transaction<'_>,
    entries: &[Entry],
    now: Timestamp,
) -> Result<(), DatabaseError> {
    let mut insert = tx.prepare_cached(
        "INSERT INTO results (id, routing_key, tenant, context, outcome, body, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for entry in entries {
        let (tenant, context) = entry.key.as_ref().map(|(t, c)| (t, c)).unzip();
        insert.execute((
            &entry.id,
            &entry.routing_key,
            tenant,
            context,
            entry.outcome,
            &entry.body,
            now.as_micros(),
        ))?;
        let seq = tx.last_insert_rowid();
        if seq % PRUNE_EVERY == 0 {
            tx.prepare_cached("DELETE FROM results WHERE seq <= ?1")?
                .execute([seq - KEPT])?;
        }
    }
    Ok(())
}

/// The number of the newest result; 0 where there is none.
pub(super) fn newest(connection: &Connection) -> Result<i64, DatabaseError> {
    Ok(connection
        .prepare_cached("SELECT coalesce(max(seq), 0) FROM results")?
        .query_row([], |row| row.get(0))?)
}

/// Follows the log from where it ended when this was made.
pub(super) struct Subscription {
    /// Keeps the lookout running.
    inner: Arc<Inner>,
    filter: ResultFilter,
    rings: watch::Receiver<u64>,
    seen: i64,
    read: VecDeque<ResultEvent>,
}

impl Subscription {
    pub(super) async fn open(inner: Arc<Inner>, filter: ResultFilter) -> Result<Self, BrokerError> {
        let rings = inner.bells.results();
        let seen = inner
            .db
            .read(newest)
            .await
            .map_err(unavailable("subscribe to results"))?;
        Ok(Self {
            inner,
            filter,
            rings,
            seen,
            read: VecDeque::new(),
        })
    }
}

#[async_trait]
impl Results for Subscription {
    async fn next(&mut self) -> Result<ResultEvent, BrokerError> {
        loop {
            if let Some(result) = self.read.pop_front() {
                return Ok(result);
            }
            // Before reading, so that what is added meanwhile rings again.
            self.rings.mark_unchanged();
            let (filter, seen) = (self.filter.clone(), self.seen);
            let page = read_page(&self.inner.db, filter, seen)
                .await
                .map_err(unavailable("read results"))?;
            // Nothing is awaited between here and the return, so a dropped call loses nothing.
            let has_more = page.last > self.seen;
            self.seen = page.last;
            self.read = page.results;
            if !has_more && self.rings.changed().await.is_err() {
                // The bells live as long as `inner`.
                std::future::pending::<()>().await;
            }
        }
    }
}

struct Page {
    results: VecDeque<ResultEvent>,
    /// Everything up to here was looked at.
    last: i64,
}

/// Reads the wanted results after `seen`, up to [`PAGE`].
async fn read_page(db: &Database, filter: ResultFilter, seen: i64) -> Result<Page, DatabaseError> {
    let (rows, last, oldest) = db
        .read(move |connection| -> Result<_, DatabaseError> {
            let newest = newest(connection)?;
            if newest <= seen {
                return Ok((Vec::new(), seen, None));
            }
            let mut wanted = connection.prepare_cached(
                "SELECT seq, body FROM results
                 WHERE seq > ?1 AND seq <= ?2 AND (?3 IS NULL OR tenant = ?3) AND (?4 IS NULL OR context = ?4)
                     AND (?5 IS NULL OR outcome = ?5)
                 ORDER BY seq LIMIT ?6",
            )?;
            let rows: Vec<(i64, Vec<u8>)> = wanted
                .query_map(
                    (
                        seen,
                        newest,
                        filter.tenant.as_ref().map(AsRef::<str>::as_ref),
                        filter.context.as_ref().map(AsRef::<str>::as_ref),
                        filter.outcome.map(foreshow_contract::OutcomeKind::word),
                        integer(PAGE as u64),
                    ),
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )?
                .collect::<Result<_, _>>()?;
            let oldest: Option<i64> = connection
                .prepare_cached("SELECT min(seq) FROM results")?
                .query_row([], |row| row.get(0))?;
            let last = match rows.last() {
                Some((seq, _)) if rows.len() == PAGE => *seq,
                _ => newest,
            };
            Ok((rows, last, oldest))
        })
        .await?;
    if let Some(oldest) = oldest
        && oldest > seen + 1
    {
        warn!(
            "a subscriber lagged {KEPT} results behind and missed {}",
            oldest - seen - 1
        );
    }
    let results = rows
        .into_iter()
        .filter_map(|(seq, body)| decode(seq, &body))
        .collect();
    Ok(Page { results, last })
}

/// A newer version may write results that this one does not know: those are passed over.
fn decode(seq: i64, body: &[u8]) -> Option<ResultEvent> {
    ResultEvent::from_json(body)
        .inspect_err(|error| {
            warn!(
                error = error as &dyn std::error::Error,
                "result {seq} can't be read and is passed over"
            );
        })
        .ok()
}
