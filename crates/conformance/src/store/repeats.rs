//! An answer may be lost on its way. Whoever asks again gets what is equally right.

use std::time::Duration;

use foreshow_engine::{Claim, Claimed, Outcome, Recording, Renewal, Settling};

use super::{
    Adapter, TTL, ask, claim, deployment, failed, far, grant, hand_over, key, live, ready,
    settlement, up,
};

pub async fn a_claim_whose_answer_was_lost_is_granted_again(adapter: &dyn Adapter) {
    let store = adapter.store();
    let asked = claim(&key("a"), up(1), "digest");
    let Claimed::Granted { lease, .. } = store.claim(&asked).await.unwrap() else {
        panic!()
    };
    adapter.advance(Duration::from_secs(1));
    let Claimed::Granted { lease: again, .. } = store.claim(&asked).await.unwrap() else {
        panic!()
    };
    assert_eq!(
        again.id(),
        lease.id(),
        "the same lease, for it is the same delivery"
    );
    let record = store.context(&key("a")).await.unwrap().unwrap();
    let until = adapter.now().saturating_add(TTL);
    assert_eq!(
        record.lease.unwrap().until,
        until,
        "from the second question"
    );
}

/// The port answers a repeated settlement with `Lost`: no lease is left. That is as right as `Settled` would be, because
/// whoever lost a lease claims again, and the claim answers with the outcome as it was recorded.
pub async fn a_settlement_whose_answer_was_lost_is_found_by_the_next_claim(adapter: &dyn Adapter) {
    let store = adapter.store();
    for (number, outcome) in [(1, failed()), (2, ready("dep-2", far()))] {
        let (lease, _) = grant(&*store, &key("a"), up(number)).await;
        let settlement = settlement(outcome);
        let Settling::Settled { outcome } = store.settle(lease.id(), &settlement).await.unwrap()
        else {
            panic!()
        };
        let again = store.settle(lease.id(), &settlement).await.unwrap();
        assert_eq!(again, Settling::Lost);
        let Claimed::Finished(settled) = ask(&*store, &key("a"), up(number)).await else {
            panic!()
        };
        assert_eq!(settled.outcome, outcome);
    }
    assert_eq!(store.history(None, 10).await.unwrap().len(), 2, "once each");
    let (lease, _) = grant(&*store, &key("a"), up(3)).await;
    ask(&*store, &key("a"), up(4)).await;
    let superseded = settlement(Outcome::Superseded { by: up(4) });
    store.settle(lease.id(), &superseded).await.unwrap();
    let again = store.settle(lease.id(), &superseded).await.unwrap();
    assert_eq!(again, Settling::Lost);
    assert!(matches!(ask(&*store, &key("a"), up(3)).await, Claimed::Stale { by } if by == up(4)));
}

pub async fn what_is_written_under_a_lease_may_be_written_twice(adapter: &dyn Adapter) {
    let store = adapter.store();
    let (lease, _) = grant(&*store, &key("a"), up(1)).await;
    for _ in 0..2 {
        let recorded = store
            .record_deployment(lease.id(), &deployment("dep-1"))
            .await;
        assert_eq!(recorded.unwrap(), Recording::Recorded);
    }
    let expires_at = adapter.now().saturating_add(Duration::from_mins(5));
    let mut seen = Vec::new();
    for _ in 0..2 {
        let went = store
            .go_live(lease.id(), &live(1, "dep-1"), expires_at, TTL)
            .await;
        assert_eq!(went.unwrap(), Recording::Recorded);
        let renewed = store.renew(lease.id(), TTL).await.unwrap();
        assert!(matches!(renewed, Renewal::Renewed { .. }));
        seen.push(store.context(&key("a")).await.unwrap());
    }
    assert_eq!(seen[0], seen[1]);
    for _ in 0..2 {
        hand_over(&*store, &lease).await;
    }
    let record = store.context(&key("a")).await.unwrap().unwrap();
    assert_eq!((record.lease, record.live), (None, Some(live(1, "dep-1"))));
}

/// An event that failed is taken up anew where an operator replayed it; what went well is only said again, and so is the new
/// end to copies of the earlier life.
pub async fn a_failed_event_that_is_replayed_has_a_new_life(adapter: &dyn Adapter) {
    let store = adapter.store();
    let key = key("a");
    let replayed = async |replay: u32, digest: &str| {
        let asked = Claim {
            replay,
            ..claim(&key, up(1), digest)
        };
        store.claim(&asked).await.unwrap()
    };
    let (lease, _) = grant(&*store, &key, up(1)).await;
    store
        .settle(lease.id(), &settlement(failed()))
        .await
        .unwrap();

    let same = up(1).to_string();
    let conflict = replayed(1, "other").await;
    assert!(matches!(conflict, Claimed::Conflict), "{conflict:?}");
    for (replay, outcome) in [(1, failed()), (2, ready("dep-1", far()))] {
        let before = replayed(replay - 1, &same).await;
        assert!(
            matches!(before, Claimed::Finished(ref settled) if settled.replay == replay - 1),
            "{before:?}"
        );
        let Claimed::Granted { lease, .. } = replayed(replay, &same).await else {
            panic!()
        };
        // While the new life goes on, a copy of the earlier one is told how that ended.
        let copy = ask(&*store, &key, up(1)).await;
        assert!(
            matches!(copy, Claimed::Finished(ref settled) if settled.outcome == failed()),
            "{copy:?}"
        );
        store
            .settle(lease.id(), &settlement(outcome))
            .await
            .unwrap();
    }
    for replay in [0, 2, 3] {
        let Claimed::Finished(settled) = replayed(replay, &same).await else {
            panic!()
        };
        assert_eq!(
            (settled.replay, settled.outcome),
            (2, ready("dep-1", far()))
        );
    }
    let kept = store.outcome(&key, up(1)).await.unwrap().unwrap();
    assert_eq!(kept.replay, 2);
    // Something newer wins over any life.
    let (lease, _) = grant(&*store, &key, up(2)).await;
    store
        .settle(lease.id(), &settlement(failed()))
        .await
        .unwrap();
    ask(&*store, &key, up(3)).await;
    let asked = Claim {
        replay: 1,
        ..claim(&key, up(2), &up(2).to_string())
    };
    let stale = store.claim(&asked).await.unwrap();
    assert!(
        matches!(stale, Claimed::Stale { by } if by == up(3)),
        "{stale:?}"
    );
}
