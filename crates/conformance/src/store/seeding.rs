//! What providers know of a context that the store has forgotten, or may have.

use std::time::Duration;

use foreshow_engine::{Claimed, ContextStatus, Outcome, Recording, Seed};

use super::{
    Adapter, TTL, alias, ask, claim, deployment, end, expired, failed, far, grant, hand_over, key,
    live, make_live, record, revision, seed, settlement, soon, suspect, up,
};

pub async fn a_late_old_revision_is_stale_once_its_context_is_seeded(adapter: &dyn Adapter) {
    make_live(&*adapter.store(), &key("a"), 7, far()).await;
    let store = adapter.wiped().await;
    // The first to come after the wipe is a late copy of what is long over.
    let (lease, _) = grant(&*store, &key("a"), up(3)).await;
    let mut watch = store.watch(&key("a"));
    let expires_at = adapter.now().saturating_add(TTL);
    let told = seed(&key("a"), &[(6, "dep-6"), (7, "dep-7")], expires_at);
    store.seed(&key("a"), &told).await.unwrap();
    soon(watch.changed()).await;
    let dep = deployment("dep-3");
    let recorded = store.record_deployment(lease.id(), &dep).await.unwrap();
    assert_eq!(recorded, Recording::Ended(up(7)));
    let went = store
        .go_live(lease.id(), &live(3, "dep-3"), far(), TTL)
        .await;
    assert_eq!(went.unwrap(), Recording::Ended(up(7)));
    hand_over(&*store, &lease).await;
    assert!(matches!(ask(&*store, &key("a"), up(3)).await, Claimed::Stale { by } if by == up(7)));
    let seeded = record(&*store, &key("a")).await;
    let shown = seeded.live.clone().unwrap();
    assert_eq!(
        (shown.revision, shown.deployment.as_str()),
        (revision(7), "dep-7")
    );
    assert_eq!(
        (seeded.desired, seeded.expires_at),
        (up(7), Some(expires_at))
    );
    assert_eq!(seeded.status(None), ContextStatus::Live);
    assert!(!seeded.unproven);
}

pub async fn a_context_that_nothing_tells_of_is_proven_by_that(adapter: &dyn Adapter) {
    let store = adapter.store();
    let nothing = seed(&key("a"), &[], far());
    store.seed(&key("a"), &nothing).await.unwrap();
    assert_eq!(store.context(&key("a")).await.unwrap(), None);
    let (_lease, granted) = grant(&*store, &key("a"), up(1)).await;
    store.seed(&key("a"), &nothing).await.unwrap();
    let proven = record(&*store, &key("a")).await;
    assert!(granted.unproven && !proven.unproven);
    let unproven = foreshow_engine::ContextRecord {
        unproven: true,
        ..proven
    };
    assert_eq!(unproven, granted, "and nothing else has changed");
}

pub async fn a_seed_only_raises(adapter: &dyn Adapter) {
    let store = adapter.store();
    let expires_at = adapter.now().saturating_add(TTL);
    make_live(&*store, &key("a"), 5, expires_at).await;
    let before = record(&*store, &key("a")).await;
    adapter.advance(Duration::from_secs(1));
    for told in [
        &[][..],
        &[(4, "dep-4")],
        &[(5, "another")],
        &[(5, "dep-5"), (1, "dep-1")],
    ] {
        let seed = seed(&key("a"), told, far());
        store.seed(&key("a"), &seed).await.unwrap();
        assert_eq!(record(&*store, &key("a")).await, before, "{told:?}");
    }
    // What is newer is raised for itself: the newest tag, and the newest that serves.
    let newer = Seed {
        newest: Some(revision(9)),
        ..seed(&key("a"), &[(6, "dep-6")], far())
    };
    for _ in 0..2 {
        store.seed(&key("a"), &newer).await.unwrap();
        let after = record(&*store, &key("a")).await;
        assert_eq!((after.desired, after.desired_digest.as_str()), (up(9), ""));
        assert_eq!(after.live.unwrap().deployment.as_str(), "dep-6");
        assert_eq!(after.expires_at, Some(far()));
    }
    // An end of the same revision is above it.
    ask(&*store, &key("a"), end(9)).await;
    store.seed(&key("a"), &newer).await.unwrap();
    assert_eq!(record(&*store, &key("a")).await.desired, end(9));
}

