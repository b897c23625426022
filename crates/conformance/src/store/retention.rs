//! Previews that expire, and contexts that are reset.

use std::time::Duration;

use foreshow_contract::{Ordinal, ResetId, Revision, Timestamp};
use foreshow_engine::{
    Claim, Claimed, ContextRecord, ContextStatus, Lease, Outcome, Recording, Renewal, Settlement,
    Settling, Store,
};

use super::{
    Adapter, TTL, ask, claim, deployment, end, expired, expiry, failed, far, forged, grant, key,
    live, make_live, ready, record, reset, revision, settlement, up,
};

const SECOND: Duration = Duration::from_secs(1);

async fn granted(store: &dyn Store, claim: &Claim) -> (Lease, ContextRecord) {
    match store.claim(claim).await.unwrap() {
        Claimed::Granted { lease, record, .. } => (lease, *record),
        other => panic!("{claim:?} was not granted but {other:?}"),
    }
}

async fn settled(store: &dyn Store, lease: &Lease, outcome: Outcome) -> Outcome {
    match store
        .settle(lease.id(), &settlement(outcome))
        .await
        .unwrap()
    {
        Settling::Settled { outcome } => outcome,
        Settling::Lost => panic!("{:?} was lost", lease.id()),
    }
}

async fn is_moot(store: &dyn Store, number: u64) -> bool {
    let before = store.context(&key("a")).await.unwrap();
    let claimed = store.claim(&expiry(&key("a"), number)).await.unwrap();
    let is_moot = matches!(claimed, Claimed::Moot);
    if is_moot {
        assert_eq!(
            store.context(&key("a")).await.unwrap(),
            before,
            "nothing is written"
        );
    }
    is_moot
}

pub async fn previews_that_expired_since_are_listed(adapter: &dyn Adapter) {
    let store = adapter.store();
    let at = |seconds| adapter.now().saturating_add(SECOND * seconds);
    for (context, seconds) in [("a", 10), ("b", 20), ("c", 30)] {
        make_live(&*store, &key(context), 1, at(seconds)).await;
    }
    let listed = async |since: Timestamp, limit| {
        let listed = store.expired(since, at(30), limit).await.unwrap();
        let names = listed.into_iter().map(|(key, record)| {
            assert_eq!(record.live.unwrap().revision, revision(1));
            key.context.to_string()
        });
        names.collect::<Vec<_>>()
    };
    assert_eq!(listed(Timestamp::MIN, 9).await, ["a", "b", "c"]);
    assert_eq!(listed(at(20), 9).await, ["b", "c"]);
    assert_eq!(listed(at(11), 1).await, ["b"]);
    assert_eq!(listed(at(31), 9).await, [""; 0]);
}

pub async fn an_expiry_is_accepted_only_while_it_is_due(adapter: &dyn Adapter) {
    let store = adapter.store();
    assert!(is_moot(&*store, 1).await, "nobody knows the context");
    assert_eq!(store.context(&key("a")).await.unwrap(), None);
    make_live(
        &*store,
        &key("a"),
        1,
        adapter.now().saturating_add(SECOND * 5),
    )
    .await;
    assert!(is_moot(&*store, 1).await, "it lives on");
    adapter.advance(SECOND * 5);
    assert!(is_moot(&*store, 2).await, "this is of another revision");
    store
        .touch(&key("a"), Some(SECOND * 3))
        .await
        .unwrap()
        .unwrap();
    assert!(is_moot(&*store, 1).await, "it was touched");
    adapter.advance(SECOND * 3);
    let (lease, _) = grant(&*store, &key("a"), up(2)).await;
    assert!(is_moot(&*store, 1).await, "something newer came");
    settled(&*store, &lease, failed()).await;
    let (lease, record) = granted(&*store, &expiry(&key("a"), 2)).await;
    assert_eq!((record.desired, record.floor), (end(2), Some(revision(2))));
    assert_eq!(record.status(None), ContextStatus::Expired);
    assert_eq!(
        store.touch(&key("a"), None).await.unwrap(),
        None,
        "too late"
    );
    let told = settled(&*store, &lease, Outcome::removed()).await;
    let expired_now = Outcome::Removed {
        expired: vec![revision(1)],
    };
    assert_eq!(told, expired_now);
    let after = self::record(&*store, &key("a")).await;
    assert_eq!(
        (&after.live, after.expires_at, after.expiring),
        (&None, None, None)
    );
    let last = store.outcome(&key("a"), end(2)).await.unwrap();
    assert_eq!(after.status(last.as_ref()), ContextStatus::Expired);
    // A repeat is told the same, and what was covered does not come back.
    let Claimed::Finished(again) = store.claim(&expiry(&key("a"), 2)).await.unwrap() else {
        panic!()
    };
    assert_eq!(again.outcome, expired_now);
    let _open = grant(&*store, &key("a"), up(3)).await;
}

