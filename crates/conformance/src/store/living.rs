//! What is live, for how long, and numbers at their limits.

use std::time::Duration;

use foreshow_contract::{ContextKey, Revision, Timestamp};
use foreshow_engine::{
    Address, AdmitRequest, Claim, Claimed, ContextStatus, Live, Outcome, QuotaSet, Recording,
    Settling, Suspect, Verdict,
};

use super::{
    Adapter, TTL, admission, alias, claim, deployment, expired, far, grant, key, live, make_live,
    ready, revision, settlement, suspect, up,
};

pub async fn going_live_is_recorded_and_prolongs_the_lease(adapter: &dyn Adapter) {
    let store = adapter.store();
    let (lease, _) = grant(&*store, &key("a"), up(1)).await;
    store
        .record_deployment(lease.id(), &deployment("dep-1"))
        .await
        .unwrap();
    let building = store.context(&key("a")).await.unwrap().unwrap().building;
    assert_eq!(building, Some(deployment("dep-1")));
    adapter.advance(TTL / 2);
    let went = store
        .go_live(lease.id(), &live(1, "dep-1"), adapter.now(), TTL)
        .await
        .unwrap();
    assert_eq!(went, Recording::Recorded);
    adapter.advance(TTL / 2);
    let record = store.context(&key("a")).await.unwrap().unwrap();
    assert_eq!(
        (&record.live, &record.building),
        (&Some(live(1, "dep-1")), &None)
    );
    assert_eq!(record.status(None), ContextStatus::Live);
    let expires_at = adapter.now().saturating_add(Duration::from_mins(1));
    let settled = store
        .settle(lease.id(), &settlement(ready("dep-1", expires_at)))
        .await
        .unwrap();
    assert!(matches!(settled, Settling::Settled { .. }));
    let record = store.context(&key("a")).await.unwrap().unwrap();
    assert_eq!(
        (record.lease, record.expires_at, record.ttl_seconds),
        (None, Some(expires_at), Some(60))
    );
}

/// It comes after the revision has gone live, and before its end is settled.
pub async fn a_touch_meanwhile_is_not_taken_back(adapter: &dyn Adapter) {
    let store = adapter.store();
    let (lease, _) = grant(&*store, &key("a"), up(1)).await;
    let expires_at = adapter.now().saturating_add(TTL);
    let live = live(1, "dep-1");
    store
        .go_live(lease.id(), &live, expires_at, TTL)
        .await
        .unwrap();
    let touched = store.touch(&key("a"), Some(TTL * 2)).await.unwrap();
    assert!(touched > Some(expires_at));
    let ready = settlement(ready("dep-1", expires_at));
    store.settle(lease.id(), &ready).await.unwrap();
    let record = store.context(&key("a")).await.unwrap().unwrap();
    assert_eq!(record.expires_at, touched);
}

pub async fn a_touch_prolongs_and_never_shortens(adapter: &dyn Adapter) {
    let store = adapter.store();
    assert_eq!(store.touch(&key("a"), Some(TTL)).await.unwrap(), None);
    let hour = Duration::from_hours(1);
    let expires_at = adapter.now().saturating_add(hour);
    store
        .admit(&AdmitRequest {
            live_until: expires_at,
            ..admission(&key("a"), 1, adapter.now())
        })
        .await
        .unwrap();
    make_live(&*store, &key("a"), 1, expires_at).await;
    assert_eq!(
        store
            .touch(&key("a"), Some(Duration::from_secs(1)))
            .await
            .unwrap(),
        Some(expires_at)
    );
    adapter.advance(hour / 2);
    let prolonged = adapter.now().saturating_add(hour);
    assert_eq!(
        store.touch(&key("a"), Some(hour)).await.unwrap(),
        Some(prolonged)
    );
    adapter.advance(Duration::from_mins(1));
    let by_its_own = adapter.now().saturating_add(hour);
    assert_eq!(
        store.touch(&key("a"), None).await.unwrap(),
        Some(by_its_own)
    );
    // The place among the live previews goes with it.
    adapter.advance(Duration::from_mins(59));
    let tenant = key("a").tenant;
    assert_eq!(
        store
            .quota_used(&tenant, QuotaSet::LivePreviews)
            .await
            .unwrap(),
        1
    );
    assert!(expired(&*store, adapter.now(), 10).await.is_empty());
    adapter.advance(Duration::from_mins(1));
    assert_eq!(
        store
            .quota_used(&tenant, QuotaSet::LivePreviews)
            .await
            .unwrap(),
        0
    );
    assert_eq!(
        expired(&*store, adapter.now(), 10).await,
        [(key("a"), revision(1))]
    );
}

