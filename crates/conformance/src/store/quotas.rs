//! Places in a tenant's sets.

use std::time::Duration;

use foreshow_contract::ContextKey;
use foreshow_engine::{Admission, AdmitRequest, QuotaMember, QuotaSet};

use super::{Adapter, admission, count, key, revision};

pub async fn a_quota_counts_members_until_their_deadlines(adapter: &dyn Adapter) {
    let store = adapter.store();
    let tenant = key("a").tenant;
    let request = |context: &str| AdmitRequest {
        concurrent_builds: Some(count(2)),
        ..admission(&key(context), 1, adapter.now())
    };
    for context in ["a", "b"] {
        assert_eq!(
            store.admit(&request(context)).await.unwrap(),
            Admission::Admitted
        );
        adapter.advance(Duration::from_secs(10));
    }
    let next_at = adapter.now().saturating_add(Duration::from_secs(30));
    let full = store.admit(&request("c")).await.unwrap();
    assert_eq!(
        full,
        Admission::Full {
            set: QuotaSet::ConcurrentBuilds,
            limit: 2,
            used: 2,
            next_at
        }
    );
    assert_eq!(
        store
            .quota_used(&tenant, QuotaSet::LivePreviews)
            .await
            .unwrap(),
        2,
        "the third counts nowhere"
    );
    // Another tenant has its own.
    let other = AdmitRequest {
        key: ContextKey::try_new("other", "c").unwrap(),
        ..request("c")
    };
    assert_eq!(store.admit(&other).await.unwrap(), Admission::Admitted);
    adapter.advance(Duration::from_secs(30));
    assert_eq!(
        store
            .quota_used(&tenant, QuotaSet::ConcurrentBuilds)
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        store.admit(&request("c")).await.unwrap(),
        Admission::Admitted
    );
    let member = QuotaMember::Build(key("c"), revision(1));
    store.leave(&member).await.unwrap();
    store.leave(&member).await.unwrap();
    assert_eq!(
        store
            .quota_used(&tenant, QuotaSet::ConcurrentBuilds)
            .await
            .unwrap(),
        1
    );
}

pub async fn admission_is_idempotent_and_all_or_nothing(adapter: &dyn Adapter) {
    let store = adapter.store();
    let tenant = key("a").tenant;
    let request = |context: &str, number| AdmitRequest {
        live_previews: Some(count(1)),
        concurrent_builds: Some(count(1)),
        ..admission(&key(context), number, adapter.now())
    };
    for _ in 0..3 {
        assert_eq!(
            store.admit(&request("a", 1)).await.unwrap(),
            Admission::Admitted
        );
    }
    assert_eq!(
        store
            .quota_used(&tenant, QuotaSet::ConcurrentBuilds)
            .await
            .unwrap(),
        1
    );
    let full = store.admit(&request("b", 1)).await.unwrap();
    assert!(
        matches!(
            full,
            Admission::Full {
                set: QuotaSet::LivePreviews,
                used: 1,
                ..
            }
        ),
        "{full:?}"
    );
    // The same context is no second preview, but a second build.
    let full = store.admit(&request("a", 2)).await.unwrap();
    assert!(
        matches!(
            full,
            Admission::Full {
                set: QuotaSet::ConcurrentBuilds,
                ..
            }
        ),
        "{full:?}"
    );
    store
        .leave(&QuotaMember::LivePreview(key("a")))
        .await
        .unwrap();
    let full = store.admit(&request("b", 1)).await.unwrap();
    assert!(
        matches!(
            full,
            Admission::Full {
                set: QuotaSet::ConcurrentBuilds,
                ..
            }
        ),
        "{full:?}"
    );
    assert_eq!(
        store
            .quota_used(&tenant, QuotaSet::LivePreviews)
            .await
            .unwrap(),
        0,
        "nothing was taken"
    );
}

pub async fn a_live_context_is_not_stopped_by_the_cap_on_live_ones(adapter: &dyn Adapter) {
    let store = adapter.store();
    let request = |context: &str, is_live| AdmitRequest {
        live_previews: Some(count(1)),
        is_live,
        ..admission(&key(context), 1, adapter.now())
    };
    assert_eq!(
        store.admit(&request("a", false)).await.unwrap(),
        Admission::Admitted
    );
    assert!(matches!(
        store.admit(&request("b", false)).await.unwrap(),
        Admission::Full { .. }
    ));
    assert_eq!(
        store.admit(&request("b", true)).await.unwrap(),
        Admission::Admitted
    );
}
