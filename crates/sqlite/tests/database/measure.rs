use std::time::{Duration, Instant};

use foreshow_sqlite::DatabaseError;

use crate::{Folder, insert, rows};

/// `cargo nextest run -p foreshow-sqlite --release --run-ignored only --no-capture`
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, not a claim"]
async fn measure() {
    let folder = Folder::new();
    let db = folder.open().await;
    for tasks in [1, 16, 256_i64] {
        let before = db.stats();
        let started = Instant::now();
        let writers: Vec<_> = (0..tasks)
            .map(|task| {
                let db = db.clone();
                tokio::spawn(async move {
                    let mut n = 0;
                    while started.elapsed() < Duration::from_secs(3) {
                        insert(&db, (tasks * 1000 + task) * 10_000_000 + n)
                            .await
                            .unwrap();
                        n += 1;
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
        let seconds = started.elapsed().as_secs_f64();
        let after = db.stats();
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let per_second = |n: u64| n as f64 / seconds;
        println!(
            "{tasks:>4} tasks: {:>7.0} writes/s in {:>5.0} commits/s",
            per_second(after.writes - before.writes),
            per_second(after.commits - before.commits),
        );
    }
    db.write(|tx| Ok::<_, DatabaseError>(tx.execute("DELETE FROM rows", [])?))
        .await
        .unwrap();
    let started = Instant::now();
    for _ in 0..5000 {
        rows(&db).await;
    }
    println!(
        "one read after another: {:?} each",
        started.elapsed() / 5000
    );
}
