use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use foreshow_sqlite::{Database, DatabaseError, Options};
use rusqlite::Connection;

use crate::{Folder, hold_writer, insert, queued, rows, until};

#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("taken")]
    Taken,
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_of_a_hundred_tasks_are_all_stored_with_few_commits() {
    let folder = Folder::new();
    let db = folder.open().await;
    let before = db.stats();
    let release = hold_writer(&db).await;
    let tasks: Vec<_> = (0..100)
        .map(|id| {
            let db = db.clone();
            tokio::spawn(async move { insert(&db, id).await })
        })
        .collect();
    until(|| db.stats().waiting == 101).await;
    drop(release);
    for task in tasks {
        task.await.unwrap().unwrap();
    }

    assert_eq!(rows(&db).await, (0..100).collect::<Vec<_>>());
    let after = db.stats();
    assert_eq!(after.writes - before.writes, 101);
    assert!(
        after.commits - before.commits <= 20,
        "{} commits",
        after.commits - before.commits
    );
}

#[tokio::test]
async fn failing_closure_undoes_only_itself() {
    let folder = Folder::new();
    let db = folder.open().await;
    let release = hold_writer(&db).await;
    let mut tasks = Vec::new();
    for id in 0..10_i64 {
        let db = db.clone();
        let write = async move {
            db.write(move |tx| {
                tx.execute("INSERT INTO rows (id) VALUES (?1)", [id])
                    .map_err(DatabaseError::from)?;
                if id % 3 == 0 {
                    Err(Refusal::Taken)
                } else {
                    Ok(id)
                }
            })
            .await
        };
        tasks.push(tokio::spawn(write));
    }
    until(|| db.stats().waiting == 11).await;
    drop(release);
    let mut kept = Vec::new();
    for task in tasks {
        match task.await.unwrap() {
            Ok(id) => kept.push(id),
            Err(Refusal::Taken) => {}
            Err(Refusal::Database(error)) => panic!("{error}"),
        }
    }
    assert_eq!(kept, [1, 2, 4, 5, 7, 8]);
    assert_eq!(rows(&db).await, kept);
    assert_eq!(db.stats().failed_writes, 4);
}

#[tokio::test]
async fn violated_constraint_is_the_callers_error_and_names_the_file() {
    let folder = Folder::new();
    let db = folder.open().await;
    insert(&db, 1).await.unwrap();
    let error = insert(&db, 1).await.unwrap_err();
    assert!(matches!(error, DatabaseError::Query { .. }), "{error:?}");
    assert!(error.to_string().contains("test.db"), "{error}");
}

#[tokio::test]
async fn panic_is_one_callers_error_and_the_writer_lives_on() {
    let folder = Folder::new();
    let db = folder.open().await;
    let release = hold_writer(&db).await;
    let mate = queued(&db, {
        let db = db.clone();
        async move { insert(&db, 1).await }
    })
    .await;
    let panicking = queued(&db, {
        let db = db.clone();
        async move {
            db.write(|tx| -> Result<(), DatabaseError> {
                tx.execute("INSERT INTO rows (id) VALUES (2)", [])?;
                panic!("of all things");
            })
            .await
        }
    })
    .await;
    drop(release);
    mate.await.unwrap().unwrap();
    let error = panicking.await.unwrap().unwrap_err();
    assert!(
        matches!(&error, DatabaseError::Panicked { message, .. } if message == "of all things"),
        "{error:?}"
    );
    insert(&db, 3).await.unwrap();
    assert_eq!(rows(&db).await, [1, 3]);
}

#[tokio::test]
async fn closure_cannot_end_the_shared_transaction() {
    for ending in [
        "COMMIT",
        "ROLLBACK",
        "ROLLBACK; INSERT INTO rows (id) VALUES (66)",
        "RELEASE one_write",
    ] {
        let folder = Folder::new();
        let db = folder.open().await;
        let release = hold_writer(&db).await;
        let mate = queued(&db, {
            let db = db.clone();
            async move { insert(&db, 1).await }
        })
        .await;
        let rogue = queued(&db, {
            let db = db.clone();
            async move {
                db.write(move |tx| -> Result<(), DatabaseError> {
                    tx.execute("INSERT INTO rows (id) VALUES (2)", [])?;
                    drop(tx.execute_batch(ending));
                    Ok(())
                })
                .await
            }
        })
        .await;
        let later = queued(&db, {
            let db = db.clone();
            async move { insert(&db, 3).await }
        })
        .await;
        drop(release);

        let mate = mate.await.unwrap();
        rogue.await.unwrap().unwrap_err();
        later.await.unwrap().unwrap();
        let stored = rows(&db).await;
        assert_eq!(
            stored.contains(&1),
            mate.is_ok(),
            "{ending}: {stored:?} after {mate:?}"
        );
        assert_eq!(
            stored
                .iter()
                .filter(|id| **id != 1)
                .copied()
                .collect::<Vec<_>>(),
            [3],
            "{ending}"
        );
    }
}

