//! How events end, and that it is said again.

use std::time::Duration;

use foreshow_engine::{Claimed, ContextStatus, Outcome, Recording, Settlement, Settling};

use super::{
    Adapter, TTL, alias, ask, deployment, end, failed, far, grant, key, live, make_live, ready,
    revision, settlement, up,
};

pub async fn how_an_event_ended_is_said_again(adapter: &dyn Adapter) {
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

pub async fn announced_revisions_that_nothing_kept_serves_are_told_once(adapter: &dyn Adapter) {
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

pub async fn an_end_stops_what_it_covers_when_it_is_accepted(adapter: &dyn Adapter) {
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

pub async fn an_end_takes_the_preview_away(adapter: &dyn Adapter) {
    let store = adapter.store();
    let expires_at = adapter.now().saturating_add(TTL);
    make_live(&*store, &key("a"), 1, expires_at).await;
    let (lease, record) = grant(&*store, &key("a"), end(2)).await;
    assert!(record.live.is_some());
    store
        .settle(lease.id(), &settlement(Outcome::removed()))
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

/// However long the names of their deployments are.
pub async fn replaced_revisions_are_told_in_their_order(adapter: &dyn Adapter) {
    let store = adapter.store();
    let name = |number: u64| format!("{number}{}", "-long".repeat(20));
    let bring = async |number: u64, kept: Vec<String>| {
        let (lease, _) = grant(&*store, &key("a"), up(number)).await;
        let settlement = Settlement {
            kept: kept.iter().map(|kept| kept.as_str().into()).collect(),
            ..settlement(ready(&name(number), far()))
        };
        match store.settle(lease.id(), &settlement).await.unwrap() {
            Settling::Settled {
                outcome: Outcome::Ready(ready),
            } => ready.replaced,
            other => panic!("{other:?}"),
        }
    };
    for number in 1..=9 {
        let kept = (1..=number).map(name).collect();
        assert_eq!(bring(number, kept).await, []);
    }
    let expected: Vec<_> = (1..=9).map(revision).collect();
    assert_eq!(bring(10, vec![name(10)]).await, expected);
}

pub async fn what_an_end_took_away_is_not_told_as_replaced(adapter: &dyn Adapter) {
    let store = adapter.store();
    for number in [1, 2] {
        make_live(&*store, &key("a"), number, far()).await;
    }
    // Its own revision too.
    let (lease, _) = grant(&*store, &key("a"), end(2)).await;
    store
        .settle(lease.id(), &settlement(Outcome::removed()))
        .await
        .unwrap();
    let (lease, _) = grant(&*store, &key("a"), up(3)).await;
    let settlement = Settlement {
        kept: vec!["dep-3".into()],
        ..settlement(ready("dep-3", far()))
    };
    let settled = store.settle(lease.id(), &settlement).await.unwrap();
    let Settling::Settled {
        outcome: Outcome::Ready(ready),
    } = settled
    else {
        panic!("{settled:?}")
    };
    assert_eq!(ready.replaced, []);
}