pub async fn an_update_on_its_way_keeps_what_is_live(adapter: &dyn Adapter) {
    let store = adapter.store();
    make_live(&*store, &key("a"), 1, adapter.now().saturating_add(SECOND)).await;
    let (lease, _) = grant(&*store, &key("a"), up(2)).await;
    adapter.advance(SECOND * 2);
    assert!(is_moot(&*store, 2).await, "it is being built");
    super::hand_over(&*store, &lease).await;
    assert!(is_moot(&*store, 2).await, "it waits for somebody to go on");
    // Accepted longer ago than anybody remembers how it ended.
    adapter.advance(store.keeps_outcomes_for());
    let _due = granted(&*store, &expiry(&key("a"), 2)).await;
}

/// Whatever became of the one who was granted it, and of what is live.
pub async fn an_accepted_expiry_is_gone_through_with(adapter: &dyn Adapter) {
    let store = adapter.store();
    make_live(&*store, &key("a"), 1, adapter.now().saturating_add(SECOND)).await;
    adapter.advance(SECOND);
    let (crashed, _) = granted(&*store, &expiry(&key("a"), 1)).await;
    let copy = store.claim(&expiry(&key("a"), 1)).await.unwrap();
    assert!(matches!(copy, Claimed::Held { .. }), "{copy:?}");
    adapter.advance(TTL);
    // The sweeper finds it gone meanwhile.
    assert!(store.mend(&key("a"), &"dep-1".into()).await.unwrap());
    let (lease, _) = granted(&*store, &expiry(&key("a"), 1)).await;
    assert!(lease.id().fence > crashed.id().fence);
    let late = settlement(Outcome::removed());
    assert_eq!(
        store.settle(crashed.id(), &late).await.unwrap(),
        Settling::Lost
    );
    let told = settled(&*store, &lease, Outcome::removed()).await;
    assert_eq!(
        told,
        Outcome::Removed {
            expired: vec![revision(1)]
        }
    );
}

pub async fn every_announced_revision_that_expires_is_told(adapter: &dyn Adapter) {
    let store = adapter.store();
    for number in 1..=3 {
        make_live(
            &*store,
            &key("a"),
            number,
            adapter.now().saturating_add(SECOND),
        )
        .await;
    }
    make_live(&*store, &key("b"), 9, far()).await;
    adapter.advance(SECOND);
    let (lease, _) = granted(&*store, &expiry(&key("a"), 3)).await;
    let told = settled(&*store, &lease, Outcome::removed()).await;
    let all = [1, 2, 3].map(revision).to_vec();
    assert_eq!(told, Outcome::Removed { expired: all });
    // Once: from now on nothing serves them.
    let (lease, _) = grant(&*store, &key("a"), up(4)).await;
    let settlement = Settlement {
        kept: vec!["dep-4".into()],
        ..settlement(ready("dep-4", far()))
    };
    let Settling::Settled {
        outcome: Outcome::Ready(ready),
    } = store.settle(lease.id(), &settlement).await.unwrap()
    else {
        panic!()
    };
    assert_eq!(ready.replaced, []);
}