#[tokio::test]
async fn on_a_full_disk_nobody_is_told_of_success_that_was_not_committed() {
    let folder = Folder::new();
    let db = folder.open().await;
    let mut undone_mates = 0;
    let mut expected = Vec::new();
    for round in 0..10_i64 {
        limit_pages(&db, Some(8)).await;
        let release = hold_writer(&db).await;
        let (mate, culprit, careless, later) =
            (round * 10, round * 10 + 1, round * 10 + 2, round * 10 + 4);
        let mate = (
            mate,
            queued(&db, {
                let db = db.clone();
                async move { insert(&db, mate).await }
            })
            .await,
        );
        let culprit = queued(&db, {
            let db = db.clone();
            async move { insert_large(&db, culprit).await }
        })
        .await;
        // Takes no notice of the error and goes on, where SQLite has rolled back and commits each statement by itself.
        let careless_write = queued(&db, {
            let db = db.clone();
            async move {
                db.write(move |tx| -> Result<(), DatabaseError> {
                    drop(tx.execute(
                        "INSERT INTO rows (id, body) VALUES (?1, zeroblob(4000000))",
                        [careless],
                    ));
                    drop(tx.execute("INSERT INTO rows (id) VALUES (?1)", [careless + 1]));
                    Ok(())
                })
                .await
            }
        })
        .await;
        let later = (
            later,
            queued(&db, {
                let db = db.clone();
                async move { insert(&db, later).await }
            })
            .await,
        );
        drop(release);

        let error = culprit.await.unwrap().unwrap_err();
        assert!(matches!(error, DatabaseError::Full { .. }), "{error:?}");
        let error = careless_write.await.unwrap().unwrap_err();
        assert!(matches!(error, DatabaseError::Undone { .. }), "{error:?}");
        for (id, write) in [mate, later] {
            match write.await.unwrap() {
                Ok(()) => expected.push(id),
                Err(DatabaseError::Undone { .. }) => undone_mates += 1,
                Err(error) => panic!("{error:?}"),
            }
        }
        assert_eq!(rows(&db).await, expected);

        limit_pages(&db, None).await;
        insert_large(&db, round * 10 + 9).await.unwrap();
        db.write(move |tx| {
            Ok::<_, DatabaseError>(tx.execute("DELETE FROM rows WHERE id = ?1", [round * 10 + 9])?)
        })
        .await
        .unwrap();
        vacuum(&db).await;
    }
    assert!(
        undone_mates > 0,
        "SQLite never rolled a batch back, so this test shows nothing"
    );
}

/// Stands in for a full disk: `free` more pages than now, or as many as SQLite can.
async fn limit_pages(db: &Database, free: Option<i64>) {
    db.write(move |tx| -> Result<(), DatabaseError> {
        let used: i64 = tx.query_row("PRAGMA page_count", [], |row| row.get(0))?;
        let most = free.map_or(4_294_967_294, |free| used + free);
        tx.query_row(&format!("PRAGMA max_page_count = {most}"), [], |_| Ok(()))?;
        Ok(())
    })
    .await
    .unwrap();
}

/// Gives the pages of deleted rows back, so that the next round meets its limit.
async fn vacuum(db: &Database) {
    let path = db.path().to_owned();
    tokio::task::spawn_blocking(move || {
        Connection::open(path)
            .unwrap()
            .execute_batch("VACUUM")
            .unwrap();
    })
    .await
    .unwrap();
}

