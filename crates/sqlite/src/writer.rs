//! The one thread of this process that writes to the file.
//!
//! It sleeps until something is queued, and ends when the last [`Database`](crate::Database) is dropped, after everything
//! queued before has run. While somebody watches for changes it also looks every now and then for commits by other
//! processes, on this connection because here `data_version` moves for others' commits only.
//!
//! Who else races: other processes, for SQLite's write lock. The lock is not fair and can only be polled, so others
//! rarely find it free while this writer goes from batch to batch. After a long streak it therefore stands back for
//! longer than their polling interval ([`Turns`]); that cuts their mean wait to about a third.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::{oneshot, watch};
use tracing::{debug, warn};

use crate::batch::{CommitGate, Desk};
use crate::connection::{RETRY_LOCK_EVERY, is_busy, pause};
use crate::error::on_file;
use crate::job::Job;
use crate::stats::Counters;
use crate::{Checkpoint, DatabaseError, Options};

/// How long a checkpoint may wait for readers, during which nobody can write.
const CHECKPOINT_PATIENCE: Duration = Duration::from_millis(500);

/// How often the log's size is looked at.
const MEASURE_LOG_EVERY: Duration = Duration::from_secs(1);

pub(crate) enum Message {
    Write(Box<dyn Job>),
    /// Somebody began to watch: wake up and poll.
    Watch,
    Checkpoint(oneshot::Sender<Result<Checkpoint, DatabaseError>>),
}

pub(crate) struct Writer {
    connection: Connection,
    gate: CommitGate,
    file: Arc<Path>,
    options: Options,
    queue: Receiver<Message>,
    counters: Arc<Counters>,
    lookout: Lookout,
    turns: Turns,
    log_measured_at: Instant,
}

impl Writer {
    pub(crate) fn new(
        connection: Connection,
        file: Arc<Path>,
        options: Options,
        queue: Receiver<Message>,
        commits: Arc<watch::Sender<u64>>,
        counters: Arc<Counters>,
    ) -> Result<Self, DatabaseError> {
        let wrong =
            |error| DatabaseError::from_sqlite(&file, error).after_waiting(options.busy_timeout);
        let gate = CommitGate::install(&connection).map_err(wrong)?;
        let lookout = Lookout::new(&connection, options.poll_every, commits).map_err(wrong)?;
        // From here on we wait by ourselves: batches for their `BEGIN`, a look for the next look.
        connection.busy_timeout(Duration::ZERO).map_err(wrong)?;
        let now = Instant::now();
        let turns = Turns {
            streak_since: now,
            freed_at: now,
        };
        Ok(Self {
            connection,
            gate,
            file,
            options,
            queue,
            counters,
            lookout,
            turns,
            log_measured_at: now,
        })
    }

    /// Works until the last sender is gone and the queue is empty.
    pub(crate) fn run(mut self) {
        let file = Arc::clone(&self.file);
        on_file(&file, || {
            let mut aside = None;
            while let Some(message) = aside.take().or_else(|| self.next_message()) {
                match message {
                    Message::Write(job) => aside = self.write(job),
                    Message::Watch => {}
                    Message::Checkpoint(reply) => drop(reply.send(self.checkpoint())),
                }
                self.lookout.look_if_due(&self.connection);
            }
        });
    }

    /// The next message, or `None` once nobody can send one. Looks out for others' commits while it waits.
    fn next_message(&mut self) -> Option<Message> {
        loop {
            let Some(wait) = self.lookout.next_look_after() else {
                return self.queue.recv().ok();
            };
            match self.queue.recv_timeout(wait) {
                Ok(message) => return Some(message),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => self.lookout.look_if_due(&self.connection),
            }
        }
    }

    /// Runs a batch that begins with `first`. Answers a message that was met on the way and is not a write.
    fn write(&mut self, first: Box<dyn Job>) -> Option<Message> {
        let mut aside = None;
        let Self {
            connection,
            gate,
            file,
            options,
            queue,
            counters,
            lookout,
            turns,
            ..
        } = self;
        let desk = Desk {
            connection,
            gate,
            file,
            busy_timeout: options.busy_timeout,
        };
        turns.begin();
        let next = || loop {
            match queue.try_recv().ok()? {
                Message::Write(job) => return Some(job),
                Message::Watch => {}
                other @ Message::Checkpoint(_) => {
                    aside = Some(other);
                    return None;
                }
            }
        };
        let commits = Arc::clone(&lookout.commits);
        let settled = |report: crate::batch::Report| {
            counters.writes.add(report.kept);
            counters.failed_writes.add(report.failed);
            counters.commits.add(report.committed.into());
            if report.committed && report.changed {
                commits.send_modify(|count| *count += 1);
            }
        };
        desk.run(first, next, || lookout.look_if_due(connection), settled);
        turns.end();
        self.bound_log();
        aside
    }

