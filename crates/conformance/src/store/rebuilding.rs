//! Whether a store has its whole memory, and who makes it whole.

use std::time::Duration;

use foreshow_engine::{Claimed, Outcome, Owner, Store};

use super::{
    Adapter, TTL, ask, deployment, failed, grant, hand_over, key, live, make_live, rebuild, record,
    seed, settlement, up,
};

async fn remembers(store: &dyn Store) -> bool {
    store.remembers().await.unwrap()
}

pub async fn a_new_store_does_not_remember_until_it_is_rebuilt(adapter: &dyn Adapter) {
    let store = adapter.store();
    assert!(!remembers(&*store).await);
    assert!(!store.complete_rebuild("one").await.unwrap(), "not begun");
    store.begin_rebuild("one").await.unwrap();
    assert!(!remembers(&*store).await);
    assert!(store.complete_rebuild("one").await.unwrap());
    assert!(remembers(&*store).await);
    assert!(
        store.complete_rebuild("one").await.unwrap(),
        "asked again, for the answer may be lost"
    );
    // Rebuilt for good measure, it remembers all the while.
    store.begin_rebuild("two").await.unwrap();
    assert!(remembers(&*store).await);
    assert!(store.complete_rebuild("two").await.unwrap());
    assert!(remembers(&*store).await);
}

pub async fn a_rebuild_that_a_wipe_overtook_does_not_count(adapter: &dyn Adapter) {
    rebuild(&*adapter.store(), "one").await;
    let store = adapter.wiped().await;
    assert!(!remembers(&*store).await);
    store.begin_rebuild("two").await.unwrap();
    let store = adapter.wiped().await;
    assert!(!store.complete_rebuild("two").await.unwrap());
    assert!(!remembers(&*store).await);
    rebuild(&*store, "three").await;
    assert!(remembers(&*store).await);
}

pub async fn a_rebuild_that_another_overtook_does_not_count(adapter: &dyn Adapter) {
    let store = adapter.store();
    store.begin_rebuild("one").await.unwrap();
    store.begin_rebuild("another's").await.unwrap();
    assert!(!store.complete_rebuild("one").await.unwrap());
    assert!(!remembers(&*store).await);
    assert!(store.complete_rebuild("another's").await.unwrap());
    assert!(remembers(&*store).await);
}

pub async fn a_first_claim_is_unknown_to_a_store_that_forgot(adapter: &dyn Adapter) {
    let is_unknown = async |store: &dyn Store, context: &str, number: u64| {
        let Claimed::Granted {
            lease, is_unknown, ..
        } = ask(store, &key(context), up(number)).await
        else {
            panic!("{context}/{number} was not granted")
        };
        hand_over(store, &lease).await;
        is_unknown
    };
    let store = adapter.store();
    assert!(is_unknown(&*store, "a", 1).await);
    assert!(is_unknown(&*store, "a", 1).await, "nothing was written yet");
    assert!(is_unknown(&*store, "a", 2).await);
    rebuild(&*store, "one").await;
    assert!(!is_unknown(&*store, "a", 2).await, "by the rebuild");
    for number in 1..=20 {
        let context = format!("new-{number}");
        assert!(!is_unknown(&*store, &context, 1).await, "{context}");
    }
    let store = adapter.wiped().await;
    for number in 1..=20 {
        let context = format!("new-{number}");
        assert!(is_unknown(&*store, &context, 1).await, "{context}");
    }
    make_live(&*store, &key("b"), 1, adapter.now()).await;
    assert!(!is_unknown(&*store, "b", 2).await, "its holder has written");
    let seed = seed(&key("new-1"), &[(1, "dep-1")], adapter.now());
    store.seed(&key("new-1"), &seed).await.unwrap();
    assert!(!is_unknown(&*store, "new-1", 1).await, "it was seeded");
}

pub async fn a_record_is_proven_by_what_its_holder_writes(adapter: &dyn Adapter) {
    let store = adapter.store();
    let is_proven = async |context: &str| !record(&*store, &key(context)).await.unproven;
    let (lease, granted) = grant(&*store, &key("recorded"), up(1)).await;
    assert!(granted.unproven);
    store.renew(lease.id(), TTL).await.unwrap();
    assert!(!is_proven("recorded").await, "a renewal says nothing of it");
    let dep = deployment("dep");
    store.record_deployment(lease.id(), &dep).await.unwrap();
    assert!(is_proven("recorded").await);

    let (lease, _) = grant(&*store, &key("live"), up(1)).await;
    let (shown, at) = (live(1, "dep"), adapter.now());
    store.go_live(lease.id(), &shown, at, TTL).await.unwrap();
    assert!(is_proven("live").await);

    for (context, outcome) in [
        ("failed", failed()),
        ("removed", Outcome::removed()),
        ("superseded", Outcome::Superseded { by: up(2) }),
    ] {
        let (lease, _) = grant(&*store, &key(context), up(1)).await;
        let settlement = settlement(outcome);
        store.settle(lease.id(), &settlement).await.unwrap();
        // An end says nothing of what providers have: its holder may not even have asked.
        assert!(!is_proven(context).await, "{context}");
    }
    let (lease, _) = grant(&*store, &key("released"), up(1)).await;
    hand_over(&*store, &lease).await;
    assert!(!is_proven("released").await);
}

pub async fn one_sweeper_leads_until_its_time_is_over(adapter: &dyn Adapter) {
    let store = adapter.store();
    let (one, two) = (Owner::new("one"), Owner::of_worker("a worker", 2));
    let leads = async |owner: &Owner| store.lead_sweep(owner, TTL).await.unwrap();
    assert!(leads(&one).await);
    assert!(!leads(&two).await);
    adapter.advance(TTL / 2);
    assert!(leads(&one).await, "prolonged");
    adapter.advance(TTL / 2);
    assert!(!leads(&two).await);
    adapter.advance(TTL / 2);
    assert!(leads(&two).await, "the other's time was over");
    assert!(!leads(&one).await);
    assert!(store.lead_sweep(&two, Duration::MAX).await.unwrap());
    adapter.advance(Duration::from_hours(24 * 365));
    assert!(!leads(&one).await);
    let wiped = adapter.wiped().await;
    assert!(wiped.lead_sweep(&one, TTL).await.unwrap());
}