async fn insert_large(db: &Database, id: i64) -> Result<(), DatabaseError> {
    db.write(move |tx| {
        tx.execute(
            "INSERT INTO rows (id, body) VALUES (?1, zeroblob(4000000))",
            [id],
        )?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn write_waits_for_another_process_and_then_succeeds() {
    let folder = Folder::new();
    let db = folder.open().await;
    let other = Connection::open(folder.file()).unwrap();
    other
        .execute_batch("BEGIN IMMEDIATE; INSERT INTO rows (id) VALUES (1)")
        .unwrap();
    let write = queued(&db, {
        let db = db.clone();
        async move { insert(&db, 2).await }
    })
    .await;
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert!(!write.is_finished());
    assert_eq!(rows(&db).await, [0_i64; 0], "readers don't wait");
    other.execute_batch("COMMIT").unwrap();
    write.await.unwrap().unwrap();
    assert_eq!(rows(&db).await, [1, 2]);
}

#[tokio::test]
async fn writes_behind_a_stuck_process_fail_together() {
    let folder = Folder::new();
    let busy_timeout = Duration::from_millis(200);
    let db = folder
        .open_with(Options {
            busy_timeout,
            ..Options::default()
        })
        .await;
    let other = Connection::open(folder.file()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let started = Instant::now();
    let writes: Vec<_> = (0..50)
        .map(|id| {
            let db = db.clone();
            tokio::spawn(async move { insert(&db, id).await })
        })
        .collect();
    for write in writes {
        let error = write.await.unwrap().unwrap_err();
        assert!(
            matches!(&error, DatabaseError::Busy { waited, .. } if *waited >= busy_timeout),
            "{error:?}"
        );
        assert!(error.to_string().contains("stayed locked"), "{error}");
    }
    assert!(
        started.elapsed() < busy_timeout * 10,
        "they waited one after another"
    );
    drop(other);
    insert(&db, 1).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn busy_writer_leaves_others_their_turn() {
    let folder = Folder::new();
    let busy = folder.open().await;
    let patient = folder.open().await;
    // Slow writes back to back hold the lock nearly always, as quick ones do on a slow disk.
    let slow = || -> Result<(), DatabaseError> {
        let started = Instant::now();
        while started.elapsed() < Duration::from_millis(20) {
            std::thread::yield_now();
        }
        Ok(())
    };
    let flood: Vec<_> = (0..8)
        .map(|_| {
            let busy = busy.clone();
            tokio::spawn(async move { while busy.write(move |_| slow()).await.is_ok() {} })
        })
        .collect();
    until(|| busy.stats().commits > 5).await;
    let started = Instant::now();
    for id in 0..10 {
        insert(&patient, id).await.unwrap();
    }
    let each = started.elapsed() / 10;
    assert!(each < Duration::from_millis(400), "a write took {each:?}");
    flood.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn write_stands_although_its_future_was_dropped() {
    let folder = Folder::new();
    let db = folder.open().await;
    let release = hold_writer(&db).await;
    for id in 0..10 {
        queued(&db, {
            let db = db.clone();
            async move { insert(&db, id).await }
        })
        .await
        .abort();
    }
    drop(release);
    // The aborted tasks drop their handles some time soon; the last one ends the writer.
    until(|| db.stats().waiting == 0).await;
    db.close().await;
    assert_eq!(
        rows(&folder.open().await).await,
        (0..10).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn close_of_the_last_handle_leaves_one_whole_file() {
    let folder = Folder::new();
    let db = folder.open().await;
    insert(&db, 1).await.unwrap();
    let clone = db.clone();
    clone.close().await;
    insert(&db, 2).await.unwrap();
    db.close().await;
    let log = folder.file().with_extension("db-wal");
    assert!(!log.exists(), "the log was not copied back");
    assert_eq!(rows(&folder.open().await).await, [1, 2]);
}

#[test]
fn handles_may_be_dropped_outside_the_runtime() {
    let folder = Folder::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let db = runtime.block_on(async {
        let db = folder.open().await;
        insert(&db, 1).await.unwrap();
        assert_eq!(rows(&db).await, [1]);
        db
    });
    drop(db);
    let db = runtime.block_on(folder.open());
    runtime.block_on(rows(&db));
    drop(runtime);
    drop(db);
}

#[tokio::test(flavor = "multi_thread")]
async fn log_is_cut_back_although_reads_overlap_without_a_gap() {
    let folder = Folder::new();
    let limit = 8 * 1024 * 1024;
    let db = folder
        .open_with(Options {
            wal_limit_bytes: limit,
            ..Options::default()
        })
        .await;
    let enough = Arc::new(AtomicBool::new(false));
    let _stop = StopAtEnd(Arc::clone(&enough));
    let reading = {
        let (file, enough) = (folder.file(), Arc::clone(&enough));
        tokio::task::spawn_blocking(move || {
            let mut readers = [(); 2].map(|()| Connection::open(&file).unwrap());
            readers[0]
                .execute_batch("BEGIN; SELECT * FROM rows LIMIT 1")
                .unwrap();
            while !enough.load(Ordering::Relaxed) {
                std::thread::park_timeout(Duration::from_millis(10));
                readers[1].busy_timeout(Duration::from_secs(10)).unwrap();
                readers[1]
                    .execute_batch("BEGIN; SELECT * FROM rows LIMIT 1")
                    .unwrap();
                readers[0].execute_batch("COMMIT").unwrap();
                readers.swap(0, 1);
            }
        })
    };
    let log = folder.file().with_extension("db-wal");
    let size = || std::fs::metadata(&log).unwrap().len();
    let write = |id| {
        let db = db.clone();
        async move {
            db.write(move |tx| {
                Ok::<_, DatabaseError>(tx.execute(
                    "INSERT INTO rows (id, body) VALUES (?1, zeroblob(20000))",
                    [id],
                )?)
            })
            .await
            .unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let started = Instant::now();
    let mut id = 0;
    while size() <= limit {
        id += 1;
        write(id).await;
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "SQLite reuses the log, so this test shows nothing"
        );
    }
    while size() > limit / 2 {
        id += 1;
        write(id).await;
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "the log has {} bytes",
            size()
        );
    }
    enough.store(true, Ordering::Relaxed);
    reading.await.unwrap();
}

/// A failed test must not leave its reader running, or the runtime waits for it for ever.
struct StopAtEnd(Arc<AtomicBool>);

impl Drop for StopAtEnd {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
