//! What a record tells of how its context gets on: what it waits for, what was cancelled, how stale it is, how long it takes.

use std::time::Duration;

use foreshow_contract::OutcomeKind;
use foreshow_engine::{
    Cancels, Claim, Claimed, GiveBack, Happening, Outcome, Owner, Settlement, Waits,
};

use super::{
    Adapter, TTL, ask, claim, end, failed, far, grant, hand_over, key, make_live, ready, record,
    settlement, up,
};

pub async fn what_an_event_waits_for_is_there_until_it_is_granted(adapter: &dyn Adapter) {
    let store = adapter.store();
    let (lease, _) = grant(&*store, &key("a"), up(1)).await;
    let until = adapter.now().saturating_add(TTL);
    let why = "10 of 10 live previews are taken".to_owned();
    let back = GiveBack::Deferred {
        until,
        why: why.clone(),
    };
    store.release(lease.id(), &back).await.unwrap();
    let since = adapter.now();
    adapter.advance(Duration::from_secs(1));
    store.release(lease.id(), &back).await.unwrap();
    let waits = Waits {
        ordinal: up(1),
        since,
        until,
        why,
    };
    let after = record(&*store, &key("a")).await;
    assert_eq!(
        (after.waits, after.lease),
        (Some(waits.clone()), None),
        "once"
    );
    // What comes meanwhile, and is not granted, takes nothing away.
    assert!(matches!(
        ask(&*store, &key("a"), up(0)).await,
        Claimed::Stale { .. }
    ));
    assert_eq!(record(&*store, &key("a")).await.waits, Some(waits));
    let (lease, granted) = grant(&*store, &key("a"), up(1)).await;
    assert_eq!(granted.waits, None);
    hand_over(&*store, &lease).await;
    assert_eq!(record(&*store, &key("a")).await.waits, None, "nobody waits");
    // Given back late, with the lease run out and nobody come: it is given back all the same.
    let (lease, _) = grant(&*store, &key("a"), up(1)).await;
    adapter.advance(TTL);
    store.release(lease.id(), &back).await.unwrap();
    let after = record(&*store, &key("a")).await;
    assert!(after.waits.is_some() && after.lease.is_none());
}

/// Where a store must keep its records small.
pub async fn a_long_reason_to_wait_is_told_in_part(adapter: &dyn Adapter) {
    let store = adapter.store();
    for (context, why) in [
        ("a", "é\0=\u{1F600} ".repeat(3_000)),
        ("b", "x".repeat(200)),
        ("c", String::new()),
    ] {
        let (lease, _) = grant(&*store, &key(context), up(1)).await;
        let back = GiveBack::Deferred {
            until: far(),
            why: why.clone(),
        };
        store.release(lease.id(), &back).await.unwrap();
        let told = record(&*store, &key(context)).await.waits.unwrap().why;
        assert!(
            why.starts_with(&told) && told.len() >= why.len().min(200),
            "{told}"
        );
    }
}

pub async fn cancelled_builds_are_counted_until_one_comes_to_its_end(adapter: &dyn Adapter) {
    let store = adapter.store();
    let cancels = async || record(&*store, &key("a")).await.cancels;
    let supersede = async |number: u64, cancelled: Option<&str>| {
        let (lease, _) = grant(&*store, &key("a"), up(number)).await;
        ask(&*store, &key("a"), up(number + 1)).await;
        let settlement = Settlement {
            cancelled: cancelled.map(str::to_owned),
            ..Settlement::of(Outcome::Superseded { by: up(number + 1) })
        };
        store.settle(lease.id(), &settlement).await.unwrap();
    };
    supersede(1, Some("revision 2 came 3 s after it began")).await;
    let first = adapter.now();
    adapter.advance(Duration::from_secs(1));
    let one = Cancels {
        in_a_row: 1,
        last_at: first,
    };
    assert_eq!(cancels().await, Some(one));
    let told = store.history(None, 1).await.unwrap();
    assert!(told[0].detail.contains("came 3 s after"), "{told:?}");
    supersede(2, Some("another")).await;
    let two = Cancels {
        in_a_row: 2,
        last_at: adapter.now(),
    };
    assert_eq!(cancels().await, Some(two));
    supersede(3, None).await;
    assert_eq!(cancels().await, Some(two), "it was not cancelled");
    let (lease, _) = grant(&*store, &key("a"), up(4)).await;
    hand_over(&*store, &lease).await;
    assert_eq!(cancels().await, Some(two), "nor did it come to its end");
    for (outcome, ordinal, next) in [
        (failed(), up(4), Some(5)),
        (ready("dep-6", far()), up(6), Some(7)),
        (Outcome::removed(), end(8), None),
    ] {
        let (lease, _) = grant(&*store, &key("a"), ordinal).await;
        let settlement = settlement(outcome);
        store.settle(lease.id(), &settlement).await.unwrap();
        assert_eq!(cancels().await, None);
        if let Some(next) = next {
            supersede(next, Some("once more")).await;
            assert_eq!(cancels().await.unwrap().in_a_row, 1);
        }
    }
}

