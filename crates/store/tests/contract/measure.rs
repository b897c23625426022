//! Not a claim but a measurement: `cargo nextest run --release -p foreshow-store --run-ignored only --no-capture`.

use std::time::Instant;

use crate::support::{Folder, HandClock, ask, grant, key, make_live, up};

fn rate(steps: u64, since: Instant) -> u128 {
    u128::from(steps) * 1_000_000 / since.elapsed().as_micros()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn steps_per_second() {
    let folder = Folder::new(HandClock::new());
    let store = folder.open().await;
    let started = Instant::now();
    let tasks: Vec<_> = (0..128)
        .map(|task| {
            let store = store.clone();
            tokio::spawn(async move {
                for number in 0..50 {
                    let expires_at = foreshow_contract::Timestamp::MAX;
                    make_live(&store, &key(&format!("c{task}")), number, expires_at).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    println!("claimed, live and settled {}/s", rate(128 * 50, started));

    let (_lease, _) = grant(&store, &key("storm"), up(1_000_000)).await;
    let started = Instant::now();
    let tasks: Vec<_> = (0..128)
        .map(|task| {
            let store = store.clone();
            tokio::spawn(async move {
                for number in 0..200 {
                    ask(&store, &key("storm"), up(task * 200 + number)).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    println!("told superseded {}/s", rate(128 * 200, started));
}