    /// Copies the log into the file and empties it, if readers allow it in time.
    fn checkpoint(&self) -> Result<Checkpoint, DatabaseError> {
        let run = || -> rusqlite::Result<i64> {
            self.connection.busy_timeout(CHECKPOINT_PATIENCE)?;
            let busy = self
                .connection
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
            self.connection.busy_timeout(Duration::ZERO)?;
            busy
        };
        match run() {
            Ok(0) => Ok(Checkpoint::Complete),
            Ok(_) => Ok(Checkpoint::Partial),
            Err(error) if is_busy(&error) => Ok(Checkpoint::Partial),
            Err(error) => Err(DatabaseError::from_sqlite(&self.file, error)),
        }
    }

    /// Keeps the log from growing without bound.
    ///
    /// SQLite copies the log back by itself every thousand pages, but starts it anew only at a moment when no reader uses it,
    /// which may never come while reads overlap. Then we insist: new readers wait while the old ones finish.
    fn bound_log(&mut self) {
        if self.log_measured_at.elapsed() < MEASURE_LOG_EVERY {
            return;
        }
        self.log_measured_at = Instant::now();
        let size_bytes = std::fs::metadata(log_of(&self.file)).map_or(0, |found| found.len());
        if size_bytes <= self.options.wal_limit_bytes {
            return;
        }
        match self.checkpoint() {
            Ok(Checkpoint::Complete) => {
                debug!(size_bytes, "cut back the log of {}", self.file.display());
            }
            Ok(Checkpoint::Partial) => {
                warn!(
                    size_bytes,
                    "the log of {} keeps growing: some process reads for long",
                    self.file.display()
                );
            }
            Err(error) => {
                warn!(
                    size_bytes,
                    error = &error as &dyn std::error::Error,
                    "could not cut back the log"
                );
            }
        }
    }
}

fn log_of(file: &Path) -> PathBuf {
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}

/// Looks for commits by other processes and tells the watchers.
struct Lookout {
    every: Duration,
    commits: Arc<watch::Sender<u64>>,
    /// The `data_version` that watchers have been told of. Never set without telling them.
    seen: i64,
    looked_at: Instant,
}

impl Lookout {
    fn new(
        connection: &Connection,
        every: Duration,
        commits: Arc<watch::Sender<u64>>,
    ) -> rusqlite::Result<Self> {
        Ok(Self {
            every,
            commits,
            seen: data_version(connection)?,
            looked_at: Instant::now(),
        })
    }

    /// When to look next; `None` while nobody watches.
    fn next_look_after(&self) -> Option<Duration> {
        (self.commits.receiver_count() > 0)
            .then(|| self.every.saturating_sub(self.looked_at.elapsed()))
    }

    fn look_if_due(&mut self, connection: &Connection) {
        if self.next_look_after().is_none_or(|wait| !wait.is_zero()) {
            return;
        }
        self.looked_at = Instant::now();
        // A failed look (the file is locked for recovery, a read failed) is made up for by the next one.
        if let Ok(version) = data_version(connection)
            && version != self.seen
        {
            self.seen = version;
            self.commits.send_modify(|count| *count += 1);
        }
    }
}

fn data_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("PRAGMA data_version")?
        .query_row([], |row| row.get(0))
}

/// Leaves other processes their turn at the lock.
struct Turns {
    streak_since: Instant,
    freed_at: Instant,
}

impl Turns {
    /// How long to go from batch to batch before standing back.
    const STREAK: Duration = Duration::from_millis(100);

    /// Long enough for a process that polls every [`RETRY_LOCK_EVERY`] to try at least twice.
    const STAND_BACK: Duration = RETRY_LOCK_EVERY.saturating_mul(3);

    fn begin(&mut self) {
        if self.freed_at.elapsed() >= Self::STAND_BACK {
            self.streak_since = Instant::now();
        }
    }

    fn end(&mut self) {
        self.freed_at = Instant::now();
        if self.streak_since.elapsed() >= Self::STREAK {
            pause(Self::STAND_BACK);
        }
    }
}
