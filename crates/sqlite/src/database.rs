//! The handle that everybody holds.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};

use rusqlite::{Connection, Transaction};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot, watch};

use crate::connection::open_writer;
use crate::error::on_file;
use crate::file::ensure_file;
use crate::job::Write;
use crate::migrations;
use crate::readers::Readers;
use crate::stats::Counters;
use crate::writer::{Message, Writer};
use crate::{Changes, DatabaseError, Options, Stats};

/// Writes that may be queued; more wait in their callers, so a storm's memory is bounded.
const QUEUE: usize = 1024;

/// One SQLite file. Cheap to clone; all clones share one writer and one pool of readers.
///
/// When the last clone (and the last [`Changes`]) is dropped, the writer finishes what is queued and the file is closed, in
/// the background; [`close`](Self::close) waits for that.
#[derive(Clone)]
pub struct Database {
    inner: Arc<Inner>,
}

struct Inner {
    file: Arc<Path>,
    readers: Readers,
    queue: mpsc::Sender<Message>,
    places: Arc<Semaphore>,
    commits: Arc<watch::Sender<u64>>,
    counters: Arc<Counters>,
    writer: JoinHandle<()>,
}

/// How far a [`Database::checkpoint`] came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checkpoint {
    /// The log is empty; the file alone holds everything.
    Complete,
    /// A reader or another process held on to the log for too long. Nothing is lost, the log is copied back later.
    Partial,
}

