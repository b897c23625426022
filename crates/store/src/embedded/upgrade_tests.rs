//! A file of an earlier version is taken over as it is.

use std::{sync::Arc, time::Duration};

use foreshow_conformance::store::{HandClock, ask, key, up};
use foreshow_engine::{Claimed, Clock, Happening, Store};
use foreshow_sqlite::{Database, DatabaseError, Options};

use super::{EmbeddedStore, KEEP_OUTCOMES, schema};

/// As the first version wrote it: revision 3 is live, and nobody works on it.
const RECORD: &str = r#"{"alias":"a-label","desired":{"revision":3,"kind":"updated"},"desiredDigest":"digest",
    "desiredAt":"2026-01-01T00:00:00.000000Z","fence":1767225600000000,
    "live":{"revision":3,"provider":"local","deployment":"dep-3","address":"at-dep-3","tree":"t","settings":"s"},
    "expiresAt":"2026-02-01T00:00:00.000000Z","ttlSeconds":2678400}"#;

async fn first_version(dir: &tempfile::TempDir, rows: String) -> Database {
    let db = Database::open(&dir.path().join("store.db"), Options::default())
        .await
        .unwrap();
    db.migrate("store", &schema::STORE[..1]).await.unwrap();
    db.write(move |tx| -> Result<(), DatabaseError> {
        tx.execute_batch(&rows)?;
        Ok(())
    })
    .await
    .unwrap();
    db
}

async fn open(db: Database) -> (EmbeddedStore, HandClock) {
    let clock = HandClock::new();
    let store = EmbeddedStore::open(db, Arc::new(clock.clone()), KEEP_OUTCOMES);
    (store.await.unwrap(), clock)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_with_contexts_in_it_remembers_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let rows = format!(
        "INSERT INTO contexts (tenant, context, alias, desired_at, expires_at, live_revision, notices, record)
             VALUES ('acme', 'a', 'a-label', 0, 0, 3, 0, '{RECORD}');
         INSERT INTO history (at, tenant, context, revision, kind, outcome, detail)
             VALUES (5, 'acme', 'a', 3, 0, '{word}', 'local dep-3');",
        word = foreshow_contract::OutcomeKind::Ready.word()
    );
    let (store, clock) = open(first_version(&dir, rows).await).await;
    assert!(store.remembers().await.unwrap());
    let record = store.context(&key("a")).await.unwrap().unwrap();
    assert!(!record.unproven && record.live.is_some());
    assert_eq!((record.stale_since, record.waits), (None, None));
    assert!(store.gates().await.unwrap().is_empty());
    let late = ask(&store, &key("a"), up(2)).await;
    assert!(
        matches!(late, Claimed::Stale { by } if by == up(3)),
        "{late:?}"
    );
    clock.advance(Duration::from_secs(1));
    for context in ["a", "new"] {
        let claimed = ask(&store, &key(context), up(4)).await;
        let Claimed::Granted {
            is_unknown, record, ..
        } = claimed
        else {
            panic!("{claimed:?}")
        };
        assert!(!is_unknown, "{context}");
        assert_eq!(record.stale_since, Some(clock.now()));
    }
    let history = store.history(None, 9).await.unwrap();
    assert!(matches!(history[0].what, Happening::Ended(_)) && history[0].by.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_with_ends_alone_remembers_them() {
    let dir = tempfile::tempdir().unwrap();
    let rows = "INSERT INTO outcomes (tenant, context, revision, kind, digest, outcome, at)
        VALUES ('acme', 'a', 3, 1, 'digest', '{\"kind\":\"removed\"}', 0)";
    let (store, _clock) = open(first_version(&dir, rows.to_owned()).await).await;
    assert!(store.remembers().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_knows_nothing_does_not_remember() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _clock) = open(first_version(&dir, String::new()).await).await;
    assert!(!store.remembers().await.unwrap());
}
