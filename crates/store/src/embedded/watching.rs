//! Telling those who wait for a context, also of what other processes do.
//!
//! Each context's row counts the changes that concern waiters. A step of this process that adds to the count posts a notice once
//! it is committed. For other processes' steps a task reads the counts of the watched contexts, all in one read, at most
//! every [`SPACING`] and only when the file has changed; so neither unrelated commits nor many waiters cost more than that.
//!
//! No change falls between a waiter's question and its wait. What a claim saw of the count is remembered; whoever finds another
//! count, the task or a later claim, posts. Where it can't be told which of two came first, a notice is posted without need,
//! which the port allows: so also by the first look for a watch since which this process has asked nothing, for a nudge may
//! have come in between.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use foreshow_contract::ContextKey;
use foreshow_engine::{
    Watch,
    notices::{Notice, NoticeBoard},
};
use foreshow_sqlite::{Changes, Database, rusqlite::OptionalExtension};
use tokio::time::{Instant, sleep_until};
use tracing::debug;

use super::{error::StepError, steps::Noticed};

/// The longest that a waiter hears of another process's step late, beside the file's own polling.
const SPACING: Duration = Duration::from_millis(250);

/// The contexts that somebody in this process waits for.
#[derive(Debug, Default)]
pub(super) struct Watching {
    board: NoticeBoard,
    watched: Mutex<HashMap<ContextKey, Watched>>,
}

#[derive(Debug, Default)]
struct Watched {
    watchers: usize,
    /// The count that was seen last; `None` until the first look.
    seen: Option<i64>,
}

impl Watching {
    fn watched(&self) -> MutexGuard<'_, HashMap<ContextKey, Watched>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn watch(self: &Arc<Self>, key: &ContextKey) -> EmbeddedWatch {
        self.watched().entry(key.clone()).or_default().watchers += 1;
        EmbeddedWatch {
            notice: self.board.watch(key),
            watching: Arc::clone(self),
            key: key.clone(),
        }
    }

    /// A step is committed, or a look has found this.
    pub(super) fn note(&self, key: &ContextKey, noticed: Noticed) {
        let mut post = noticed.is_new;
        if let Some(watched) = self.watched().get_mut(key) {
            // Lower than what was seen: an answer that is older than the last look, whose asker missed that look's notice.
            post |= watched.seen.is_some_and(|seen| seen != noticed.notices);
            watched.seen = watched.seen.max(Some(noticed.notices));
        }
        if post {
            self.board.post(key);
        }
    }

    async fn look(&self, db: &Database) -> Result<(), StepError> {
        let keys: Vec<ContextKey> = self.watched().keys().cloned().collect();
        if keys.is_empty() {
            return Ok(());
        }
        let counts = db
            .read(move |connection| -> Result<_, StepError> {
                let mut count = connection.prepare_cached(
                    "SELECT notices FROM contexts WHERE tenant = ?1 AND context = ?2",
                )?;
                keys.into_iter()
                    .map(|key| {
                        let notices = count
                            .query_row((key.tenant.as_str(), key.context.as_str()), |row| {
                                row.get(0)
                            })
                            .optional()?;
                        Ok((key, notices.unwrap_or(0)))
                    })
                    .collect::<Result<Vec<_>, StepError>>()
            })
            .await?;
        for (key, notices) in counts {
            let is_new = self
                .watched()
                .get(&key)
                .is_some_and(|watched| watched.seen.is_none());
            self.note(&key, Noticed { notices, is_new });
        }
        Ok(())
    }
}

/// Runs until its task is aborted. `changes` were there before the first watch.
pub(super) async fn keep(db: Database, watching: Arc<Watching>, mut changes: Changes) {
    let mut looked_at = Instant::now();
    loop {
        changes.changed().await;
        sleep_until(looked_at + SPACING).await;
        looked_at = Instant::now();
        while let Err(error) = watching.look(&db).await {
            debug!(
                error = &error as &dyn std::error::Error,
                "could not look at the watched contexts; trying on"
            );
            tokio::time::sleep(SPACING).await;
        }
    }
}

/// Waits for one context.
pub(super) struct EmbeddedWatch {
    notice: Notice,
    watching: Arc<Watching>,
    key: ContextKey,
}

#[async_trait]
impl Watch for EmbeddedWatch {
    async fn changed(&mut self) {
        self.notice.changed().await;
    }
}

impl Drop for EmbeddedWatch {
    fn drop(&mut self) {
        let mut watched = self.watching.watched();
        if let Some(entry) = watched.get_mut(&self.key) {
            entry.watchers -= 1;
            if entry.watchers == 0 {
                watched.remove(&self.key);
            }
        }
    }
}
