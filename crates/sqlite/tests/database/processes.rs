//! Real processes: this test binary starts itself again with a role.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use foreshow_sqlite::DatabaseError;

use crate::{Folder, insert, rows};

const ROLE: &str = "FORESHOW_SQLITE_TEST_FILE";

fn start_child(folder: &Folder) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "processes::child", "--nocapture"])
        .env(ROLE, folder.file())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Not a test but the other process: writes pairs of rows for ever and prints the number of each acknowledged pair.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let Some(file) = std::env::var_os(ROLE) else {
        return;
    };
    let db = foreshow_sqlite::Database::open(file.as_ref(), foreshow_sqlite::Options::default())
        .await
        .unwrap();
    let writers = (0..8_i64).map(|writer| {
        let db = db.clone();
        tokio::spawn(async move {
            for n in 0.. {
                let pair = writer * 1_000_000 + n;
                db.write(move |tx| -> Result<(), DatabaseError> {
                    let mut insert = tx.prepare_cached("INSERT INTO rows (id) VALUES (?1)")?;
                    insert.execute([pair * 2])?;
                    insert.execute([pair * 2 + 1])?;
                    Ok(())
                })
                .await
                .unwrap();
                let mut out = std::io::stdout().lock();
                writeln!(out, "acknowledged {pair}").unwrap();
                out.flush().unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
}

#[tokio::test]
async fn acknowledged_writes_survive_sigkill() {
    for at in [1, 50, 500] {
        let folder = Folder::new();
        folder.open().await.close().await;
        let mut child = start_child(&folder);
        let mut acknowledged = Vec::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            // What was printed before the kill is still in the pipe, and counts.
            if let Some(pair) = line
                .unwrap()
                .strip_prefix("acknowledged ")
                .and_then(|pair| pair.parse::<i64>().ok())
            {
                acknowledged.push(pair);
                if acknowledged.len() == at {
                    child.kill().unwrap();
                }
            }
        }
        child.wait().unwrap();

        let stored = rows(&folder.open().await).await;
        assert!(acknowledged.len() >= at);
        for pair in acknowledged {
            assert!(stored.binary_search(&(pair * 2)).is_ok(), "lost {pair}");
        }
        assert!(
            stored
                .chunks(2)
                .all(|pair| pair[0] % 2 == 0 && pair.get(1) == Some(&(pair[0] + 1))),
            "half a write"
        );
    }
}

#[tokio::test]
async fn another_process_is_noticed_and_does_not_keep_us_from_writing() {
    let folder = Folder::new();
    let db = folder.open().await;
    let mut changes = db.changes();
    let mut child = start_child(&folder);
    // Nobody reads the pipe, so the child stops when it is full; by then it has long been noticed.
    let noticed = async {
        while rows(&db).await.is_empty() {
            changes.changed().await;
        }
    };
    let noticed = tokio::time::timeout(Duration::from_secs(20), noticed).await;
    let written = insert(&db, -1).await;
    child.kill().unwrap();
    child.wait().unwrap();
    noticed.expect("never told of the other process's commits");
    written.unwrap();
    assert!(rows(&db).await.contains(&-1));
}
