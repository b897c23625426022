//! What lies in Redis after the steps: for how long, what may not be read, and what the port has no method for.

use std::{ops::RangeInclusive, time::Duration};

use foreshow_contract::{DeploymentId, Revision, Timestamp};
use foreshow_engine::{Claimed, GiveBack, Outcome, Settlement, Settling, Store, StoreError};
use redis::{AsyncTypedCommands as _, aio::MultiplexedConnection};

use crate::support::{
    Adapter as _, Remote, TTL, alias, ask, deployment, failed, far, grant, hand_over, key, live,
    make_live, ready, revision, seed, settlement, suspect, up,
};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// A plain connection to the run's Redis, and the name of a key there.
async fn beside(remote: &Remote) -> (MultiplexedConnection, impl Fn(&str) -> String) {
    let client = redis::Client::open(remote.url.as_str()).unwrap();
    let connection = client.get_multiplexed_async_connection().await.unwrap();
    let namespace = remote.namespace.clone();
    (connection, move |rest: &str| format!("{namespace}:{rest}"))
}

async fn ttl_ms(redis: &mut MultiplexedConnection, key: &str) -> i64 {
    let command = redis::cmd("PTTL").arg(key).to_owned();
    command.query_async(redis).await.unwrap()
}

#[tokio::test]
async fn what_is_live_stays_and_what_is_over_goes_by_age() {
    let remote = Remote::shared().await;
    let (mut redis, name) = beside(&remote).await;
    let store = &remote.store;
    let record = name("{c:acme/a}");
    let about = |days: i64| (days - 1) * DAY_MS..=days * DAY_MS + 60_000;

    let (lease, _) = grant(store, &key("a"), up(1)).await;
    assert!(
        about(30).contains(&ttl_ms(&mut redis, &record).await),
        "nothing is live yet"
    );
    hand_over(store, &lease).await;
    make_live(store, &key("a"), 2, far()).await;
    assert_eq!(ttl_ms(&mut redis, &record).await, -1, "for ever");
    let outcome = name("{c:acme/a}:2u");
    assert!(about(30).contains(&ttl_ms(&mut redis, &outcome).await));
    let shown = name("{c:acme/a}:shown");
    assert!(about(30).contains(&ttl_ms(&mut redis, &shown).await));

    let (lease, _) = grant(store, &key("a"), up(3)).await;
    store
        .settle(lease.id(), &settlement(failed()))
        .await
        .unwrap();
    assert_eq!(
        ttl_ms(&mut redis, &record).await,
        -1,
        "a failure takes nothing away"
    );
    let end = crate::support::end(4);
    let (lease, _) = grant(store, &key("a"), end).await;
    store
        .settle(lease.id(), &settlement(Outcome::removed()))
        .await
        .unwrap();
    assert!(
        about(30).contains(&ttl_ms(&mut redis, &record).await),
        "a tombstone"
    );
    assert!(about(30).contains(&ttl_ms(&mut redis, &name("{c:acme/a}:4e")).await));
    remote.close().await;
}

/// Announces revisions that one deployment serves, as settlements would.
async fn announce(
    redis: &mut MultiplexedConnection,
    remote: &Remote,
    key: &str,
    revisions: RangeInclusive<u64>,
    deployment: &str,
) {
    let announced = format!("{} {deployment}", remote.now().as_micros());
    let mut command = redis::cmd("HSET");
    command.arg(key);
    for revision in revisions {
        command.arg(revision).arg(&announced);
    }
    command.exec_async(redis).await.unwrap();
}

/// The revisions that this settlement replaced, which it also tells when it is asked again.
async fn replaced_by(remote: &Remote, number: u64, kept: &[&str]) -> Vec<Revision> {
    let (lease, _) = grant(&remote.store, &key("a"), up(number)).await;
    let settlement = Settlement {
        kept: kept.iter().map(|kept| DeploymentId::new(*kept)).collect(),
        ..settlement(ready(kept[0], far()))
    };
    let settled = remote.store.settle(lease.id(), &settlement).await.unwrap();
    let Settling::Settled { outcome } = settled else {
        panic!("{settled:?}")
    };
    let again = remote.store.outcome(&key("a"), up(number)).await.unwrap();
    assert_eq!(again.unwrap().outcome, outcome);
    let Outcome::Ready(ready) = outcome else {
        panic!("{outcome:?}")
    };
    ready.replaced
}

#[tokio::test]
async fn thousands_of_replaced_revisions_are_told() {
    let remote = Remote::shared().await;
    let (mut redis, name) = beside(&remote).await;
    let shown = name("{c:acme/a}:shown");
    announce(&mut redis, &remote, &shown, 1..=12_000, "old").await;
    let replaced = replaced_by(&remote, 12_001, &["new"]).await;
    let all: Vec<_> = (1..=12_000).map(revision).collect();
    assert!(replaced == all, "{} were told", replaced.len());
    assert_eq!(redis.hlen(&shown).await.unwrap(), 1);
    remote.close().await;
}

