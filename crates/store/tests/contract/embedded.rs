//! What the embedded store promises beside the port's contract.

use std::time::Duration;

use foreshow_engine::{Claimed, GateReport, Lane, Recording, Store};
use foreshow_sqlite::DatabaseError;
use foreshow_store::embedded::KEEP_OUTCOMES;

use crate::support::{
    Folder, HandClock, TTL, ask, calm, deployment, entry, failed, fires, gate, grant, hand_over,
    key, make_live, open, settlement, soon, up,
};

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_agree_on_one_lease() {
    let folder = Folder::new(HandClock::new());
    let (one, two) = (folder.open().await, folder.open().await);
    let claims: Vec<_> = (0..60)
        .map(|n| {
            let store = if n % 2 == 0 { one.clone() } else { two.clone() };
            tokio::spawn(async move {
                matches!(ask(&store, &key("a"), up(1)).await, Claimed::Granted { .. })
            })
        })
        .collect();
    let mut granted = 0;
    for claim in claims {
        granted += usize::from(claim.await.unwrap());
    }
    assert_eq!(granted, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_wait_hear_of_another_process() {
    let folder = Folder::new(HandClock::new());
    let (one, two) = (folder.open().await, folder.open().await);
    let (lease, _) = grant(&one, &key("a"), up(1)).await;
    let mut watch = two.watch(&key("a"));
    assert!(matches!(
        ask(&two, &key("a"), up(1)).await,
        Claimed::Held { .. }
    ));
    calm(&mut watch).await;
    // Other commits by either process are not for this waiter.
    make_live(&one, &key("b"), 1, lease_end()).await;
    make_live(&two, &key("c"), 1, lease_end()).await;
    one.renew(lease.id(), TTL).await.unwrap();
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(!fires(&mut watch).await);
    hand_over(&one, &lease).await;
    soon(watch.changed()).await;
    let (lease, _) = grant(&two, &key("a"), up(1)).await;
    // Between the question and the wait.
    let mut watch = one.watch(&key("a"));
    assert!(matches!(
        ask(&one, &key("a"), up(1)).await,
        Claimed::Held { .. }
    ));
    two.settle(lease.id(), &settlement(failed())).await.unwrap();
    soon(watch.changed()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nudge_by_another_process_is_heard_also_where_nothing_was_asked() {
    let folder = Folder::new(HandClock::new());
    let (one, two) = (folder.open().await, folder.open().await);
    let (_held, _) = grant(&one, &key("a"), up(1)).await;
    let mut watch = two.watch(&key("a"));
    one.nudge(&key("a")).await.unwrap();
    soon(watch.changed()).await;
    // Nor by a handle that is not the holder's.
    let mut watch = one.watch(&key("a"));
    two.nudge(&key("a")).await.unwrap();
    soon(watch.changed()).await;
}

fn lease_end() -> foreshow_contract::Timestamp {
    foreshow_contract::Timestamp::MAX
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_is_there_when_the_file_is_opened_again() {
    let folder = Folder::new(HandClock::new());
    let before = {
        let store = folder.open().await;
        let (lease, _) = grant(&store, &key("a"), up(1)).await;
        store
            .record_deployment(lease.id(), &deployment("dep"))
            .await
            .unwrap();
        store.context(&key("a")).await.unwrap()
    };
    let store = folder.open().await;
    assert_eq!(store.context(&key("a")).await.unwrap(), before);
    assert!(matches!(
        ask(&store, &key("a"), up(1)).await,
        Claimed::Held { .. }
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fence_grows_also_where_the_record_was_lost() {
    let folder = Folder::new(HandClock::new());
    let db = folder.database().await;
    let store = open(db.clone(), &folder.clock).await;
    let (lease, _) = grant(&store, &key("a"), up(1)).await;
    change(&db, "DELETE FROM contexts").await;
    folder.clock.advance(Duration::from_millis(1));
    let (next, _) = grant(&store, &key("a"), up(1)).await;
    assert!(next.id().fence > lease.id().fence);
    assert_eq!(
        store
            .record_deployment(lease.id(), &deployment("dep"))
            .await
            .unwrap(),
        Recording::Lost
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn outcomes_are_forgotten_by_age_and_not_before() {
    let folder = Folder::new(HandClock::new());
    let store = folder.open().await;
    make_live(&store, &key("a"), 1, lease_end()).await;
    folder.clock.advance(KEEP_OUTCOMES);
    make_live(&store, &key("b"), 1, lease_end()).await;
    assert!(store.outcome(&key("a"), up(1)).await.unwrap().is_some());
    folder.clock.advance(Duration::from_hours(2));
    make_live(&store, &key("b"), 2, lease_end()).await;
    assert!(store.outcome(&key("a"), up(1)).await.unwrap().is_none());
    assert!(store.outcome(&key("b"), up(1)).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_changes_nothing_writes_nothing() {
    let folder = Folder::new(HandClock::new());
    let db = folder.database().await;
    let store = open(db.clone(), &folder.clock).await;
    make_live(&store, &key("a"), 2, lease_end()).await;
    let mut changes = db.changes();
    ask(&store, &key("a"), up(1)).await;
    ask(&store, &key("a"), up(2)).await;
    let gate = gate("vercel/acme", Lane::Create);
    store.enter_gate(&gate, &entry("a")).await.unwrap();
    let answered = GateReport::Answered { trial: false };
    store.report_gate(&gate, &answered).await.unwrap();
    let told = tokio::time::timeout(Duration::from_millis(100), changes.changed()).await;
    assert!(told.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_cannot_be_read_says_whose_it_is() {
    let folder = Folder::new(HandClock::new());
    let db = folder.database().await;
    let store = open(db.clone(), &folder.clock).await;
    let _held = grant(&store, &key("a"), up(1)).await;
    change(&db, "UPDATE contexts SET record = '{}'").await;
    let error = store.context(&key("a")).await.unwrap_err();
    assert!(
        error.source.to_string().contains("acme/a"),
        "{}",
        error.source
    );
}

async fn change(db: &foreshow_sqlite::Database, sql: &'static str) {
    db.write(move |tx| -> Result<(), DatabaseError> {
        assert_eq!(tx.execute(sql, [])?, 1);
        Ok(())
    })
    .await
    .unwrap();
}
