//! Writes a second with one, some and many tasks. Prints figures: `cargo bench -p foreshow-sqlite`.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::time::{Duration, Instant};

use foreshow_sqlite::{Database, DatabaseError, Options};

fn main() -> Result<(), DatabaseError> {
    let folder = tempfile::tempdir().expect("a temporary folder can be had");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be had");
    runtime.block_on(async {
        let db = Database::open(&folder.path().join("bench.db"), Options::default()).await?;
        db.migrate(
            "bench",
            &["CREATE TABLE entries (id INTEGER PRIMARY KEY, text TEXT)"],
        )
        .await?;
        for tasks in [1, 16, 256_u32] {
            let before = db.stats();
            let started = Instant::now();
            let writers: Vec<_> = (0..tasks)
                .map(|_| tokio::spawn(insert(db.clone(), started)))
                .collect();
            for writer in writers {
                writer.await.expect("nobody panics")?;
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
        Ok(())
    })
}

async fn insert(db: Database, started: Instant) -> Result<(), DatabaseError> {
    while started.elapsed() < Duration::from_secs(3) {
        db.write(|tx| {
            tx.prepare_cached("INSERT INTO entries (text) VALUES ('some text')")?
                .execute([])?;
            Ok::<_, DatabaseError>(())
        })
        .await?;
    }
    Ok(())
}
