//! Group commit: one transaction, and one sync, for all the writes that wait.
//!
//! A batch begins with one write, takes along whatever else is queued by the time it has run, and ends with one `COMMIT`.
//! Nothing is delayed in the hope of company: under load the next batch fills while this one syncs.
//!
//! - Every write runs in a savepoint, so one that fails undoes only itself.
//! - Every write is answered after the commit, also one that failed: its refusal may rest on what a mate wrote.
//! - Some errors (a full disk, a failed read) make SQLite roll back the whole transaction on the spot. `is_autocommit` tells;
//!   then everybody in the batch fails, and writes that had not run yet get a batch of their own. They are not run
//!   again by us, for a closure can run once only.
//! - Nothing but `COMMIT` below can commit: a closure that goes on after such a rollback, or says `COMMIT` itself, is stopped
//!   by a hook that refuses ([`CommitGate`]).
//!
//! Die before the commit and nothing of the batch exists; die between the commit and the answers and all of it does,
//! unanswered.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::DatabaseError;
use crate::connection::{RETRY_LOCK_EVERY, is_busy, pause};
use crate::job::{Fate, Job, Verdict};

/// Most writes in one transaction, which bounds how much one failure of the transaction takes along.
const MOST_WRITES: usize = 256;

/// A batch takes no more writes along after this, which bounds how long other processes and the first caller wait.
const LONGEST: Duration = Duration::from_millis(5);

/// Refuses every commit but the batch's own.
#[derive(Debug)]
pub(crate) struct CommitGate(Arc<AtomicBool>);

impl CommitGate {
    pub(crate) fn install(connection: &Connection) -> rusqlite::Result<Self> {
        let open = Arc::new(AtomicBool::new(false));
        let hook = Arc::clone(&open);
        connection.commit_hook(Some(move || !hook.load(Ordering::Relaxed)))?;
        Ok(Self(open))
    }

    fn commit(&self, tx: Transaction<'_>) -> rusqlite::Result<()> {
        self.0.store(true, Ordering::Relaxed);
        let result = tx.commit();
        self.0.store(false, Ordering::Relaxed);
        result
    }
}

/// How a batch ended; all its callers have been answered.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Report {
    pub(crate) committed: bool,
    /// Rows or tables are not what they were.
    pub(crate) changed: bool,
    pub(crate) kept: u64,
    pub(crate) failed: u64,
}

/// What a batch needs to know of its writer.
pub(crate) struct Desk<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) gate: &'a CommitGate,
    pub(crate) file: &'a Arc<Path>,
    pub(crate) busy_timeout: Duration,
}

impl Desk<'_> {
    /// Runs `first` and what `next` yields in one transaction. `meanwhile` is called now and then during a wait for the lock.
    ///
    /// `settled` is told the report after the commit and before the first answer, so that whoever gets an answer finds it
    /// counted and the watchers told.
    pub(crate) fn run(
        &self,
        first: Box<dyn Job>,
        mut next: impl FnMut() -> Option<Box<dyn Job>>,
        meanwhile: impl FnMut(),
        settled: impl FnOnce(Report),
    ) {
        let tx = match self.begin(first.queued_at(), meanwhile) {
            Ok(tx) => tx,
            Err(error) => {
                settled(Report {
                    failed: 1,
                    ..Report::default()
                });
                return first.settle(Fate::RolledBack(error));
            }
        };
        let started = Instant::now();
        let mut ran = Vec::new();
        let mut report = Report::default();
        let mut upcoming = Some(first);
        while let Some(mut job) = upcoming.take() {
            match self.run_one(&tx, job.as_mut()) {
                Ok(Kept::Nothing) => report.failed += 1,
                Ok(Kept::Reads) => report.kept += 1,
                Ok(Kept::Changes) => {
                    report.kept += 1;
                    report.changed = true;
                }
                Err(error) => {
                    drop(tx);
                    settled(Report {
                        failed: ran.len() as u64 + 1,
                        ..Report::default()
                    });
                    job.settle(Fate::Broken(error));
                    let undone = DatabaseError::Undone {
                        file: Arc::clone(self.file),
                    };
                    return settle_all(ran, &Fate::RolledBack(undone));
                }
            }
            ran.push(job);
            if ran.len() < MOST_WRITES && started.elapsed() < LONGEST {
                upcoming = next();
            }
        }
        match self.gate.commit(tx) {
            Ok(()) => {
                report.committed = true;
                settled(report);
                settle_all(ran, &Fate::Committed);
            }
            Err(error) => {
                settled(Report {
                    failed: ran.len() as u64,
                    ..Report::default()
                });
                settle_all(
                    ran,
                    &Fate::RolledBack(DatabaseError::from_sqlite(self.file, error)),
                );
            }
        }
    }

    /// Takes the write lock, waiting for other processes until `queued_at` plus the busy timeout.
    ///
    /// Always tries at least once, so a write that was queued behind a stuck process fails at once or runs at once.
    fn begin(
        &self,
        queued_at: Instant,
        mut meanwhile: impl FnMut(),
    ) -> Result<Transaction<'_>, DatabaseError> {
        let wrong =
            |error| DatabaseError::from_sqlite(self.file, error).after_waiting(queued_at.elapsed());
        if !self.connection.is_autocommit() {
            // A rollback failed earlier; without another try every later write would fail too.
            self.connection.execute_batch("ROLLBACK").map_err(wrong)?;
        }
        loop {
            match Transaction::new_unchecked(self.connection, TransactionBehavior::Immediate) {
                Ok(tx) => return Ok(tx),
                Err(error) if is_busy(&error) && queued_at.elapsed() < self.busy_timeout => {
                    meanwhile();
                    pause(RETRY_LOCK_EVERY);
                }
                Err(error) => return Err(wrong(error)),
            }
        }
    }

    /// Runs one write in its savepoint. An error means that the whole transaction is lost.
    fn run_one(&self, tx: &Transaction<'_>, job: &mut dyn Job) -> Result<Kept, DatabaseError> {
        let before = fingerprint(tx)?;
        tx.prepare_cached("SAVEPOINT one_write")?.execute([])?;
        let verdict = job.run(tx, self.file);
        if tx.is_autocommit() {
            return Err(DatabaseError::Undone {
                file: Arc::clone(self.file),
            });
        }
        if verdict == Verdict::Undo {
            tx.prepare_cached("ROLLBACK TO one_write")?.execute([])?;
        }
        tx.prepare_cached("RELEASE one_write")?.execute([])?;
        Ok(match verdict {
            Verdict::Undo => Kept::Nothing,
            Verdict::Keep if fingerprint(tx)? == before => Kept::Reads,
            Verdict::Keep => Kept::Changes,
        })
    }
}

/// What a write leaves in the transaction.
enum Kept {
    Nothing,
    /// It only looked. Watchers must not hear of it, or one that looks by a write would wake itself for ever.
    Reads,
    Changes,
}

/// Rows changed so far, and the tables' version, which `total_changes` does not cover.
fn fingerprint(tx: &Transaction<'_>) -> rusqlite::Result<(u64, i64)> {
    let schema = tx
        .prepare_cached("PRAGMA schema_version")?
        .query_row([], |row| row.get(0))?;
    Ok((tx.total_changes(), schema))
}

fn settle_all(jobs: Vec<Box<dyn Job>>, fate: &Fate) {
    for job in jobs {
        job.settle(fate.clone());
    }
}
