//! Who is granted a context, and what everybody else is told.

use std::time::Duration;

use foreshow_engine::{Claimed, GiveBack, Recording, Renewal, Settling};

use super::{
    Adapter, TTL, alias, ask, claim, deployment, end, failed, far, forged, grant, hand_over, key,
    live, revision, settlement, up,
};

pub async fn one_claim_is_granted_and_the_next_is_held_until_it_runs_out(adapter: &dyn Adapter) {
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

pub async fn of_a_hundred_claims_at_once_one_is_granted(adapter: &dyn Adapter) {
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

pub async fn a_newer_event_makes_the_older_one_stale(adapter: &dyn Adapter) {
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

pub async fn the_event_under_the_lease_is_held_and_never_stale(adapter: &dyn Adapter) {
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
    hand_over(&*store, &lease).await;
    assert!(matches!(ask(&*store, &key("a"), up(1)).await, Claimed::Stale { by } if by == up(2)));
}

pub async fn the_same_revision_with_other_content_conflicts(adapter: &dyn Adapter) {
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

pub async fn a_release_opens_the_context_and_decides_nothing(adapter: &dyn Adapter) {
    let store = adapter.store();
    let (lease, _) = grant(&*store, &key("a"), up(1)).await;
    hand_over(&*store, &lease).await;
    hand_over(&*store, &lease).await;
    assert_eq!(store.outcome(&key("a"), up(1)).await.unwrap(), None);
    let (again, _) = grant(&*store, &key("a"), up(1)).await;
    assert!(again.id().fence > lease.id().fence);
}

pub async fn a_fence_is_above_those_of_a_store_that_was_lost(adapter: &dyn Adapter) {
    let store = adapter.store();
    let (lease, _) = grant(&*store, &key("a"), up(1)).await;
    hand_over(&*store, &lease).await;
    let (lease, _) = grant(&*store, &key("a"), up(1)).await;
    adapter.advance(Duration::from_millis(1));
    let (after, _) = grant(&*adapter.wiped().await, &key("a"), up(1)).await;
    assert!(after.id().fence > lease.id().fence);
}

pub async fn a_lost_lease_writes_nothing(adapter: &dyn Adapter) {
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
        store.release(&id, &GiveBack::HandedOver).await.unwrap();
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
    hand_over(&*wiped, &lease).await;
    assert_eq!(wiped.context(&key("a")).await.unwrap(), None);
}
