//! What claims, and an adapter's own tests, are written with.

use std::{
    future::Future,
    num::NonZeroU32,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use foreshow_contract::{
    ContextKey, FailureCode, FailureReport, HostLabel, InstallationKey, Ordinal, ResetId, Revision,
    Timestamp, Timings,
};
use foreshow_engine::{
    Address, AdmitRequest, BuildState, Claim, Claimed, ContextRecord, Deployment, GiveBack, Lease,
    LeaseId, Live, Outcome, Owner, Purpose, ReadyOutcome, RecordedDeployment, Seed, Settlement,
    Store, Suspect, Watch,
};

/// How long the leases of the claims live.
pub const TTL: Duration = Duration::from_secs(30);

pub fn key(context: &str) -> ContextKey {
    ContextKey::try_new("acme", context).unwrap()
}

pub fn revision(number: u64) -> Revision {
    Revision::try_new(number).unwrap()
}

pub fn up(number: u64) -> Ordinal {
    Ordinal::update(revision(number))
}

pub fn end(number: u64) -> Ordinal {
    Ordinal::end(revision(number))
}

pub fn count(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

pub fn alias(key: &ContextKey) -> HostLabel {
    let installation = InstallationKey::try_from_slice(&[7; 32]).unwrap();
    installation.alias_label(key)
}

/// A claim by a delivery of its own.
pub fn claim(key: &ContextKey, ordinal: Ordinal, digest: &str) -> Claim {
    static OWNERS: AtomicU64 = AtomicU64::new(1);
    Claim {
        key: key.clone(),
        ordinal,
        digest: digest.to_owned(),
        alias: alias(key),
        owner: Owner::new(format!("owner-{}", OWNERS.fetch_add(1, Ordering::Relaxed))),
        ttl: TTL,
        purpose: Purpose::Event,
        replay: 0,
    }
}

/// A claim that the retention of what is live is over, where `number` is the newest revision.
pub fn expiry(key: &ContextKey, number: u64) -> Claim {
    Claim {
        purpose: Purpose::Expiry,
        replay: 0,
        ..claim(key, end(number), "end")
    }
}

/// A claim that the context is to be forgotten.
pub fn reset(key: &ContextKey, id: &str) -> Claim {
    Claim {
        purpose: Purpose::Reset(ResetId::try_new(id).unwrap()),
        replay: 0,
        ..claim(key, Ordinal::end(Revision::MAX), "end")
    }
}

pub async fn ask(store: &dyn Store, key: &ContextKey, ordinal: Ordinal) -> Claimed {
    store
        .claim(&claim(key, ordinal, &ordinal.to_string()))
        .await
        .unwrap()
}

/// Claims, where the claim is expected to be granted.
pub async fn grant(
    store: &dyn Store,
    key: &ContextKey,
    ordinal: Ordinal,
) -> (Lease, ContextRecord) {
    match ask(store, key, ordinal).await {
        Claimed::Granted { lease, record, .. } => (lease, *record),
        other => panic!("{ordinal} of {key} was not granted but {other:?}"),
    }
}

pub fn live(number: u64, deployment: &str) -> Live {
    Live {
        revision: revision(number),
        provider: "local".into(),
        deployment: deployment.into(),
        address: Address::new(format!("at-{deployment}")),
        tree: "tree".to_owned(),
        settings: "settings".to_owned(),
    }
}

pub fn deployment(id: &str) -> RecordedDeployment {
    RecordedDeployment {
        provider: "local".into(),
        deployment: id.into(),
    }
}

pub fn ready(deployment: &str, expires_at: Timestamp) -> Outcome {
    Outcome::Ready(Box::new(ReadyOutcome {
        provider: "local".into(),
        deployment: deployment.into(),
        address: Address::new(format!("at-{deployment}")),
        alias_address: Address::new("alias"),
        unchanged: false,
        expires_at,
        timings: Timings::default(),
        bytes_uploaded: 5,
        bytes_reused: 6,
        attempts: 1,
        cost: None,
        domains: Vec::new(),
        size: None,
        replaced: Vec::new(),
    }))
}

pub fn failed() -> Outcome {
    Outcome::Failed {
        report: Box::new(FailureReport {
            code: FailureCode::from("build_failed"),
            message: "the build ended with an error".to_owned(),
            provider: Some("local".into()),
            attempts: Vec::new(),
            log_tail: vec!["line".to_owned()],
        }),
    }
}

/// As its provider lists it: of revision `number`, and serving.
pub fn listed(key: &ContextKey, number: u64, deployment: &str) -> Deployment {
    Deployment {
        id: deployment.into(),
        key: key.clone(),
        revision: revision(number),
        state: BuildState::Ready,
        address: Address::new(format!("at-{deployment}")),
    }
}

/// What these deployments, each a revision and an id, tell of a context.
pub fn seed(key: &ContextKey, deployments: &[(u64, &str)], expires_at: Timestamp) -> Seed {
    let deployments: Vec<_> = deployments
        .iter()
        .map(|(number, deployment)| ("local".into(), listed(key, *number, deployment)))
        .collect();
    Seed::of(alias(key), &deployments, expires_at)
}

/// Of revision `number`; what is live was listed beside it.
pub fn suspect(key: &ContextKey, number: u64, deployment: &str, stays_until: Timestamp) -> Suspect {
    Suspect {
        provider: "local".into(),
        deployment: listed(key, number, deployment),
        live_is_there: true,
        stays_until,
    }
}

/// The record of a context that is known.
pub async fn record(store: &dyn Store, key: &ContextKey) -> ContextRecord {
    store.context(key).await.unwrap().unwrap()
}

/// Gives the lease back for another to go on.
pub async fn hand_over(store: &dyn Store, lease: &Lease) {
    let back = GiveBack::HandedOver;
    store.release(lease.id(), &back).await.unwrap();
}

/// Brings the store's memory back to what it is now.
pub async fn rebuild(store: &dyn Store, nonce: &str) {
    store.begin_rebuild(nonce).await.unwrap();
    assert!(store.complete_rebuild(nonce).await.unwrap());
}

/// An expiry that no test reaches.
pub fn far() -> Timestamp {
    Timestamp::MAX
}

pub fn settlement(outcome: Outcome) -> Settlement {
    let expires_at = match &outcome {
        Outcome::Ready(ready) => Some(ready.expires_at),
        Outcome::Failed { .. }
        | Outcome::Removed { .. }
        | Outcome::Reset { .. }
        | Outcome::Superseded { .. } => None,
    };
    Settlement {
        expires_at,
        kept: (1..=9).map(|n| format!("dep-{n}").into()).collect(),
        ..Settlement::of(outcome)
    }
}

/// The previews whose retention is over by then, and their revisions.
pub async fn expired(store: &dyn Store, now: Timestamp, limit: u32) -> Vec<(ContextKey, Revision)> {
    let expired = store.expired(Timestamp::MIN, now, limit).await.unwrap();
    let live = |record: ContextRecord| record.live.unwrap().revision;
    expired
        .into_iter()
        .map(|(key, record)| (key, live(record)))
        .collect()
}

/// Brings a revision live and settles it.
pub async fn make_live(store: &dyn Store, key: &ContextKey, number: u64, expires_at: Timestamp) {
    let (lease, _) = grant(store, key, up(number)).await;
    let name = format!("dep-{number}");
    store
        .go_live(lease.id(), &live(number, &name), expires_at, TTL)
        .await
        .unwrap();
    store
        .settle(lease.id(), &settlement(ready(&name, expires_at)))
        .await
        .unwrap();
}

pub fn admission(key: &ContextKey, number: u64, now: Timestamp) -> AdmitRequest {
    AdmitRequest {
        key: key.clone(),
        revision: revision(number),
        live_previews: None,
        concurrent_builds: None,
        is_live: false,
        live_until: now.saturating_add(Duration::from_secs(100)),
        build_until: now.saturating_add(Duration::from_secs(50)),
    }
}

/// A lease that nobody was ever given.
pub fn forged(id: &LeaseId) -> LeaseId {
    LeaseId {
        owner: Owner::new("nobody"),
        ..id.clone()
    }
}

/// For what must happen: a test that waits longer than this has failed.
pub async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), future)
        .await
        .expect("it took too long")
}

/// Whether the watch fires within a short time.
pub async fn fires(watch: &mut Box<dyn Watch>) -> bool {
    tokio::time::timeout(Duration::from_millis(100), watch.changed())
        .await
        .is_ok()
}

/// Waits until no notice of what happened before is still on its way.
pub async fn calm(watch: &mut Box<dyn Watch>) {
    for _ in 0..50 {
        if !fires(watch).await {
            return;
        }
    }
    panic!("notices without end");
}