pub async fn a_seed_brings_nothing_back_that_was_ended_or_condemned(adapter: &dyn Adapter) {
    let store = adapter.store();
    let (lease, _) = grant(&*store, &key("a"), end(4)).await;
    let removed = settlement(Outcome::removed());
    store.settle(lease.id(), &removed).await.unwrap();
    for number in [3, 4] {
        let told = seed(&key("a"), &[(number, "dep")], far());
        store.seed(&key("a"), &told).await.unwrap();
        let after = record(&*store, &key("a")).await;
        assert_eq!(
            (after.desired, after.live, after.expires_at),
            (end(4), None, None)
        );
    }
    assert!(matches!(
        ask(&*store, &key("a"), up(4)).await,
        Claimed::Stale { .. }
    ));
    // Above the end all is open; but what is about to be deleted is nobody's.
    let (lease, _) = grant(&*store, &key("a"), up(5)).await;
    let failure = settlement(failed());
    store.settle(lease.id(), &failure).await.unwrap();
    let suspect = suspect(&key("a"), 5, "dep-5", far());
    store.judge(&key("a"), &suspect).await.unwrap();
    assert_eq!(record(&*store, &key("a")).await.condemned, ["dep-5"]);
    let told = seed(&key("a"), &[(5, "dep-5")], far());
    store.seed(&key("a"), &told).await.unwrap();
    assert_eq!(record(&*store, &key("a")).await.live, None);
    let told = seed(&key("a"), &[(6, "dep-6")], far());
    store.seed(&key("a"), &told).await.unwrap();
    let after = record(&*store, &key("a")).await;
    assert_eq!(
        (after.desired, after.live.unwrap().revision),
        (up(6), revision(6))
    );
    assert_eq!(after.floor, Some(revision(4)));
}

pub async fn what_a_seed_left_open_the_first_claim_fills_in(adapter: &dyn Adapter) {
    let store = adapter.store();
    let told = seed(&key("a"), &[(2, "dep-2")], far());
    store.seed(&key("a"), &told).await.unwrap();
    let asked = claim(&key("a"), up(2), "digest");
    let Claimed::Granted { lease, record, .. } = store.claim(&asked).await.unwrap() else {
        panic!()
    };
    assert_eq!(record.desired_digest, "digest");
    let other = store
        .claim(&claim(&key("a"), up(2), "other"))
        .await
        .unwrap();
    assert!(matches!(other, Claimed::Conflict), "{other:?}");
    hand_over(&*store, &lease).await;
    let again = store
        .claim(&claim(&key("a"), up(2), "digest"))
        .await
        .unwrap();
    assert!(matches!(again, Claimed::Granted { .. }), "{again:?}");
}

pub async fn a_seeded_context_is_listed_and_expires(adapter: &dyn Adapter) {
    let store = adapter.store();
    let expires_at = adapter.now().saturating_add(Duration::from_hours(5));
    let told = seed(&key("a"), &[(2, "dep-2")], expires_at);
    store.seed(&key("a"), &told).await.unwrap();
    let resolved = store.resolve_alias(&alias(&key("a"))).await.unwrap();
    assert_eq!(resolved, Some(key("a")));
    let listed = store.contexts(None, 9).await.unwrap();
    assert_eq!((listed.len(), &listed[0].key), (1, &key("a")));
    assert_eq!(listed[0].record.desired_at, adapter.now());
    let before = expires_at.saturating_sub(TTL);
    assert_eq!(expired(&*store, before, 9).await, []);
    let expired = expired(&*store, expires_at, 9).await;
    assert_eq!(expired, [(key("a"), revision(2))]);
    // It lives on like any other.
    adapter.advance(Duration::from_hours(4));
    let prolonged = store.touch(&key("a"), None).await.unwrap();
    assert_eq!(
        prolonged,
        Some(adapter.now().saturating_add(Duration::from_hours(5)))
    );
}

/// Learnt from the tags while its holder works on it.
pub async fn what_is_newer_than_an_admitted_revision_stops_it(adapter: &dyn Adapter) {
    let store = adapter.store();
    let (lease, _) = grant(&*store, &key("a"), up(3)).await;
    let dep = deployment("dep-3");
    // Tagged, and not serving: nothing is shown that would be taken back.
    let tagged = Seed {
        newest: Some(revision(5)),
        ..seed(&key("a"), &[], far())
    };
    store.seed(&key("a"), &tagged).await.unwrap();
    let recorded = store.record_deployment(lease.id(), &dep).await.unwrap();
    assert_eq!(recorded, Recording::Recorded);
    // As old as it is, or older, and serving.
    for number in [2, 3] {
        let told = seed(&key("a"), &[(number, "another")], far());
        store.seed(&key("a"), &told).await.unwrap();
        let recorded = store.record_deployment(lease.id(), &dep).await.unwrap();
        assert_eq!(recorded, Recording::Recorded);
    }
    let told = seed(&key("a"), &[(4, "dep-4")], far());
    store.seed(&key("a"), &told).await.unwrap();
    let recorded = store.record_deployment(lease.id(), &dep).await.unwrap();
    assert_eq!(recorded, Recording::Ended(up(5)));
    let went = store
        .go_live(lease.id(), &live(3, "dep-3"), far(), TTL)
        .await;
    assert_eq!(went.unwrap(), Recording::Ended(up(5)));
    assert_eq!(
        record(&*store, &key("a")).await.live.unwrap().revision,
        revision(4)
    );
}
