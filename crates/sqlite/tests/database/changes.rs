use std::time::Duration;

use foreshow_sqlite::{Changes, DatabaseError, Options};

use crate::{Folder, insert, queued, rows};

async fn soon(changes: &mut Changes) {
    tokio::time::timeout(Duration::from_secs(10), changes.changed())
        .await
        .expect("nobody told us of the commit");
}

/// Whether `changed` answers without waiting.
async fn now(changes: &mut Changes) -> bool {
    tokio::time::timeout(Duration::ZERO, changes.changed())
        .await
        .is_ok()
}

/// Another process's commits are told by the poll only; with an hour between looks, what wakes us is our own.
fn without_poll() -> Options {
    Options {
        poll_every: Duration::from_hours(1),
        ..Options::default()
    }
}

#[tokio::test]
async fn own_commit_wakes_at_once() {
    let folder = Folder::new();
    let db = folder.open_with(without_poll()).await;
    let mut changes = db.changes();
    let mut watching = changes.clone();
    let waiting = tokio::spawn(async move { soon(&mut watching).await });
    insert(&db, 1).await.unwrap();
    waiting.await.unwrap();
    assert!(
        now(&mut changes).await,
        "told before the write was answered"
    );
}

#[tokio::test]
async fn commit_between_two_calls_resolves_the_next() {
    let folder = Folder::new();
    let db = folder.open_with(without_poll()).await;
    let mut changes = db.changes();
    assert!(!now(&mut changes).await);
    insert(&db, 1).await.unwrap();
    assert!(now(&mut changes).await);
    assert!(!now(&mut changes).await, "told twice");
    insert(&db, 2).await.unwrap();
    insert(&db, 3).await.unwrap();
    assert!(now(&mut changes).await);
    assert!(!now(&mut changes).await);
}

#[tokio::test]
async fn write_that_changed_nothing_wakes_nobody() {
    let folder = Folder::new();
    let db = folder.open_with(without_poll()).await;
    let mut changes = db.changes();
    db.write(|tx| Ok::<_, DatabaseError>(tx.execute("UPDATE rows SET id = 1 WHERE id = 2", [])?))
        .await
        .unwrap();
    db.write(|tx| -> Result<(), DatabaseError> {
        tx.execute("INSERT INTO rows (id) VALUES (1)", [])?;
        tx.execute("INSERT INTO rows (id) VALUES (1)", [])?;
        Ok(())
    })
    .await
    .unwrap_err();
    assert!(!now(&mut changes).await);
    db.write(|tx| Ok::<_, DatabaseError>(tx.execute_batch("CREATE TABLE more (id INTEGER)")?))
        .await
        .unwrap();
    assert!(now(&mut changes).await, "a new table is a change");
}

#[tokio::test]
async fn two_handles_see_and_wake_each_other() {
    let folder = Folder::new();
    let (here, there) = (folder.open().await, folder.open().await);
    let (mut here_changes, mut there_changes) = (here.changes(), there.changes());
    for id in 0..10 {
        insert(&here, id).await.unwrap();
        loop {
            soon(&mut there_changes).await;
            if rows(&there).await.contains(&id) {
                break;
            }
        }
        insert(&there, id + 100).await.unwrap();
        loop {
            soon(&mut here_changes).await;
            if rows(&here).await.contains(&(id + 100)) {
                break;
            }
        }
    }
}

#[tokio::test]
async fn commit_is_told_although_the_writer_waits_for_the_lock() {
    let folder = Folder::new();
    let db = folder.open().await;
    let mut changes = db.changes();
    let other = rusqlite::Connection::open(folder.file()).unwrap();
    other.busy_timeout(Duration::from_secs(10)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let write = queued(&db, {
        let db = db.clone();
        async move { insert(&db, 1).await }
    })
    .await;
    // Commits, and takes the lock again before the writer finds it free.
    other
        .execute_batch("INSERT INTO rows (id) VALUES (2); COMMIT; BEGIN IMMEDIATE")
        .unwrap();
    soon(&mut changes).await;
    other.execute_batch("COMMIT").unwrap();
    write.await.unwrap().unwrap();
}

#[tokio::test]
async fn poll_sleeps_without_watchers_and_wakes_for_a_new_one() {
    let folder = Folder::new();
    let (here, there) = (folder.open().await, folder.open().await);
    drop(here.changes());
    insert(&there, 1).await.unwrap();
    let mut changes = here.changes();
    insert(&there, 2).await.unwrap();
    soon(&mut changes).await;
}