#[tokio::test]
async fn the_newest_thousand_announced_revisions_are_kept() {
    let remote = Remote::shared().await;
    let (mut redis, name) = beside(&remote).await;
    let shown = name("{c:acme/a}:shown");
    announce(&mut redis, &remote, &shown, 1..=3_000, "old").await;
    assert_eq!(replaced_by(&remote, 3_001, &["new", "old"]).await, []);
    assert_eq!(redis.hlen(&shown).await.unwrap(), 1_000);
    assert_eq!(replaced_by(&remote, 3_002, &["new", "old"]).await, []);
    assert_eq!(redis.hlen(&shown).await.unwrap(), 1_000);
    let replaced = replaced_by(&remote, 3_003, &["newest", "new"]).await;
    let old: Vec<_> = (2_003..=3_000).map(revision).collect();
    assert!(replaced == old, "{} were told", replaced.len());
    remote.close().await;
}

#[tokio::test]
async fn contexts_that_are_gone_leave_the_index() {
    let remote = Remote::shared().await;
    let (mut redis, name) = beside(&remote).await;
    let store = &remote.store;
    for context in ["a", "b"] {
        make_live(store, &key(context), 1, remote.now().saturating_add(TTL)).await;
    }
    let (lease, _) = grant(store, &key("c"), up(1)).await;
    store
        .settle(lease.id(), &settlement(failed()))
        .await
        .unwrap();
    // Redis has forgotten them, as it does by age; one was live, and lost with its node.
    redis.del(name("{c:acme/a}")).await.unwrap();
    redis.del(name("{c:acme/c}")).await.unwrap();
    let names: Vec<_> = store.contexts(None, 9).await.unwrap();
    assert_eq!(names.len(), 1);
    assert_eq!(store.resolve_alias(&alias(&key("a"))).await.unwrap(), None);
    let in_a_year = remote.now().saturating_add(Duration::from_hours(24 * 365));
    let expired = store.expired(Timestamp::MIN, in_a_year, 9).await.unwrap();
    assert_eq!(expired.len(), 1);
    let mut left = 0;
    for shard in 0..16 {
        for what in ["names", "changed", "expiry"] {
            let key = name(&format!("{{ix:{shard:02}}}:{what}"));
            left += usize::from(redis.exists(key).await.unwrap());
        }
    }
    assert_eq!(left, 3, "those of one context");
    remote.close().await;
}

#[tokio::test]
async fn an_expiry_that_was_not_written_to_the_index_is_found_all_the_same() {
    let remote = Remote::shared().await;
    let (mut redis, name) = beside(&remote).await;
    let store = &remote.store;
    let expires_at = remote.now().saturating_add(Duration::from_hours(3));
    make_live(store, &key("a"), 1, expires_at).await;
    store.close().await.unwrap();
    // As a process leaves it that is killed just after its claim, and as one that lost its clock would.
    for shard in 0..16 {
        let key = name(&format!("{{ix:{shard:02}}}:expiry"));
        let members: Vec<String> = redis.zrange(&key, 0, -1).await.unwrap();
        for member in members {
            redis.zadd(&key, member, 0).await.unwrap();
        }
    }
    let before = remote.now().saturating_add(Duration::from_hours(2));
    assert!(
        store
            .expired(Timestamp::MIN, before, 9)
            .await
            .unwrap()
            .is_empty()
    );
    let after = store.expired(Timestamp::MIN, expires_at, 9).await.unwrap();
    assert_eq!(after.len(), 1);
    remote.close().await;
}

#[tokio::test]
async fn a_claim_brings_a_look_within_the_hour() {
    let remote = Remote::shared().await;
    let store = &remote.store;
    let month = remote.now().saturating_add(Duration::from_hours(24 * 30));
    make_live(store, &key("a"), 1, month).await;
    store.close().await.unwrap();
    // A shorter life is recorded, and the process killed before the index hears of it.
    let doomed = remote.again().await;
    let (lease, _) = grant(&doomed, &key("a"), up(2)).await;
    let minute = remote.now().saturating_add(Duration::from_mins(1));
    doomed
        .go_live(lease.id(), &live(2, "dep-2"), minute, TTL)
        .await
        .unwrap();
    drop(doomed);
    let in_an_hour = remote.now().saturating_add(Duration::from_hours(1));
    assert_eq!(
        store
            .expired(Timestamp::MIN, in_an_hour, 9)
            .await
            .unwrap()
            .len(),
        1
    );
    remote.close().await;
}

