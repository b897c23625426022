//! Redis that goes away, forgets, or stalls.

use std::time::{Duration, Instant};

use foreshow_engine::{Claimed, Settling, Store, StoreError};
use foreshow_servers::{Redis, RedisOptions as Server};
use foreshow_store::redis::{RedisOptions, RedisStore, RedisUrl};

use crate::support::{ask, claim, connect, failed, grant, key, make_live, settlement, up};

/// A store that gives up soon.
async fn impatient(server: &Redis) -> RedisStore {
    let options = RedisOptions {
        connect_timeout: Duration::from_millis(300),
        response_timeout: Duration::from_millis(300),
        ..RedisOptions::default()
    };
    let url = RedisUrl::parse(&server.url()).unwrap();
    RedisStore::connect(&url, options).await.unwrap()
}

/// Asks until there is an answer, as the engine does.
pub(crate) async fn insist<T, E: std::fmt::Debug>(mut ask: impl AsyncFnMut() -> Result<T, E>) -> T {
    let began_at = Instant::now();
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(error) if began_at.elapsed() > Duration::from_mins(1) => panic!("{error:?}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

fn chain(error: &StoreError) -> String {
    let mut told = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(beneath) = source {
        told = format!("{told}: {beneath}");
        source = beneath.source();
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_everything_goes_on() {
    let options = Server {
        appendonly: true,
        // Else what was written in the last two seconds may be lost with the process.
        settings: vec![("appendfsync".to_owned(), "always".to_owned())],
        ..Server::default()
    };
    let mut server = Redis::temporary(options).await.unwrap();
    let store = connect(&server.url(), "foreshow").await;
    make_live(&store, &key("a"), 1, crate::support::far()).await;
    let (lease, _) = grant(&store, &key("a"), up(2)).await;
    let long = Duration::from_mins(20);
    store.renew(lease.id(), long).await.unwrap();
    server.restart().await.unwrap();
    // The first call finds the connection dead, makes another, and sends its script anew.
    let settled = store.settle(lease.id(), &settlement(failed())).await;
    assert_eq!(settled.unwrap(), Settling::Settled { outcome: failed() });
    let Claimed::Finished(settled) = ask(&store, &key("a"), up(2)).await else {
        panic!()
    };
    assert_eq!(settled.outcome, failed());
    let record = store.context(&key("a")).await.unwrap().unwrap();
    assert!(record.live.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn after_everything_was_forgotten_everything_goes_on() {
    let server = Redis::temporary(Server::default()).await.unwrap();
    let store = connect(&server.url(), "foreshow").await;
    make_live(&store, &key("a"), 1, crate::support::far()).await;
    let (lost, _) = grant(&store, &key("a"), up(2)).await;
    server.flush_all().await.unwrap();
    assert_eq!(store.context(&key("a")).await.unwrap(), None);
    let settled = store.settle(lost.id(), &settlement(failed())).await;
    assert_eq!(settled.unwrap(), Settling::Lost);
    let (lease, _) = grant(&store, &key("a"), up(2)).await;
    assert!(lease.id().fence > lost.id().fence, "fences go on to grow");
    let settled = store.settle(lease.id(), &settlement(failed())).await;
    assert!(matches!(settled.unwrap(), Settling::Settled { .. }));
    make_live(&store, &key("a"), 3, crate::support::far()).await;
    assert_eq!(store.contexts(None, 9).await.unwrap().len(), 1);
    assert!(store.history(None, 9).await.unwrap().len() >= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_redis_is_away_calls_fail_in_time_and_say_so() {
    let mut server = Redis::temporary(Server::default()).await.unwrap();
    let store = impatient(&server).await;
    let (lease, _) = grant(&store, &key("a"), up(1)).await;
    server.kill().await.unwrap();
    for _ in 0..5 {
        let asked = tokio::time::timeout(Duration::from_secs(30), store.now());
        let error = asked.await.expect("no call hangs").unwrap_err();
        assert!(chain(&error).contains("127.0.0.1"), "{}", chain(&error));
    }
    assert!(
        store
            .settle(lease.id(), &settlement(failed()))
            .await
            .is_err()
    );
    server.restart().await.unwrap();
    insist(async || store.now().await).await;
    // It kept nothing, and goes on.
    let again = claim(&key("a"), up(1), "1");
    let claimed = insist(async || store.claim(&again).await).await;
    assert!(matches!(claimed, Claimed::Granted { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_redis_is_not_waited_for() {
    let server = Redis::temporary(Server::default()).await.unwrap();
    let store = impatient(&server).await;
    let asked = claim(&key("a"), up(1), "1");
    server.freeze().unwrap();
    // Some wait in vain for an answer, and when the connection is given up, for another.
    for _ in 0..6 {
        let asked = tokio::time::timeout(Duration::from_secs(30), store.claim(&asked));
        asked.await.expect("no call hangs").unwrap_err();
    }
    server.thaw().unwrap();
    // Whatever was done late, the same delivery is granted the context, once.
    let claimed = insist(async || store.claim(&asked).await).await;
    let Claimed::Granted { lease, .. } = claimed else {
        panic!("{claimed:?}")
    };
    let settled = insist(async || store.settle(lease.id(), &settlement(failed())).await).await;
    assert!(matches!(settled, Settling::Settled { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waited_to_be_written_is_written_when_redis_is_back() {
    let options = Server {
        appendonly: true,
        ..Server::default()
    };
    let mut server = Redis::temporary(options).await.unwrap();
    let store = impatient(&server).await;
    let other = connect(&server.url(), "foreshow").await;
    insist(async || {
        let (lease, _) = match store.claim(&claim(&key("a"), up(1), "1")).await? {
            Claimed::Granted { lease, record, .. } => (lease, record),
            other => panic!("{other:?}"),
        };
        store.settle(lease.id(), &settlement(failed())).await
    })
    .await;
    server.kill().await.unwrap();
    assert!(store.close().await.is_err(), "it still waits");
    server.restart().await.unwrap();
    // Without a word from us.
    let began_at = Instant::now();
    while insist(async || other.history(None, 9).await)
        .await
        .is_empty()
    {
        assert!(began_at.elapsed() < Duration::from_mins(1));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_redis_that_was_never_there_is_an_error_at_once() {
    let server = Redis::temporary(Server {
        password: Some("right-secret".to_owned()),
        ..Server::default()
    })
    .await
    .unwrap();
    let wrong = format!("redis://:wrong-secret@127.0.0.1:{}", server.port());
    for url in [
        &wrong,
        "redis://127.0.0.1:1",
        "rediss://:wrong-secret@127.0.0.1:1",
    ] {
        let url = RedisUrl::parse(url).unwrap();
        let connected = RedisStore::connect(&url, RedisOptions::default()).await;
        let Err(error) = connected else {
            panic!("{url} is connected to")
        };
        let told = chain(&error);
        assert!(
            told.contains("127.0.0.1:") && !told.contains("secret"),
            "{told}"
        );
    }
    let right = RedisUrl::parse(&server.url()).unwrap();
    assert!(
        RedisStore::connect(&right, RedisOptions::default())
            .await
            .is_ok()
    );
}