pub async fn an_end_and_an_expiry_of_one_revision_are_settled_once(adapter: &dyn Adapter) {
    let store = adapter.store();
    let ended = |context| claim(&key(context), end(1), "end");
    for context in ["a", "b", "c"] {
        make_live(
            &*store,
            &key(context),
            1,
            adapter.now().saturating_add(SECOND),
        )
        .await;
    }
    adapter.advance(SECOND);
    // The expiry came first, and its worker died; upstream's own end goes on with it.
    let _crashed = granted(&*store, &expiry(&key("a"), 1)).await;
    adapter.advance(TTL);
    let (lease, _) = granted(&*store, &ended("a")).await;
    let told = settled(&*store, &lease, Outcome::removed()).await;
    assert_eq!(
        told,
        Outcome::Removed {
            expired: vec![revision(1)]
        }
    );
    let Claimed::Finished(again) = store.claim(&expiry(&key("a"), 1)).await.unwrap() else {
        panic!()
    };
    assert_eq!(again.outcome, told);
    // Upstream's own end came first.
    let (lease, _) = granted(&*store, &ended("b")).await;
    let during = store.claim(&expiry(&key("b"), 1)).await.unwrap();
    assert!(matches!(during, Claimed::Moot), "{during:?}");
    let told = settled(&*store, &lease, Outcome::removed()).await;
    assert_eq!(told, Outcome::removed());
    let Claimed::Finished(again) = store.claim(&expiry(&key("b"), 1)).await.unwrap() else {
        panic!()
    };
    assert_eq!(again.outcome, Outcome::removed());
    // An end of a greater revision goes over an expiry that is under way, and tells of its own alone.
    let _crashed = granted(&*store, &expiry(&key("c"), 1)).await;
    adapter.advance(TTL);
    let (lease, _) = grant(&*store, &key("c"), end(2)).await;
    let told = settled(&*store, &lease, Outcome::removed()).await;
    assert_eq!(told, Outcome::removed());
    assert_eq!(record(&*store, &key("c")).await.expiring, None);
}

pub async fn an_expiry_passed_by_an_update_is_moot(adapter: &dyn Adapter) {
    let store = adapter.store();
    make_live(&*store, &key("a"), 1, adapter.now().saturating_add(SECOND)).await;
    adapter.advance(SECOND);
    let (lease, _) = granted(&*store, &expiry(&key("a"), 1)).await;
    let newer = ask(&*store, &key("a"), up(2)).await;
    assert!(matches!(newer, Claimed::Held { .. }), "{newer:?}");
    let renewed = store.renew(lease.id(), TTL).await.unwrap();
    let (desired, floor) = (up(2), Some(revision(1)));
    assert_eq!(renewed, Renewal::Renewed { desired, floor });
    adapter.advance(TTL);
    assert!(is_moot(&*store, 1).await);
    make_live(&*store, &key("a"), 2, far()).await;
    assert!(is_moot(&*store, 1).await);
    assert!(expired(&*store, adapter.now(), 9).await.is_empty());
}