pub async fn a_touch_never_lowers_the_deadline_of_a_live_place(adapter: &dyn Adapter) {
    let store = adapter.store();
    let tenant = key("a").tenant;
    let hour = Duration::from_hours(1);
    // A newer revision was admitted for longer than what is live yet was.
    let now = adapter.now();
    store
        .admit(&AdmitRequest {
            live_until: now.saturating_add(hour * 4),
            ..admission(&key("a"), 2, now)
        })
        .await
        .unwrap();
    make_live(&*store, &key("a"), 1, now.saturating_add(hour)).await;
    let prolonged = store.touch(&key("a"), Some(hour * 2)).await.unwrap();
    assert_eq!(prolonged, Some(now.saturating_add(hour * 2)));
    adapter.advance(hour * 3);
    let used = async || {
        let used = store.quota_used(&tenant, QuotaSet::LivePreviews).await;
        used.unwrap()
    };
    assert_eq!(used().await, 1);
    adapter.advance(hour);
    assert_eq!(used().await, 0);
}

pub async fn the_largest_numbers_survive(adapter: &dyn Adapter) {
    let store = adapter.store();
    let name = ContextKey::try_new(&"t/é".repeat(6), &"c ~\u{1F600}'\"%".repeat(5)).unwrap();
    let max = up(Revision::MAX.get());
    let asked = Claim {
        ttl: Duration::MAX,
        ..claim(&name, max, "d")
    };
    let Claimed::Granted { lease, .. } = store.claim(&asked).await.unwrap() else {
        panic!()
    };
    let far = Timestamp::MAX;
    let settled = store
        .settle(lease.id(), &settlement(ready("dep", far)))
        .await
        .unwrap();
    assert!(matches!(settled, Settling::Settled { .. }));
    let settled = store.outcome(&name, max).await.unwrap().unwrap();
    assert_eq!((settled.ordinal, settled.outcome), (max, ready("dep", far)));
    assert_eq!(
        store.resolve_alias(&alias(&name)).await.unwrap(),
        Some(name.clone())
    );
    assert_eq!(
        store.contexts(Some(&name.tenant), 9).await.unwrap()[0].key,
        name
    );
    assert_eq!(
        store.context(&name).await.unwrap().unwrap().expires_at,
        Some(far)
    );
    assert_eq!(
        store.touch(&name, Some(Duration::MAX)).await.unwrap(),
        Some(far)
    );
    assert_eq!(store.history(Some(&name), 9).await.unwrap()[0].ordinal, max);
}

/// What providers, routes and people choose has no length and no alphabet of ours.
pub async fn long_and_strange_words_survive(adapter: &dyn Adapter) {
    let store = adapter.store();
    let judge = async |suspect: Suspect| store.judge(&key("a"), &suspect).await.unwrap();
    for (number, word) in [
        (1, "x".repeat(64)),
        (2, "x".repeat(65)),
        (3, "a0".repeat(32)),
        (4, "é\n\0\u{1F600} =".repeat(40)),
        (5, String::new()),
        (6, "007".to_owned()),
        (7, "AB".repeat(32)),
    ] {
        // No digest is empty: that is one that is not known.
        let digest = if word.is_empty() { "d" } else { &word };
        let asked = claim(&key("a"), up(number), digest);
        let Claimed::Granted { lease, record, .. } = store.claim(&asked).await.unwrap() else {
            panic!("{word:?} was not granted")
        };
        assert_eq!(record.desired_digest, digest);
        let other = claim(&key("a"), up(number), &format!("{digest}!"));
        let answer = store.claim(&other).await.unwrap();
        assert!(matches!(answer, Claimed::Conflict), "{answer:?}");
        let building = deployment(&word);
        store
            .record_deployment(lease.id(), &building)
            .await
            .unwrap();
        let record = store.context(&key("a")).await.unwrap().unwrap();
        assert_eq!(record.building, Some(building));
        let shown = Live {
            address: Address::new(word.clone()),
            tree: word.clone(),
            settings: word.clone(),
            ..live(number, &word)
        };
        store.go_live(lease.id(), &shown, far(), TTL).await.unwrap();
        let record = store.context(&key("a")).await.unwrap().unwrap();
        assert_eq!((record.live, record.building), (Some(shown), None));
        let other = suspect(&key("a"), number, &format!("{word}!"), far());
        let known = suspect(&key("a"), number, &word, far());
        assert_eq!(
            (judge(other.clone()).await, judge(known).await),
            (Verdict::Condemned, Verdict::Known)
        );
        let record = store.context(&key("a")).await.unwrap().unwrap();
        assert_eq!(record.condemned, std::slice::from_ref(&other.deployment.id));
        store
            .forget_condemned(&key("a"), &other.deployment.id)
            .await
            .unwrap();
        store
            .settle(lease.id(), &settlement(ready(&word, far())))
            .await
            .unwrap();
        let settled = store.outcome(&key("a"), up(number)).await.unwrap().unwrap();
        assert_eq!(settled.digest, digest);
        let Outcome::Ready(settled) = settled.outcome else {
            panic!()
        };
        assert_eq!(settled.deployment.as_str(), word);
    }
}
