//! A real process that dies: this test binary starts itself again with a role.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use foreshow_engine::{Broker, Queue};

use crate::support::{Folder, count, next, open, soon, text, update};

const ROLE: &str = "FORESHOW_BROKER_TEST_FOLDER";

fn start_child(folder: &Folder) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "processes::child", "--nocapture"])
        .env(ROLE, folder.file().parent().unwrap())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// How many deliveries the other process keeps before it goes quiet.
const KEPT: usize = 12;
/// How many it may have at once.
const AT_ONCE: u32 = 20;

/// Not a test but the other process: takes deliveries, acknowledges every third one, and keeps the others. With [`KEPT`] of
/// them it stops and waits to be killed, so that nothing is acknowledged which it could not tell.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let Some(dir) = std::env::var_os(ROLE) else {
        return;
    };
    let dir = Path::new(&dir);
    let file = dir.join("queues.db");
    let db = foreshow_sqlite::Database::open(&file, foreshow_sqlite::Options::default());
    let broker = open(db.await.unwrap(), dir.join("sessions")).await;
    let mut deliveries = broker.consume(Queue::Deploy, count(AT_ONCE)).await.unwrap();
    let mut kept = 0;
    for n in 0.. {
        if kept == KEPT {
            std::future::pending::<()>().await;
        }
        let delivery = deliveries.next().await.unwrap();
        let told = if n % 3 == 0 {
            broker.ack(&delivery.receipt).await.unwrap();
            format!("done {}", text(&delivery))
        } else {
            kept += 1;
            format!("took {}", text(&delivery))
        };
        let mut out = std::io::stdout().lock();
        writeln!(out, "{told}").unwrap();
        out.flush().unwrap();
    }
}

/// Publishes 30, lets a child take some, kills it, and answers what it had acknowledged.
fn run_and_kill(folder: &Folder) -> Vec<String> {
    let mut child = start_child(folder);
    let mut done = Vec::new();
    let mut taken = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if let Some(name) = line.strip_prefix("done ") {
            done.push(name.to_owned());
        }
        taken += usize::from(line.starts_with("took "));
        if taken == KEPT {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(!done.is_empty());
    done
}

async fn publish(folder: &Folder) {
    let broker = folder.open().await;
    for n in 0..30 {
        broker.publish_event(update(&n.to_string())).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_process_held_is_delivered_when_it_is_started_again() {
    let folder = Folder::new();
    publish(&folder).await;
    let done = run_and_kill(&folder);
    let broker = folder.open().await;
    let depth = broker.depth(Queue::Deploy).await.unwrap();
    assert_eq!(
        (depth.ready, depth.out),
        (30 - done.len() as u64, 0),
        "given back at once"
    );
    let mut deliveries = broker.consume(Queue::Deploy, count(40)).await.unwrap();
    let mut last = None;
    for _ in 0..30 - done.len() {
        let delivery = next(&mut deliveries).await;
        let number: u32 = text(&delivery).parse().unwrap();
        assert!(
            !done.contains(&number.to_string()),
            "an acknowledged one came again"
        );
        assert!(last.is_none_or(|last| last < number), "out of order");
        last = Some(number);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_process_held_is_delivered_to_one_that_lives() {
    let folder = Folder::new();
    publish(&folder).await;
    // Opened before, so that nothing is given back by the opening.
    let broker = folder.open().await;
    let done = tokio::task::block_in_place(|| run_and_kill(&folder));
    let mut deliveries = broker.consume(Queue::Deploy, count(40)).await.unwrap();
    for _ in 0..30 - done.len() {
        let delivery = next(&mut deliveries).await;
        assert!(!done.contains(&text(&delivery).to_owned()));
        broker.ack(&delivery.receipt).await.unwrap();
    }
    soon(async {
        while std::fs::read_dir(folder.sessions()).unwrap().count() > 1 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    assert_eq!(broker.depth(Queue::Deploy).await.unwrap().total(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_process_is_not_taken_for_dead() {
    let folder = Folder::new();
    publish(&folder).await;
    let mut child = start_child(&folder);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    tokio::task::block_in_place(|| {
        let mut taken = 0;
        while taken < KEPT {
            let line = lines.next().unwrap().unwrap();
            taken += usize::from(line.starts_with("took "));
        }
    });
    // Stopped in the middle of a write it would hold the file's lock, and stop everybody: it writes no more once it has
    // all that it may have.
    let broker = folder.open().await;
    soon(async {
        while broker.depth(Queue::Deploy).await.unwrap().out < u64::from(AT_ONCE) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let id = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-STOP", &id])
            .status()
            .unwrap()
            .success()
    );
    // Opened now, by somebody who looks for the dead.
    let later = folder.open().await;
    let out = later.depth(Queue::Deploy).await.unwrap().out;
    assert!(out > 0 && later.has_consumers(Queue::Deploy).await.unwrap());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!broker.has_consumers(Queue::Deploy).await.unwrap());
    assert_eq!(
        folder.open().await.depth(Queue::Deploy).await.unwrap().out,
        0
    );
}
