//! The claims. They know the port alone, so that the next adapter can run them too.

use std::time::Duration;

use foreshow_contract::{ContextKey, OutcomeKind, Revision};
use foreshow_engine::{
    Admission, AdmitRequest, Claimed, ContextStatus, Outcome, QuotaMember, QuotaSet, Recording,
    Renewal, Settlement, Settling,
};

use crate::support::{
    Adapter, TTL, admission, alias, ask, claim, count, deployment, end, failed, far, fires, forged,
    grant, key, live, make_live, ready, revision, settlement, soon, up,
};

pub(crate) async fn one_claim_is_granted_and_the_next_is_held_until_it_runs_out(
    adapter: &dyn Adapter,
) {
    let store = adapter.store();
    let (lease, record) = grant(&*store, &key("a"), up(1)).await;
    assert_eq!((record.desired, record.alias), (up(1), alias(&key("a"))));
    let until = adapter.now().saturating_add(TTL);
    let Claimed::Held { until: told } = ask(&*store, &key("a"), up(1)).await else {
        panic!()
    };
    assert_eq!(told, until);
    adapter.advance(TTL);
    let (next, _) = grant(&*store, &key("a"), up(1)).await;
    assert!(next.id().fence > lease.id().fence);
    assert!(matches!(
        ask(&*store, &key("b"), up(1)).await,
        Claimed::Granted { .. }
    ));
}

pub(crate) async fn of_a_hundred_claims_at_once_one_is_granted(adapter: &dyn Adapter) {
    let store = adapter.store();
    let claims: Vec<_> = (0..100)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                matches!(
                    ask(&*store, &key("a"), up(1)).await,
                    Claimed::Granted { .. }
                )
            })
        })
        .collect();
    let mut granted = 0;
    for claim in claims {
        granted += usize::from(claim.await.unwrap());
    }
    assert_eq!(granted, 1);
}

pub(crate) async fn a_newer_event_makes_the_older_one_stale(adapter: &dyn Adapter) {
    let store = adapter.store();
    let (lease, _) = grant(&*store, &key("a"), up(5)).await;
    let Claimed::Stale { by } = ask(&*store, &key("a"), up(4)).await else {
        panic!()
    };
    assert_eq!(by, up(5));
    assert!(matches!(
        ask(&*store, &key("a"), end(5)).await,
        Claimed::Held { .. }
    ));
    let renewal = store.renew(lease.id(), TTL).await.unwrap();
    assert_eq!(
        renewal,
        Renewal::Renewed {
            desired: end(5),
            floor: Some(revision(5))
        }
    );
}

pub(crate) async fn the_event_under_the_lease_is_held_and_never_stale(adapter: &dyn Adapter) {
    let store = adapter.store();
    let (lease, _) = grant(&*store, &key("a"), up(1)).await;
    assert!(matches!(
        ask(&*store, &key("a"), up(2)).await,
        Claimed::Held { .. }
    ));
    assert!(matches!(
        ask(&*store, &key("a"), up(1)).await,
        Claimed::Held { .. }
    ));
    store.release(lease.id()).await.unwrap();
    assert!(matches!(ask(&*store, &key("a"), up(1)).await, Claimed::Stale { by } if by == up(2)));
}

pub(crate) async fn the_same_revision_with_other_content_conflicts(adapter: &dyn Adapter) {
    let store = adapter.store();
    let (lease, _) = grant(&*store, &key("a"), up(1)).await;
    let other = claim(&key("a"), up(1), "other content");
    assert!(matches!(
        store.claim(&other).await.unwrap(),
        Claimed::Conflict
    ));
    ask(&*store, &key("a"), up(2)).await;
    assert!(
        matches!(store.claim(&other).await.unwrap(), Claimed::Conflict),
        "also while something newer waits"
    );
    store
        .settle(lease.id(), &settlement(failed()))
        .await
        .unwrap();
    assert!(
        matches!(store.claim(&other).await.unwrap(), Claimed::Conflict),
        "also once it has ended"
    );
}

