//! The claims of the crate, tried on real files, and where it matters on real processes.

#![expect(clippy::unwrap_used, reason = "test helpers")]

mod changes;
mod errors;
mod migrations;
mod processes;
mod reads;
mod writes;

use std::path::PathBuf;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use foreshow_sqlite::{Database, DatabaseError, Options};
use tempfile::TempDir;
use tokio::task::JoinHandle;

/// A folder with one file, opened as often as a test wants.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("data").join("test.db")
    }

    async fn open(&self) -> Database {
        self.open_with(Options::default()).await
    }

    /// The file with a table `rows (id)`.
    async fn open_with(&self, options: Options) -> Database {
        let db = Database::open(&self.file(), options).await.unwrap();
        db.migrate(
            "test",
            &["CREATE TABLE rows (id INTEGER PRIMARY KEY, body BLOB) STRICT"],
        )
        .await
        .unwrap();
        db
    }
}

async fn insert(db: &Database, id: i64) -> Result<(), DatabaseError> {
    db.write(move |tx| {
        tx.prepare_cached("INSERT INTO rows (id) VALUES (?1)")?
            .execute([id])?;
        Ok(())
    })
    .await
}

async fn rows(db: &Database) -> Vec<i64> {
    db.read(|connection| -> Result<_, DatabaseError> {
        let mut select = connection.prepare_cached("SELECT id FROM rows ORDER BY id")?;
        Ok(select
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?)
    })
    .await
    .unwrap()
}

/// Keeps the writer busy until the answer is dropped, so that what a test queues meanwhile shares a batch.
async fn hold_writer(db: &Database) -> mpsc::Sender<()> {
    let (release, released) = mpsc::channel();
    let holder = db.clone();
    tokio::spawn(async move {
        holder
            .write(move |_| -> Result<(), DatabaseError> {
                let started = Instant::now();
                released.recv().ok();
                // Longer than a batch may last: what waits behind gets a batch of its own.
                while started.elapsed() < Duration::from_millis(20) {
                    std::thread::yield_now();
                }
                Ok(())
            })
            .await
    });
    until(|| db.stats().waiting == 1).await;
    release
}

/// Starts writes one after another behind a held writer, so that they run in this order.
async fn queued<T: Send + 'static>(
    db: &Database,
    write: impl Future<Output = T> + Send + 'static,
) -> JoinHandle<T> {
    let before = db.stats().waiting;
    let task = tokio::spawn(write);
    until(|| db.stats().waiting > before).await;
    task
}

async fn until(state: impl Fn() -> bool) {
    let waiting = async {
        while !state() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting)
        .await
        .expect("the state was not reached");
}
