use std::path::Path;
use std::time::Duration;

use foreshow_contract::{ContextKey, InstallationKey, Ordinal, Revision};
use foreshow_engine::lease::{Keeper, LeaseLost};
use foreshow_engine::{Claim, Claimed, LeaseOptions, Owner, Purpose};
use foreshow_servers::shared;
use tokio::time::Instant;

use super::*;
use crate::data_dir::DataDir;
use crate::wiring::Backends;

/// A renewal may come three seconds late, on a machine that does much else, and is in time.
const LEASES: LeaseOptions = LeaseOptions {
    ttl_ms: 4_000,
    renew_every_ms: 500,
    margin_ms: 500,
};

fn config(folder: &Path) -> Config {
    Config {
        data_dir: folder.to_owned(),
        ..Config::default()
    }
}

fn claim(context: &str, owner: &str) -> Claim {
    let key = ContextKey::try_new("acme", context).unwrap();
    Claim {
        ordinal: Ordinal::update(Revision::try_new(1).unwrap()),
        digest: "same".to_owned(),
        alias: InstallationKey::try_from_slice(&[7; 32])
            .unwrap()
            .alias_label(&key),
        owner: Owner::new(owner),
        ttl: LEASES.ttl(),
        purpose: Purpose::Event,
        replay: 0,
        key,
    }
}

/// Claims a context, and keeps it where `tasks` says.
async fn keep(
    store: &Arc<dyn Store>,
    lease_store: Arc<dyn Store>,
    tasks: &Tasks,
    context: &str,
) -> Keeper {
    let asked_at = Instant::now();
    let claimed = store.claim(&claim(context, "first")).await.unwrap();
    let Claimed::Granted { lease, record, .. } = claimed else {
        panic!("nobody else asks: {claimed:?}");
    };
    let (desired, floor) = (record.desired, record.floor);
    Keeper::start(lease_store, tasks, lease, asked_at, desired, floor, &LEASES)
}

/// Keeps the only thread of this runtime from everything else.
fn compute(time: Duration) {
    let began_at = std::time::Instant::now();
    let mut sum = 0_u64;
    while began_at.elapsed() < time {
        sum = std::hint::black_box(sum.wrapping_add(1));
    }
}

async fn a_busy_runtime_loses_no_lease(config: Config) {
    let dir = DataDir::prepare(&config.data_dir).unwrap();
    let backends = Backends::open(&config, Some(&dir)).await.unwrap();
    let leases = Leases::start(&config).unwrap();
    let store = &backends.store;
    let lease_store = leases.store().unwrap_or_else(|| Arc::clone(store));
    let kept = keep(store, lease_store, &leases.tasks(), "kept").await;
    // The same on the busy runtime itself: else this would prove nothing.
    let starved = keep(store, Arc::clone(store), &Tasks::default(), "starved").await;
    tokio::time::sleep(LEASES.renew_every() * 2).await;
    let before = store.context(&kept.id().key).await.unwrap().unwrap();

    compute(LEASES.ttl() * 3);

    let rival = store.claim(&claim("kept", "rival")).await.unwrap();
    assert!(matches!(rival, Claimed::Held { .. }), "{rival:?}");
    let after = store.context(&kept.id().key).await.unwrap().unwrap();
    assert_eq!(after.fence, kept.id().fence);
    let [before, after] = [before, after].map(|record| record.lease.unwrap());
    assert_eq!(after.owner, kept.id().owner);
    assert_eq!(after.since, before.since);
    assert!(
        after.until >= before.until.saturating_add(LEASES.ttl()),
        "{before:?} {after:?}"
    );
    assert_eq!(kept.hold(async { "done" }).await, Ok("done"));

    assert_eq!(
        starved.hold(std::future::pending::<()>()).await,
        Err(LeaseLost)
    );
    let rival = store.claim(&claim("starved", "rival")).await.unwrap();
    assert!(matches!(rival, Claimed::Granted { .. }), "{rival:?}");

    drop((kept, starved));
    let ended = tokio::time::timeout(Duration::from_mins(1), leases.end());
    ended.await.expect("the thread ends");
    backends.close().await;
}

#[tokio::test]
async fn a_busy_runtime_loses_no_lease_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    a_busy_runtime_loses_no_lease(config(folder.path())).await;
}

#[tokio::test]
async fn a_busy_runtime_loses_no_lease_in_redis() {
    let folder = tempfile::tempdir().unwrap();
    let redis = shared::redis();
    let mut config = config(folder.path());
    config.store.clone_from(&redis.url);
    config.redis.namespace.clone_from(&redis.namespace);
    a_busy_runtime_loses_no_lease(config).await;
    redis.close().await;
}

#[tokio::test]
async fn the_thread_ends_though_its_server_never_answers() {
    let folder = tempfile::tempdir().unwrap();
    // Takes connections, and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = config(folder.path());
    config.store = format!("redis://{}", silent.local_addr().unwrap());
    let leases = Leases::start(&config).unwrap();
    let store = leases.store().unwrap();
    let asking = leases
        .runtime
        .spawn(async move { store.remembers().await.map(drop) });
    silent.accept().unwrap();
    let ended = tokio::time::timeout(Duration::from_mins(1), leases.end());
    ended.await.expect("the thread ends");
    // The question ended with it, one way or the other.
    assert!(!matches!(asking.await, Ok(Ok(()))));
}

#[tokio::test]
async fn dropping_it_ends_the_thread_too() {
    let leases = Leases::begin().unwrap();
    let Leases { thread, stop, .. } = leases;
    drop(stop);
    let joined = tokio::task::spawn_blocking(|| thread.join());
    let joined = tokio::time::timeout(Duration::from_mins(1), joined).await;
    assert!(joined.expect("the thread ends").unwrap().is_ok());
}