pub(crate) async fn how_an_event_ended_is_said_again(adapter: &dyn Adapter) {
    let store = adapter.store();
    let at = adapter.now();
    let (lease, _) = grant(&*store, &key("a"), up(1)).await;
    let settled = store
        .settle(lease.id(), &settlement(failed()))
        .await
        .unwrap();
    assert_eq!(settled, Settling::Settled { outcome: failed() });
    adapter.advance(Duration::from_secs(1));
    // Also after something newer was accepted: each event ends once.
    make_live(&*store, &key("a"), 2, adapter.now().saturating_add(TTL)).await;
    let Claimed::Finished(settled) = ask(&*store, &key("a"), up(1)).await else {
        panic!()
    };
    assert_eq!(
        (settled.ordinal, &settled.outcome, settled.at),
        (up(1), &failed(), at)
    );
    assert_eq!(
        store.outcome(&key("a"), up(1)).await.unwrap(),
        Some(settled)
    );
    // Superseded needs no memory: the order says it again.
    let (lease, _) = grant(&*store, &key("a"), up(3)).await;
    ask(&*store, &key("a"), up(4)).await;
    store
        .settle(lease.id(), &settlement(Outcome::Superseded { by: up(4) }))
        .await
        .unwrap();
    assert_eq!(store.outcome(&key("a"), up(3)).await.unwrap(), None);
    assert!(matches!(ask(&*store, &key("a"), up(3)).await, Claimed::Stale { by } if by == up(4)));
}

pub(crate) async fn an_end_stops_what_it_covers_when_it_is_accepted(adapter: &dyn Adapter) {
    let store = adapter.store();
    let (lease, _) = grant(&*store, &key("a"), up(3)).await;
    // A lower end is superseded, but its floor stands.
    assert!(matches!(
        ask(&*store, &key("a"), end(2)).await,
        Claimed::Stale { .. }
    ));
    let recorded = store
        .record_deployment(lease.id(), &deployment("dep-3"))
        .await
        .unwrap();
    assert_eq!(recorded, Recording::Recorded);
    assert!(matches!(
        ask(&*store, &key("a"), end(3)).await,
        Claimed::Held { .. }
    ));
    let recorded = store
        .record_deployment(lease.id(), &deployment("dep-3"))
        .await
        .unwrap();
    assert_eq!(recorded, Recording::Ended(end(3)));
    let went = store
        .go_live(lease.id(), &live(3, "dep-3"), far(), TTL)
        .await
        .unwrap();
    assert_eq!(went, Recording::Ended(end(3)));
    assert_eq!(store.context(&key("a")).await.unwrap().unwrap().live, None);
}

pub(crate) async fn a_lost_lease_writes_nothing(adapter: &dyn Adapter) {
    let store = adapter.store();
    let (lost, _) = grant(&*store, &key("a"), up(1)).await;
    adapter.advance(TTL);
    // Run out is lost, also while nobody has taken over.
    assert_eq!(store.renew(lost.id(), TTL).await.unwrap(), Renewal::Lost);
    let (lease, _) = grant(&*store, &key("a"), up(1)).await;
    let record = store.context(&key("a")).await.unwrap();
    for id in [lost.id().clone(), forged(lease.id())] {
        assert_eq!(store.renew(&id, TTL).await.unwrap(), Renewal::Lost);
        assert_eq!(
            store
                .record_deployment(&id, &deployment("x"))
                .await
                .unwrap(),
            Recording::Lost
        );
        assert_eq!(
            store.go_live(&id, &live(1, "x"), far(), TTL).await.unwrap(),
            Recording::Lost
        );
        assert_eq!(
            store.settle(&id, &settlement(failed())).await.unwrap(),
            Settling::Lost
        );
        store.release(&id).await.unwrap();
    }
    assert_eq!(store.context(&key("a")).await.unwrap(), record);
    assert_eq!(store.outcome(&key("a"), up(1)).await.unwrap(), None);
    assert!(store.history(None, 10).await.unwrap().is_empty());
    // Nor of a context that the store has forgotten.
    let wiped = adapter.wiped().await;
    assert_eq!(wiped.renew(lease.id(), TTL).await.unwrap(), Renewal::Lost);
    assert_eq!(
        wiped
            .settle(lease.id(), &settlement(failed()))
            .await
            .unwrap(),
        Settling::Lost
    );
    wiped.release(lease.id()).await.unwrap();
    assert_eq!(wiped.context(&key("a")).await.unwrap(), None);
}

