use foreshow_sqlite::{Database, DatabaseError, Options};

use crate::Folder;

const FIRST: &str = "CREATE TABLE a (id INTEGER PRIMARY KEY) STRICT; INSERT INTO a VALUES (1)";
const SECOND: &str = "INSERT INTO a VALUES (2)";

async fn count(db: &Database) -> i64 {
    db.read(|connection| {
        Ok::<_, DatabaseError>(
            connection.query_row("SELECT count(*) FROM a", [], |row| row.get(0))?,
        )
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_run_once_whoever_starts_at_the_same_time() {
    let folder = Folder::new();
    let starts: Vec<_> = (0..8)
        .map(|_| {
            let file = folder.file();
            tokio::spawn(async move {
                let db = Database::open(&file, Options::default()).await.unwrap();
                db.migrate("a", &[FIRST, SECOND]).await.unwrap();
                count(&db).await
            })
        })
        .collect();
    for start in starts {
        assert_eq!(start.await.unwrap(), 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn new_file_can_be_opened_by_many_at_once() {
    for _ in 0..40 {
        let folder = Folder::new();
        let starts: Vec<_> = (0..8)
            .map(|_| {
                let file = folder.file();
                tokio::spawn(
                    async move { Database::open(&file, Options::default()).await.map(drop) },
                )
            })
            .collect();
        for start in starts {
            start.await.unwrap().unwrap();
        }
    }
}

#[tokio::test]
async fn later_steps_follow_and_components_do_not_mix() {
    let folder = Folder::new();
    let db = folder.open().await;
    db.migrate("a", &[FIRST]).await.unwrap();
    assert_eq!(count(&db).await, 1);
    db.migrate("a", &[FIRST, SECOND]).await.unwrap();
    db.migrate("a", &[FIRST, SECOND]).await.unwrap();
    assert_eq!(count(&db).await, 2);
    db.migrate("b", &["INSERT INTO a VALUES (3)"])
        .await
        .unwrap();
    assert_eq!(count(&db).await, 3);
}

#[tokio::test]
async fn failed_step_leaves_the_old_version() {
    let folder = Folder::new();
    let db = folder.open().await;
    db.migrate("a", &[FIRST]).await.unwrap();
    db.migrate("a", &[FIRST, SECOND, "INSERT INTO nowhere VALUES (1)"])
        .await
        .unwrap_err();
    assert_eq!(count(&db).await, 1);
    db.migrate("a", &[FIRST, SECOND]).await.unwrap();
    assert_eq!(count(&db).await, 2);
}

#[tokio::test]
async fn file_of_a_newer_program_is_left_alone() {
    let folder = Folder::new();
    let db = folder.open().await;
    db.migrate("a", &[FIRST, SECOND]).await.unwrap();
    let error = db.migrate("a", &[FIRST]).await.unwrap_err();
    assert!(
        matches!(
            error,
            DatabaseError::NewerSchema {
                component: "a",
                found: 2,
                known: 1,
                ..
            }
        ),
        "{error:?}"
    );
    assert!(
        error.to_string().contains("upgrade this program"),
        "{error}"
    );
    assert!(error.to_string().contains("test.db"), "{error}");
}