impl Database {
    /// Opens the file, creating it and its folder where they are missing, for the current tokio runtime.
    ///
    /// # Errors
    ///
    /// [`Folder`](DatabaseError::Folder), [`NotWritable`](DatabaseError::NotWritable),
    /// [`NotADatabase`](DatabaseError::NotADatabase), [`NotShareable`](DatabaseError::NotShareable),
    /// [`Busy`](DatabaseError::Busy) and the like; each message says what to do.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub async fn open(path: &Path, options: Options) -> Result<Self, DatabaseError> {
        let runtime = Handle::current();
        let path = Arc::<Path>::from(path);
        let closed = DatabaseError::Closed {
            file: Arc::clone(&path),
        };
        tokio::task::spawn_blocking(move || Self::open_blocking(&path, options, runtime))
            .await
            .unwrap_or(Err(closed))
    }

    fn open_blocking(
        path: &Path,
        options: Options,
        runtime: Handle,
    ) -> Result<Self, DatabaseError> {
        let file = ensure_file(path)?;
        let connection = open_writer(&file, options.busy_timeout)?;
        let readers = Readers::new(Arc::clone(&file), &options, runtime)?;
        let (queue, messages) = mpsc::channel();
        let commits = Arc::new(watch::Sender::new(0));
        let counters = Arc::new(Counters::default());
        let writer = on_file(&file, || {
            Writer::new(
                connection,
                Arc::clone(&file),
                options,
                messages,
                Arc::clone(&commits),
                Arc::clone(&counters),
            )
        })?;
        let writer = thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| DatabaseError::Thread {
                file: Arc::clone(&file),
                source: Arc::new(error),
            })?;
        let places = Arc::new(Semaphore::new(QUEUE));
        Ok(Self {
            inner: Arc::new(Inner {
                file,
                readers,
                queue,
                places,
                commits,
                counters,
                writer,
            }),
        })
    }

    /// Runs `closure` in a transaction and answers once that is committed and synced to disk.
    ///
    /// The transaction is shared with other writes that wait at the same moment, but each runs in a savepoint of its own: a
    /// closure that returns an error or panics undoes what it did itself and nothing else. Its answer, also a refusal, is
    /// given only after the commit, for it may rest on what another write of the batch did.
    ///
    /// The closure runs on the writer's thread, at most once. Keep it short, don't wait for anything in it (least of all for
    /// this database), and leave `BEGIN`, `COMMIT` and `ROLLBACK` to us. Deferred foreign keys are checked at the shared commit
    /// and would fail the whole batch: declare them immediate, which is SQLite's default.
    ///
    /// Cancel safety: dropping the future does not undo the write. Once it is queued it will run and be committed, unheard;
    /// before that (while the queue is full) it never runs.
    ///
    /// # Errors
    ///
    /// The closure's own, or a [`DatabaseError`] as `E`. No error is answered for a write that an acknowledged one could
    /// have seen; see [`DatabaseError`] for the one case in which a failed write may reappear after a crash.
    pub async fn write<T, E, F>(&self, closure: F) -> Result<T, E>
    where
        F: FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<DatabaseError> + Send + 'static,
    {
        let inner = &self.inner;
        let place = Arc::clone(&inner.places)
            .acquire_owned()
            .await
            .map_err(|_| self.closed())?;
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Write::new(closure, reply, place));
        inner
            .queue
            .send(Message::Write(job))
            .map_err(|_| self.closed())?;
        answer.await.unwrap_or_else(|_| Err(self.closed().into()))
    }

    /// Runs `closure` on a connection that can't write, on the state of one commit, however many statements it runs.
    ///
    /// It runs on a thread that may block, and beside other reads and writes. Keep it short all the same: while it lasts the
    /// log can't be cut back.
    ///
    /// Cancel safety: dropping the future lets the closure finish unheard.
    pub async fn read<T, E, F>(&self, closure: F) -> Result<T, E>
    where
        F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<DatabaseError> + Send + 'static,
    {
        self.inner.readers.read(closure).await
    }

    /// Begins to watch for commits by this process and others.
    pub fn changes(&self) -> Changes {
        let commits = self.inner.commits.subscribe();
        // After subscribing, so that the writer finds somebody watching when it wakes. If it is gone nothing will change.
        drop(self.inner.queue.send(Message::Watch));
        Changes::new(commits, self.clone())
    }

    /// Runs those of `steps` that have not run on this file, once each and all or none, whoever else starts at the same time.
    ///
    /// A step is one or more statements; it can't be edited after its release, only followed by others. `VACUUM` and most
    /// pragmas don't work here, as in any transaction.
    ///
    /// # Errors
    ///
    /// [`NewerSchema`](DatabaseError::NewerSchema) where the file knows more steps of `component` than this program.
    pub async fn migrate(
        &self,
        component: &'static str,
        steps: &[&str],
    ) -> Result<(), DatabaseError> {
        let steps: Vec<Arc<str>> = steps.iter().map(|step| Arc::from(*step)).collect();
        self.write(move |tx| migrations::migrate(tx, component, &steps))
            .await
    }

    /// Copies the log into the file and empties it, for instance before a backup. Runs in turn with the writes.
    pub async fn checkpoint(&self) -> Result<Checkpoint, DatabaseError> {
        let (reply, answer) = oneshot::channel();
        self.inner
            .queue
            .send(Message::Checkpoint(reply))
            .map_err(|_| self.closed())?;
        answer.await.unwrap_or_else(|_| Err(self.closed()))
    }

    /// The file's absolute path.
    pub fn path(&self) -> &Path {
        &self.inner.file
    }

    /// What this process did with the file since it was opened.
    pub fn stats(&self) -> Stats {
        let counters = &self.inner.counters;
        Stats {
            writes: counters.writes.get(),
            commits: counters.commits.get(),
            failed_writes: counters.failed_writes.get(),
            waiting: QUEUE.saturating_sub(self.inner.places.available_permits()) as u64,
        }
    }

    /// Drops this handle and, if it was the last one, waits until what was queued is written and the writer's connection closed.
    pub async fn close(self) {
        let Some(inner) = Arc::into_inner(self.inner) else {
            return;
        };
        let Inner {
            writer,
            queue,
            readers,
            ..
        } = inner;
        drop((queue, readers));
        let joined = tokio::task::spawn_blocking(move || writer.join()).await;
        if !matches!(joined, Ok(Ok(()))) {
            tracing::error!("the writer's thread did not end in order");
        }
    }

    fn closed(&self) -> DatabaseError {
        DatabaseError::Closed {
            file: Arc::clone(&self.inner.file),
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("file", &self.inner.file)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