pub(crate) async fn a_release_opens_the_context_and_decides_nothing(adapter: &dyn Adapter) {
    let store = adapter.store();
    let (lease, _) = grant(&*store, &key("a"), up(1)).await;
    store.release(lease.id()).await.unwrap();
    store.release(lease.id()).await.unwrap();
    assert_eq!(store.outcome(&key("a"), up(1)).await.unwrap(), None);
    let (again, _) = grant(&*store, &key("a"), up(1)).await;
    assert!(again.id().fence > lease.id().fence);
}

pub(crate) async fn a_fence_is_above_those_of_a_store_that_was_lost(adapter: &dyn Adapter) {
    let store = adapter.store();
    let (lease, _) = grant(&*store, &key("a"), up(1)).await;
    store.release(lease.id()).await.unwrap();
    let (lease, _) = grant(&*store, &key("a"), up(1)).await;
    adapter.advance(Duration::from_millis(1));
    let (after, _) = grant(&*adapter.wiped().await, &key("a"), up(1)).await;
    assert!(after.id().fence > lease.id().fence);
}

pub(crate) async fn going_live_is_recorded_and_prolongs_the_lease(adapter: &dyn Adapter) {
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
        .go_live(lease.id(), &live(1, "dep-1"), far(), TTL)
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

pub(crate) async fn announced_revisions_that_nothing_kept_serves_are_told_once(
    adapter: &dyn Adapter,
) {
    let store = adapter.store();
    let expires_at = adapter.now().saturating_add(TTL);
    for number in 1..=3 {
        make_live(&*store, &key("a"), number, expires_at).await;
    }
    make_live(&*store, &key("b"), 2, expires_at).await;
    let (lease, _) = grant(&*store, &key("a"), up(4)).await;
    let settlement = Settlement {
        kept: vec!["dep-4".into(), "dep-2".into()],
        ..settlement(ready("dep-4", expires_at))
    };
    let Settling::Settled {
        outcome: Outcome::Ready(ready),
    } = store.settle(lease.id(), &settlement).await.unwrap()
    else {
        panic!()
    };
    assert_eq!(ready.replaced, [revision(1), revision(3)]);
    make_live(&*store, &key("a"), 5, expires_at).await;
    let later = store.outcome(&key("a"), up(5)).await.unwrap().unwrap();
    let Outcome::Ready(later) = later.outcome else {
        panic!()
    };
    assert_eq!(later.replaced, [], "they were told of");
    // A repeat tells the same.
    let Claimed::Finished(settled) = ask(&*store, &key("a"), up(4)).await else {
        panic!()
    };
    assert_eq!(settled.outcome, Outcome::Ready(ready));
}

pub(crate) async fn an_end_takes_the_preview_away(adapter: &dyn Adapter) {
    let store = adapter.store();
    let expires_at = adapter.now().saturating_add(TTL);
    make_live(&*store, &key("a"), 1, expires_at).await;
    let (lease, record) = grant(&*store, &key("a"), end(2)).await;
    assert!(record.live.is_some());
    store
        .settle(lease.id(), &settlement(Outcome::Removed))
        .await
        .unwrap();
    let record = store.context(&key("a")).await.unwrap().unwrap();
    assert_eq!(
        (record.live.clone(), record.expires_at, record.floor),
        (None, None, Some(revision(2)))
    );
    let last = store.outcome(&key("a"), end(2)).await.unwrap();
    assert_eq!(record.status(last.as_ref()), ContextStatus::Ended);
    assert_eq!(store.touch(&key("a"), None).await.unwrap(), None);
    // The record stays, as the tombstone.
    assert!(matches!(ask(&*store, &key("a"), up(2)).await, Claimed::Stale { by } if by == end(2)));
    assert_eq!(
        store.resolve_alias(&alias(&key("a"))).await.unwrap(),
        Some(key("a"))
    );
}

pub(crate) async fn a_touch_prolongs_and_never_shortens(adapter: &dyn Adapter) {
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
    assert!(store.expired(adapter.now(), 10).await.unwrap().is_empty());
    adapter.advance(Duration::from_mins(1));
    assert_eq!(
        store
            .quota_used(&tenant, QuotaSet::LivePreviews)
            .await
            .unwrap(),
        0
    );
    assert_eq!(
        store.expired(adapter.now(), 10).await.unwrap(),
        [(key("a"), revision(1))]
    );
}

pub(crate) async fn the_largest_numbers_survive(adapter: &dyn Adapter) {
    let store = adapter.store();
    let name = ContextKey::try_new(&"t/é".repeat(6), &"c ~\u{1F600}'\"%".repeat(5)).unwrap();
    let max = up(Revision::MAX.get());
    let asked = foreshow_engine::Claim {
        ttl: Duration::MAX,
        ..claim(&name, max, "d")
    };
    let Claimed::Granted { lease, .. } = store.claim(&asked).await.unwrap() else {
        panic!()
    };
    let far = foreshow_contract::Timestamp::MAX;
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

pub(crate) async fn a_quota_counts_members_until_their_deadlines(adapter: &dyn Adapter) {
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

pub(crate) async fn admission_is_idempotent_and_all_or_nothing(adapter: &dyn Adapter) {
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

pub(crate) async fn a_live_context_is_not_stopped_by_the_cap_on_live_ones(adapter: &dyn Adapter) {
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

pub(crate) async fn expired_previews_are_listed_oldest_first(adapter: &dyn Adapter) {
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
    assert_eq!(store.expired(at(30), 10).await.unwrap(), expected);
    assert_eq!(store.expired(at(30), 2).await.unwrap(), expected[..2]);
}

pub(crate) async fn contexts_are_listed_newest_change_first(adapter: &dyn Adapter) {
    let store = adapter.store();
    for context in ["a", "b", "c"] {
        make_live(&*store, &key(context), 1, adapter.now().saturating_add(TTL)).await;
        adapter.advance(Duration::from_secs(1));
    }
    ask(&*store, &ContextKey::try_new("other", "x").unwrap(), up(1)).await;
    adapter.advance(Duration::from_secs(1));
    ask(&*store, &key("a"), up(2)).await;
    let names = |listed: Vec<foreshow_engine::ContextSummary>| -> Vec<String> {
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

pub(crate) async fn history_is_newest_first(adapter: &dyn Adapter) {
    let store = adapter.store();
    for (context, number) in [("a", 1), ("b", 1), ("a", 2)] {
        make_live(&*store, &key(context), number, adapter.now()).await;
        adapter.advance(Duration::from_secs(1));
    }
    let (lease, _) = grant(&*store, &key("a"), end(3)).await;
    store
        .settle(lease.id(), &settlement(Outcome::Removed))
        .await
        .unwrap();
    let all = store.history(None, 10).await.unwrap();
    let told: Vec<_> = all
        .iter()
        .map(|entry| (entry.key.context.as_str(), entry.ordinal, entry.outcome))
        .collect();
    let ready = OutcomeKind::Ready;
    assert_eq!(
        told,
        [
            ("a", end(3), OutcomeKind::Removed),
            ("a", up(2), ready),
            ("b", up(1), ready),
            ("a", up(1), ready)
        ]
    );
    assert_eq!(all[1].detail, "local dep-2");
    let of_one = store.history(Some(&key("a")), 2).await.unwrap();
    assert_eq!(of_one, [all[0].clone(), all[1].clone()]);
}

pub(crate) async fn those_who_wait_hear_of_a_release_and_of_something_newer(adapter: &dyn Adapter) {
    let store = adapter.store();
    let (lease, _) = grant(&*store, &key("a"), up(1)).await;
    let mut watch = store.watch(&key("a"));
    // Questions, renewals and other contexts are no news: else those who wait would wake each other for ever.
    ask(&*store, &key("a"), up(1)).await;
    store.renew(lease.id(), TTL).await.unwrap();
    store
        .record_deployment(lease.id(), &deployment("dep"))
        .await
        .unwrap();
    make_live(&*store, &key("b"), 1, adapter.now()).await;
    assert!(!fires(&mut watch).await);
    ask(&*store, &key("a"), up(2)).await;
    soon(watch.changed()).await;
    assert!(!fires(&mut watch).await);
    // What happens before the wait is not lost.
    store.release(lease.id()).await.unwrap();
    soon(watch.changed()).await;
    let (lease, _) = grant(&*store, &key("a"), up(2)).await;
    store
        .settle(lease.id(), &settlement(failed()))
        .await
        .unwrap();
    soon(watch.changed()).await;
}