#[tokio::test]
async fn what_cannot_be_read_says_whose_it_is() {
    let remote = Remote::shared().await;
    let (mut redis, name) = beside(&remote).await;
    let store = &remote.store;
    let told = |error: StoreError| {
        let told = error.source.to_string();
        assert!(
            told.contains("acme/a") && told.contains("newer version"),
            "{told}"
        );
    };
    let (lease, _) = grant(store, &key("a"), up(1)).await;
    store
        .settle(lease.id(), &settlement(failed()))
        .await
        .unwrap();
    let (lease, _) = grant(store, &key("a"), up(2)).await;
    redis.hset(name("{c:acme/a}"), "v", "2").await.unwrap();
    told(store.context(&key("a")).await.unwrap_err());
    told(store.contexts(None, 9).await.unwrap_err());
    let claim = crate::support::claim(&key("a"), up(3), "3");
    told(store.claim(&claim).await.unwrap_err());
    told(store.renew(lease.id(), TTL).await.unwrap_err());
    let back = GiveBack::HandedOver;
    told(store.release(lease.id(), &back).await.unwrap_err());
    let look = seed(&key("a"), &[(1, "d")], far());
    told(store.seed(&key("a"), &look).await.unwrap_err());
    let found = suspect(&key("a"), 1, "d", far());
    told(store.judge(&key("a"), &found).await.unwrap_err());
    let gone = "d".into();
    let forgotten = store.forget_condemned(&key("a"), &gone).await;
    told(forgotten.unwrap_err());
    told(store.mend(&key("a"), &gone).await.unwrap_err());
    told(store.touch(&key("a"), None).await.unwrap_err());
    let recorded = store.record_deployment(lease.id(), &deployment("d")).await;
    told(recorded.unwrap_err());
    let went = store.go_live(lease.id(), &live(2, "d"), far(), TTL).await;
    told(went.unwrap_err());
    let settled = store.settle(lease.id(), &settlement(failed())).await;
    told(settled.unwrap_err());
    // A newer version's record is left as it is.
    redis.hset(name("{c:acme/a}"), "v", "1").await.unwrap();
    let record = store.context(&key("a")).await.unwrap().unwrap();
    assert_eq!((record.desired, record.lease.is_some()), (up(2), true));
    redis.set(name("{c:acme/a}:1u"), "damaged").await.unwrap();
    told(store.outcome(&key("a"), up(1)).await.unwrap_err());
    let claim = crate::support::claim(&key("a"), up(1), "1");
    told(store.claim(&claim).await.unwrap_err());
    remote.close().await;
}

/// A sweep comes again and again, and what is gone must be able to go.
#[tokio::test]
async fn a_look_that_changes_nothing_gives_no_longer_life() {
    let remote = Remote::shared().await;
    let (mut redis, name) = beside(&remote).await;
    let store = &remote.store;
    let (lease, _) = grant(store, &key("a"), up(1)).await;
    let failure = settlement(failed());
    store.settle(lease.id(), &failure).await.unwrap();
    let record = name("{c:acme/a}");
    let look = async || {
        for (number, deployment) in [(1, "failed"), (2, "to come")] {
            let found = suspect(&key("a"), number, deployment, far());
            store.judge(&key("a"), &found).await.unwrap();
        }
        let told = seed(&key("a"), &[(1, "failed")], far());
        store.seed(&key("a"), &told).await.unwrap();
        let other = "other".into();
        store.forget_condemned(&key("a"), &other).await.unwrap();
        store.mend(&key("a"), &other).await.unwrap();
    };
    look().await;
    let minute = redis::cmd("PEXPIRE").arg(&record).arg(60_000).to_owned();
    minute.exec_async(&mut redis).await.unwrap();
    look().await;
    let left = ttl_ms(&mut redis, &record).await;
    assert!((1..=60_000).contains(&left), "{left}");
    remote.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_agree_on_one_lease() {
    let remote = Remote::shared().await;
    let (one, two) = (remote.store.clone(), remote.again().await);
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
    remote.close().await;
}

#[tokio::test]
async fn what_one_process_has_written_behind_the_others_read() {
    let remote = Remote::shared().await;
    let other = remote.again().await;
    let expires_at = remote.now().saturating_add(TTL);
    make_live(&remote.store, &key("a"), 1, expires_at).await;
    remote.store.close().await.unwrap();
    assert_eq!(
        other
            .expired(Timestamp::MIN, expires_at, 9)
            .await
            .unwrap()
            .len(),
        1
    );
    assert_eq!(other.history(None, 9).await.unwrap().len(), 1);
    assert_eq!(other.history(Some(&key("a")), 9).await.unwrap().len(), 1);
    assert_eq!(other.contexts(None, 9).await.unwrap().len(), 1);
    remote.close().await;
}

#[tokio::test]
async fn the_server_tells_the_time() {
    let remote = Remote::shared().await;
    let store = crate::support::connect(&remote.url, &remote.namespace).await;
    let (before, told) = (store.now().await.unwrap(), store.now().await.unwrap());
    assert!(told >= before);
    let (lease, record) = grant(&store, &key("a"), up(1)).await;
    assert!(record.desired_at >= told);
    let fence = i64::try_from(lease.id().fence).unwrap();
    assert!(fence >= told.as_micros(), "at least the clock");
    let settled = store
        .settle(lease.id(), &settlement(failed()))
        .await
        .unwrap();
    assert!(matches!(settled, Settling::Settled { .. }));
    let settled = store.outcome(&key("a"), up(1)).await.unwrap().unwrap();
    assert!(settled.at >= record.desired_at);
    remote.close().await;
}
