//! What can be listed, and in which order.

use std::time::Duration;

use foreshow_contract::{ContextKey, OutcomeKind};
use foreshow_engine::{ContextSummary, Happening, Outcome};

use super::{
    Adapter, TTL, ask, end, expired, failed, grant, key, make_live, revision, settlement, up,
};

pub async fn expired_previews_are_listed_oldest_first(adapter: &dyn Adapter) {
    let store = adapter.store();
    let at = |seconds| adapter.now().saturating_add(Duration::from_secs(seconds));
    for (context, number, seconds) in [("a", 1, 30), ("b", 2, 10), ("c", 3, 20), ("d", 4, 40)] {
        make_live(&*store, &key(context), number, at(seconds)).await;
    }
    // Failed, so nothing of it can expire.
    let (lease, _) = grant(&*store, &key("e"), up(1)).await;
    store
        .settle(lease.id(), &settlement(failed()))
        .await
        .unwrap();
    let expected = [
        (key("b"), revision(2)),
        (key("c"), revision(3)),
        (key("a"), revision(1)),
    ];
    assert_eq!(expired(&*store, at(30), 10).await, expected);
    assert_eq!(expired(&*store, at(30), 2).await, expected[..2]);
}

pub async fn contexts_are_listed_newest_change_first(adapter: &dyn Adapter) {
    let store = adapter.store();
    for context in ["a", "b", "c"] {
        make_live(&*store, &key(context), 1, adapter.now().saturating_add(TTL)).await;
        adapter.advance(Duration::from_secs(1));
    }
    ask(&*store, &ContextKey::try_new("other", "x").unwrap(), up(1)).await;
    adapter.advance(Duration::from_secs(1));
    ask(&*store, &key("a"), up(2)).await;
    let names = |listed: Vec<ContextSummary>| -> Vec<String> {
        listed
            .into_iter()
            .map(|context| context.key.to_string())
            .collect()
    };
    let all = store.contexts(None, 10).await.unwrap();
    assert!(all[0].last.is_none() && all[2].last.as_ref().unwrap().ordinal == up(1));
    assert_eq!(names(all), ["acme/a", "other/x", "acme/c", "acme/b"]);
    let tenant = key("a").tenant;
    assert_eq!(
        names(store.contexts(Some(&tenant), 2).await.unwrap()),
        ["acme/a", "acme/c"]
    );
}

pub async fn history_is_newest_first(adapter: &dyn Adapter) {
    let store = adapter.store();
    for (context, number) in [("a", 1), ("b", 1), ("a", 2)] {
        make_live(&*store, &key(context), number, adapter.now()).await;
        adapter.advance(Duration::from_secs(1));
    }
    let (lease, _) = grant(&*store, &key("a"), end(3)).await;
    store
        .settle(lease.id(), &settlement(Outcome::removed()))
        .await
        .unwrap();
    let all = store.history(None, 10).await.unwrap();
    let told: Vec<_> = all
        .iter()
        .map(|entry| (entry.key.context.as_str(), entry.ordinal, entry.what))
        .collect();
    let ready = Happening::Ended(OutcomeKind::Ready);
    assert_eq!(
        told,
        [
            ("a", end(3), Happening::Ended(OutcomeKind::Removed)),
            ("a", up(2), ready),
            ("b", up(1), ready),
            ("a", up(1), ready)
        ]
    );
    assert_eq!(all[1].detail, "local dep-2");
    let of_one = store.history(Some(&key("a")), 2).await.unwrap();
    assert_eq!(of_one, [all[0].clone(), all[1].clone()]);
}

/// However many there are, and however they are spread.
pub async fn listings_are_not_cut_short(adapter: &dyn Adapter) {
    let store = adapter.store();
    let tenants = ["acme", "other"];
    let name = |number: u64| {
        let tenant = tenants[usize::from(number.is_multiple_of(10))];
        ContextKey::try_new(tenant, &format!("c{number}")).unwrap()
    };
    for number in 1..=60 {
        let expires_at = adapter.now().saturating_add(Duration::from_secs(number));
        make_live(&*store, &name(number), number, expires_at).await;
        adapter.advance(Duration::from_secs(1));
    }
    // Asked again, with nothing newer: that is no change.
    for number in 1..=9 {
        ask(&*store, &name(number), up(number)).await;
    }
    let keys = |listed: Vec<ContextSummary>| -> Vec<ContextKey> {
        listed.into_iter().map(|context| context.key).collect()
    };
    let newest_first: Vec<_> = (1..=60).rev().map(name).collect();
    let listed = keys(store.contexts(None, 100).await.unwrap());
    assert_eq!(listed, newest_first);
    let listed = keys(store.contexts(None, 7).await.unwrap());
    assert_eq!(listed, newest_first[..7]);
    let tenant = name(10).tenant;
    let of_other: Vec<_> = (1..=6).rev().map(|ten| name(ten * 10)).collect();
    let listed = keys(store.contexts(Some(&tenant), 100).await.unwrap());
    assert_eq!(listed, of_other);
    let listed = keys(store.contexts(Some(&tenant), 4).await.unwrap());
    assert_eq!(listed, of_other[..4]);
    // Each expires twice its number of seconds after the start, less one.
    let later = adapter.now().saturating_add(Duration::from_hours(1));
    let oldest_first: Vec<_> = (1..=60).map(|n| (name(n), revision(n))).collect();
    assert_eq!(expired(&*store, later, 100).await, oldest_first);
    assert_eq!(expired(&*store, later, 5).await, oldest_first[..5]);
    let history = store.history(None, 100).await.unwrap();
    let told: Vec<_> = history.into_iter().map(|entry| entry.key).collect();
    assert_eq!(told, newest_first);
    let history = store.history(Some(&name(10)), 100).await.unwrap();
    assert_eq!(history.len(), 1);
}