pub async fn a_reset_opens_a_context_for_any_revision(adapter: &dyn Adapter) {
    let store = adapter.store();
    let max = Revision::MAX.get();
    for number in [1, max] {
        make_live(&*store, &key("a"), number, far()).await;
    }
    make_live(&*store, &key("b"), 1, far()).await;
    let stale = ask(&*store, &key("a"), up(2)).await;
    assert!(matches!(stale, Claimed::Stale { .. }), "{stale:?}");
    let (lease, before) = granted(&*store, &reset(&key("a"), "one")).await;
    assert_eq!(before.desired, Ordinal::end(Revision::MAX));
    let told = settled(&*store, &lease, Outcome::Reset { gone: Vec::new() }).await;
    assert_eq!(
        told,
        Outcome::Reset {
            gone: vec![revision(1), Revision::MAX]
        }
    );
    let after = record(&*store, &key("a")).await;
    assert_eq!(
        (after.desired, after.floor, &after.live),
        (up(0), None, &None)
    );
    assert_eq!((after.fence, after.expires_at), (lease.id().fence, None));
    assert_eq!(after.status(None), ContextStatus::Ended);
    for ordinal in [up(1), up(max), Ordinal::end(Revision::MAX)] {
        assert_eq!(store.outcome(&key("a"), ordinal).await.unwrap(), None);
    }
    let listed = store.contexts(None, 9).await.unwrap();
    let of_a = listed.iter().find(|one| one.key == key("a")).unwrap();
    assert_eq!(of_a.last, None);
    // Any revision is the newest, also one that had its end before, under whatever content.
    let again = claim(&key("a"), up(1), "other files");
    let (lease, _) = granted(&*store, &again).await;
    assert!(lease.id().fence > after.fence);
    store
        .go_live(lease.id(), &live(1, "dep-1"), far(), TTL)
        .await
        .unwrap();
    let Outcome::Ready(ready) = settled(&*store, &lease, ready("dep-1", far())).await else {
        panic!()
    };
    assert_eq!(ready.replaced, [], "what was announced is forgotten too");
    let Claimed::Finished(finished) = store.claim(&again).await.unwrap() else {
        panic!()
    };
    assert_eq!(finished.outcome, Outcome::Ready(ready));
    assert_eq!(
        store.outcome(&key("a"), up(1)).await.unwrap(),
        Some(finished)
    );
    assert!(store.outcome(&key("b"), up(1)).await.unwrap().is_some());
}

/// Also those kept beside what is live, once each, and again where it is asked again.
pub async fn a_reset_tells_every_announced_revision(adapter: &dyn Adapter) {
    let store = adapter.store();
    for number in 1..=3 {
        let (lease, _) = granted(&*store, &claim(&key("a"), up(number), "files")).await;
        let name = format!("dep-{number}");
        let alive = live(number, &name);
        store.go_live(lease.id(), &alive, far(), TTL).await.unwrap();
        let announced = Settlement {
            kept: vec!["dep-2".into(), name.as_str().into()],
            ..settlement(ready(&name, far()))
        };
        store.settle(lease.id(), &announced).await.unwrap();
    }
    let asked = reset(&key("a"), "one");
    let (lease, _) = granted(&*store, &asked).await;
    let told = settled(&*store, &lease, Outcome::Reset { gone: Vec::new() }).await;
    let gone = vec![revision(2), revision(3)];
    assert_eq!(told, Outcome::Reset { gone });
    let again = store.claim(&asked).await.unwrap();
    assert!(
        matches!(&again, Claimed::Finished(done) if done.outcome == told),
        "{again:?}"
    );
}

pub async fn a_reset_waits_for_the_holder_who_steps_down(adapter: &dyn Adapter) {
    let store = adapter.store();
    let (building, _) = grant(&*store, &key("a"), up(7)).await;
    let asked = reset(&key("a"), "one");
    let waiting = store.claim(&asked).await.unwrap();
    assert!(matches!(waiting, Claimed::Held { .. }), "{waiting:?}");
    let recorded = store
        .record_deployment(building.id(), &deployment("dep-7"))
        .await;
    let max = Ordinal::end(Revision::MAX);
    assert_eq!(recorded.unwrap(), Recording::Ended(max));
    settled(&*store, &building, Outcome::Superseded { by: max }).await;
    let (lease, _) = granted(&*store, &asked).await;
    let told = settled(&*store, &lease, Outcome::Reset { gone: Vec::new() }).await;
    assert_eq!(told, Outcome::Reset { gone: Vec::new() });
    let _open = grant(&*store, &key("a"), up(1)).await;
}

pub async fn a_reset_is_done_once(adapter: &dyn Adapter) {
    let store = adapter.store();
    make_live(&*store, &key("a"), 5, far()).await;
    let asked = reset(&key("a"), "one");
    let _crashed = granted(&*store, &asked).await;
    adapter.advance(TTL);
    // Another joins the one that is under way.
    let (lease, _) = granted(&*store, &reset(&key("a"), "two")).await;
    let told = settled(&*store, &lease, Outcome::Reset { gone: Vec::new() }).await;
    assert_eq!(
        told,
        Outcome::Reset {
            gone: vec![revision(5)]
        }
    );
    let at = adapter.now();
    adapter.advance(SECOND);
    make_live(&*store, &key("a"), 1, far()).await;
    let before = record(&*store, &key("a")).await;
    let Claimed::Finished(done) = store.claim(&asked).await.unwrap() else {
        panic!()
    };
    assert_eq!((done.outcome, done.at), (told, at));
    assert_eq!(record(&*store, &key("a")).await, before);
}