pub async fn a_context_is_stale_from_what_is_newer_until_it_is_shown(adapter: &dyn Adapter) {
    let store = adapter.store();
    let second = Duration::from_secs(1);
    let stale_since = async || record(&*store, &key("a")).await.stale_since;
    let finish = async |number: u64, outcome: Outcome| {
        let (lease, _) = grant(&*store, &key("a"), up(number)).await;
        let settlement = settlement(outcome);
        store.settle(lease.id(), &settlement).await.unwrap();
    };
    let began = adapter.now();
    let (lease, granted) = grant(&*store, &key("a"), up(1)).await;
    assert_eq!(granted.stale_since, Some(began));
    adapter.advance(second);
    ask(&*store, &key("a"), up(2)).await;
    assert_eq!(stale_since().await, Some(began), "since the first");
    adapter.advance(second);
    let first = settlement(ready("dep-1", far()));
    store.settle(lease.id(), &first).await.unwrap();
    assert_eq!(
        stale_since().await,
        Some(adapter.now()),
        "the second is still to come"
    );
    adapter.advance(second);
    finish(2, ready("dep-2", far())).await;
    assert_eq!(stale_since().await, None);
    // A newer one that fails has come to its end too; one that was overtaken has not.
    adapter.advance(second);
    finish(3, failed()).await;
    assert_eq!(stale_since().await, None);
    adapter.advance(second);
    let since = adapter.now();
    finish(4, Outcome::Superseded { by: up(5) }).await;
    assert_eq!(stale_since().await, Some(since));
    // An end shows nothing, so nobody waits to see it.
    ask(&*store, &key("b"), end(1)).await;
    assert_eq!(record(&*store, &key("b")).await.stale_since, None);
}

pub async fn the_usual_length_of_a_build_moves_slowly(adapter: &dyn Adapter) {
    let store = adapter.store();
    let build = async |number: u64, outcome: Outcome, built_ms: Option<u64>| {
        let (lease, _) = grant(&*store, &key("a"), up(number)).await;
        let settlement = Settlement {
            built_ms,
            ..settlement(outcome)
        };
        store.settle(lease.id(), &settlement).await.unwrap();
        record(&*store, &key("a")).await.build_ms
    };
    let shown = || ready("dep", far());
    assert_eq!(build(1, shown(), None).await, None);
    assert_eq!(build(2, shown(), Some(8_000)).await, Some(8_000));
    assert_eq!(build(3, shown(), Some(4_001)).await, Some(7_000));
    assert_eq!(build(4, shown(), None).await, Some(7_000));
    assert_eq!(build(5, failed(), Some(1)).await, Some(7_000));
    let month_ms = 30 * 24 * 3_600 * 1_000;
    assert_eq!(
        build(6, shown(), Some(month_ms)).await,
        Some((21_000 + month_ms) / 4)
    );
}

pub async fn history_tells_who_held_the_lease(adapter: &dyn Adapter) {
    let store = adapter.store();
    let granted = async |worker: &str, nonce: u64, number: u64| {
        let asked = Claim {
            owner: Owner::of_worker(worker, nonce),
            ..claim(&key("a"), up(number), &number.to_string())
        };
        let claimed = store.claim(&asked).await.unwrap();
        let Claimed::Granted { lease, .. } = claimed else {
            panic!("{claimed:?}")
        };
        let since = adapter.now();
        adapter.advance(Duration::from_secs(1));
        (lease, Some((worker.to_owned(), since)))
    };
    let (lease, first) = granted("one", 1, 1).await;
    hand_over(&*store, &lease).await;
    let (lease, second) = granted("the/second", 2, 1).await;
    let until = adapter.now().saturating_add(TTL);
    let why = "the provider asks us to wait".to_owned();
    let back = GiveBack::Deferred { until, why };
    store.release(lease.id(), &back).await.unwrap();
    let (lease, third) = granted("", 3, 1).await;
    let settlement = settlement(failed());
    store.settle(lease.id(), &settlement).await.unwrap();
    // Lost, so nothing of it is told.
    hand_over(&*store, &lease).await;
    let told = store.history(Some(&key("a")), 9).await.unwrap();
    let by: Vec<_> = told
        .iter()
        .map(|entry| (entry.what, entry.by.clone()))
        .collect();
    let failed = Happening::Ended(OutcomeKind::Failed);
    assert_eq!(
        by,
        [
            (failed, third),
            (Happening::Deferred, second),
            (Happening::HandedOver, first)
        ]
    );
    assert!(told[1].detail.contains("asks us to wait"), "{told:?}");
    assert!(told.iter().all(|entry| entry.ordinal == up(1)));
    make_live(&*store, &key("b"), 1, far()).await;
    assert_eq!(store.history(Some(&key("a")), 9).await.unwrap(), told);
}
