use std::num::NonZeroUsize;

use foreshow_sqlite::{Checkpoint, DatabaseError, Options};

use crate::{Folder, insert, rows};

#[tokio::test]
async fn statements_of_one_read_see_one_commit() {
    let folder = Folder::new();
    let db = folder.open().await;
    let (first_done, wait_for_first) = tokio::sync::oneshot::channel();
    let (go_on, wait_to_go_on) = std::sync::mpsc::channel::<()>();
    let reader = db.clone();
    let read = tokio::spawn(async move {
        reader
            .read(move |connection| -> Result<_, DatabaseError> {
                let count = || {
                    connection
                        .query_row("SELECT count(*) FROM rows", [], |row| row.get::<_, i64>(0))
                };
                let before = count()?;
                first_done.send(()).ok();
                wait_to_go_on.recv().ok();
                Ok((before, count()?))
            })
            .await
    });
    wait_for_first.await.unwrap();
    insert(&db, 1).await.unwrap();
    drop(go_on);
    assert_eq!(read.await.unwrap().unwrap(), (0, 0));
    assert_eq!(rows(&db).await, [1]);
}

#[tokio::test]
async fn read_cannot_write() {
    let folder = Folder::new();
    let db = folder.open().await;
    let error = db
        .read(|connection| {
            Ok::<_, DatabaseError>(connection.execute("INSERT INTO rows (id) VALUES (1)", [])?)
        })
        .await
        .unwrap_err();
    assert!(
        matches!(error, DatabaseError::NotWritable { .. }),
        "{error:?}"
    );
    assert!(rows(&db).await.is_empty());
}

#[tokio::test]
async fn panic_in_a_read_is_one_callers_error() {
    let folder = Folder::new();
    let db = folder
        .open_with(Options {
            readers: NonZeroUsize::MIN,
            ..Options::default()
        })
        .await;
    let error = db
        .read(|_| -> Result<(), DatabaseError> { panic!("oh") })
        .await
        .unwrap_err();
    assert!(
        matches!(&error, DatabaseError::Panicked { message, .. } if message == "oh"),
        "{error:?}"
    );
    assert!(rows(&db).await.is_empty());
}

#[tokio::test]
async fn dropped_read_gives_its_connection_back() {
    let folder = Folder::new();
    let db = folder
        .open_with(Options {
            readers: NonZeroUsize::MIN,
            ..Options::default()
        })
        .await;
    for _ in 0..20 {
        let reader = db.clone();
        let read = tokio::spawn(async move { rows(&reader).await });
        tokio::task::yield_now().await;
        read.abort();
    }
    assert!(rows(&db).await.is_empty());
}

#[tokio::test]
async fn checkpoint_empties_the_log_unless_somebody_reads() {
    let folder = Folder::new();
    let db = folder.open().await;
    insert(&db, 1).await.unwrap();
    assert_eq!(db.checkpoint().await.unwrap(), Checkpoint::Complete);
    let log = folder.file().with_extension("db-wal");
    assert_eq!(std::fs::metadata(&log).unwrap().len(), 0);

    let reader = rusqlite::Connection::open(folder.file()).unwrap();
    reader.execute_batch("BEGIN; SELECT * FROM rows").unwrap();
    insert(&db, 2).await.unwrap();
    assert_eq!(db.checkpoint().await.unwrap(), Checkpoint::Partial);
    drop(reader);
    assert_eq!(rows(&db).await, [1, 2]);
}