/// However late it is claimed: what came after the other is not its to forget.
pub async fn a_reset_is_done_with_another_that_ended_after_it_was_asked_for(adapter: &dyn Adapter) {
    let store = adapter.store();
    make_live(&*store, &key("a"), 5, far()).await;
    let asked_at = store.now().await.unwrap();
    let id = |number| ResetId::asked_at(asked_at, number).to_string();
    let (first, second) = (reset(&key("a"), &id(1)), reset(&key("a"), &id(2)));
    let (lease, _) = granted(&*store, &first).await;
    let waits = store.claim(&second).await.unwrap();
    assert!(matches!(waits, Claimed::Held { .. }), "{waits:?}");
    settled(&*store, &lease, Outcome::Reset { gone: Vec::new() }).await;
    adapter.advance(SECOND);
    make_live(&*store, &key("a"), 1, far()).await;
    let before = record(&*store, &key("a")).await;
    for done in [&second, &first] {
        let done = store.claim(done).await.unwrap();
        assert!(matches!(done, Claimed::Finished(_)), "{done:?}");
    }
    assert_eq!(record(&*store, &key("a")).await, before);
    adapter.advance(SECOND);
    let later = ResetId::asked_at(store.now().await.unwrap(), 3).to_string();
    let _anew = granted(&*store, &reset(&key("a"), &later)).await;
}

/// Which may be the very end that closed it.
pub async fn a_reset_goes_over_an_end_of_the_greatest_revision(adapter: &dyn Adapter) {
    let store = adapter.store();
    let max = Revision::MAX.get();
    let ended = claim(&key("a"), end(max), "end");
    let (lease, _) = granted(&*store, &ended).await;
    settled(&*store, &lease, Outcome::removed()).await;
    let (lease, _) = granted(&*store, &reset(&key("a"), "one")).await;
    // A copy of that end finds how it ended, until that is forgotten too.
    let copy = store.claim(&ended).await.unwrap();
    assert!(matches!(copy, Claimed::Finished(_)), "{copy:?}");
    settled(&*store, &lease, Outcome::Reset { gone: Vec::new() }).await;
    let _open = grant(&*store, &key("a"), up(1)).await;
}

pub async fn resets_are_of_contexts_that_nobody_knows_too(adapter: &dyn Adapter) {
    let store = adapter.store();
    let (lease, record) = granted(&*store, &reset(&key("a"), "one")).await;
    assert!(record.unproven);
    settled(&*store, &lease, Outcome::Reset { gone: Vec::new() }).await;
    let (_, record) = grant(&*store, &key("a"), up(0)).await;
    assert!(
        !record.unproven,
        "everything is gone, so nobody has to look"
    );
}

pub async fn only_a_reset_can_be_settled_as_one(adapter: &dyn Adapter) {
    let store = adapter.store();
    make_live(&*store, &key("a"), 1, far()).await;
    let (lease, _) = grant(&*store, &key("a"), end(2)).await;
    let outcome = settlement(Outcome::Reset { gone: Vec::new() });
    let lost = store.settle(lease.id(), &outcome).await.unwrap();
    assert_eq!(lost, Settling::Lost);
    settled(&*store, &lease, Outcome::removed()).await;
    let (lease, _) = granted(&*store, &reset(&key("a"), "one")).await;
    let lost = store.settle(&forged(lease.id()), &outcome).await.unwrap();
    assert_eq!(lost, Settling::Lost);
    assert_eq!(record(&*store, &key("a")).await.floor, Some(Revision::MAX));
}
