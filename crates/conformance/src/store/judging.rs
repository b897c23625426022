//! Deployments that a context's record may not name: who is spared, and who is to go.

use std::time::Duration;

use foreshow_contract::{Ordinal, Timestamp};
use foreshow_engine::{Deployment, Outcome, Recording, Settlement, Store, Suspect, Verdict};

use super::{
    Adapter, TTL, ask, deployment, end, expired, failed, far, grant, hand_over, key, live,
    make_live, ready, record, revision, seed, settlement, suspect, up,
};

/// Judges, and sees that whoever only looks would have said the same.
pub(super) async fn judge(store: &dyn Store, suspect: &Suspect) -> Verdict {
    let key = &suspect.deployment.key;
    let foreseen = foresee(store, suspect).await;
    let verdict = store.judge(key, suspect).await.unwrap();
    assert_eq!(foreseen, verdict, "{suspect:?}");
    verdict
}

async fn foresee(store: &dyn Store, suspect: &Suspect) -> Verdict {
    let Deployment {
        key, id, revision, ..
    } = &suspect.deployment;
    let before = store.context(key).await.unwrap();
    let update = Ordinal::update(*revision);
    let prior = store.outcome(key, update).await.unwrap();
    let is_kept = store.is_kept(key, id).await.unwrap();
    let now = store.now().await.unwrap();
    let foreseen = before.as_ref().map_or(Verdict::Adopted, |record| {
        let judgement = record.appraise(suspect, prior.as_ref(), is_kept, now);
        judgement.verdict()
    });
    assert_eq!(
        store.context(key).await.unwrap(),
        before,
        "looking writes nothing"
    );
    foreseen
}

fn of_a(number: u64, deployment: &str) -> Suspect {
    suspect(&key("a"), number, deployment, far())
}

pub async fn what_the_record_names_is_known(adapter: &dyn Adapter) {
    let store = adapter.store();
    make_live(&*store, &key("a"), 1, far()).await;
    assert_eq!(judge(&*store, &of_a(1, "dep-1")).await, Verdict::Known);
    let (lease, _) = grant(&*store, &key("a"), up(2)).await;
    let dep = deployment("dep-2");
    store.record_deployment(lease.id(), &dep).await.unwrap();
    assert_eq!(judge(&*store, &of_a(2, "dep-2")).await, Verdict::Known);
    assert!(record(&*store, &key("a")).await.adopted.is_empty());
    // Its holder is gone, and its event may be taken up again.
    adapter.advance(TTL);
    assert_eq!(judge(&*store, &of_a(2, "dep-2")).await, Verdict::Adopted);
    assert_eq!(judge(&*store, &of_a(1, "dep-1")).await, Verdict::Known);
}

pub async fn what_may_still_come_is_adopted_until_its_time_is_over(adapter: &dyn Adapter) {
    let store = adapter.store();
    let nobody = suspect(&key("unheard of"), 1, "dep", adapter.now());
    assert_eq!(judge(&*store, &nobody).await, Verdict::Adopted);
    let unknown = store.context(&key("unheard of")).await.unwrap();
    assert_eq!(unknown, None, "judging makes no record");

    make_live(&*store, &key("a"), 1, far()).await;
    let until = adapter.now().saturating_add(TTL);
    let stays = |until: Timestamp| suspect(&key("a"), 2, "dep-2", until);
    assert_eq!(judge(&*store, &stays(until)).await, Verdict::Adopted);
    adapter.advance(TTL / 2);
    let later = adapter.now().saturating_add(TTL);
    assert_eq!(judge(&*store, &stays(later)).await, Verdict::Adopted);
    let adopted = record(&*store, &key("a")).await.adopted;
    assert_eq!(
        adopted.into_iter().collect::<Vec<_>>(),
        [("dep-2".into(), until)],
        "since it was first found"
    );
    adapter.advance(TTL / 2);
    assert_eq!(judge(&*store, &stays(later)).await, Verdict::Condemned);
    let after = record(&*store, &key("a")).await;
    assert!(after.adopted.is_empty());
    assert_eq!(after.condemned, ["dep-2"]);

    // Taken over in time, it is nobody's any more to judge.
    assert_eq!(judge(&*store, &of_a(3, "dep-3")).await, Verdict::Adopted);
    make_live(&*store, &key("a"), 3, far()).await;
    assert!(record(&*store, &key("a")).await.adopted.is_empty());
    assert_eq!(judge(&*store, &of_a(3, "dep-3")).await, Verdict::Known);
}

pub async fn what_nobody_can_want_is_condemned_until_it_is_gone(adapter: &dyn Adapter) {
    let store = adapter.store();
    let told = seed(&key("a"), &[(3, "dep-3")], far());
    store.seed(&key("a"), &told).await.unwrap();
    // A second one of what is live is wanted only where the first is gone.
    let twin = of_a(3, "twin");
    let alone = Suspect {
        live_is_there: false,
        ..twin.clone()
    };
    assert_eq!(judge(&*store, &alone).await, Verdict::Adopted);
    assert_eq!(judge(&*store, &twin).await, Verdict::Condemned);
    assert_eq!(judge(&*store, &of_a(2, "older")).await, Verdict::Condemned);
    // Its event has ended, and it was not shown.
    let (lease, _) = grant(&*store, &key("a"), up(4)).await;
    let failure = settlement(failed());
    store.settle(lease.id(), &failure).await.unwrap();
    assert_eq!(judge(&*store, &of_a(4, "failed")).await, Verdict::Condemned);
    // An end covers it, though nothing has come of that yet.
    ask(&*store, &key("b"), end(2)).await;
    let ended = suspect(&key("b"), 2, "dep", far());
    assert_eq!(judge(&*store, &ended).await, Verdict::Condemned);

    let condemned = async || {
        let mut condemned = record(&*store, &key("a")).await.condemned;
        condemned.sort();
        condemned
    };
    assert_eq!(condemned().await, ["failed", "older", "twin"]);
    assert_eq!(
        judge(&*store, &twin).await,
        Verdict::Condemned,
        "judged twice"
    );
    assert_eq!(
        judge(&*store, &alone).await,
        Verdict::Condemned,
        "whatever has changed"
    );
    assert_eq!(condemned().await, ["failed", "older", "twin"]);
    for _ in 0..2 {
        let twin = &twin.deployment.id;
        store.forget_condemned(&key("a"), twin).await.unwrap();
        assert_eq!(condemned().await, ["failed", "older"]);
    }
    let (unknown, gone) = (key("unheard of"), "x".into());
    store.forget_condemned(&unknown, &gone).await.unwrap();
}

pub async fn a_condemned_deployment_is_neither_recorded_nor_goes_live(adapter: &dyn Adapter) {
    let store = adapter.store();
    make_live(&*store, &key("a"), 1, far()).await;
    let overdue = suspect(&key("a"), 2, "dep-2", adapter.now());
    assert_eq!(judge(&*store, &overdue).await, Verdict::Adopted);
    assert_eq!(judge(&*store, &overdue).await, Verdict::Condemned);
    let (lease, _) = grant(&*store, &key("a"), up(2)).await;
    let dep = deployment("dep-2");
    let recorded = store.record_deployment(lease.id(), &dep).await.unwrap();
    assert_eq!(recorded, Recording::Condemned);
    let went = store
        .go_live(lease.id(), &live(2, "dep-2"), far(), TTL)
        .await;
    assert_eq!(went.unwrap(), Recording::Condemned);
    assert_eq!(record(&*store, &key("a")).await.building, None);
    // Another may, and so may this one once it is gone and made anew under the same id.
    let another = deployment("another");
    let recorded = store.record_deployment(lease.id(), &another).await;
    assert_eq!(recorded.unwrap(), Recording::Recorded);
    let gone = &overdue.deployment.id;
    store.forget_condemned(&key("a"), gone).await.unwrap();
    let recorded = store.record_deployment(lease.id(), &dep).await.unwrap();
    assert_eq!(recorded, Recording::Recorded);
}

pub async fn kept_revisions_are_spared_until_they_are_ended(adapter: &dyn Adapter) {
    let store = adapter.store();
    for number in 1..=2 {
        make_live(&*store, &key("a"), number, far()).await;
    }
    assert_eq!(judge(&*store, &of_a(1, "dep-1")).await, Verdict::Adopted);
    adapter.advance(Duration::from_hours(24));
    assert_eq!(judge(&*store, &of_a(1, "dep-1")).await, Verdict::Adopted);
    assert!(
        record(&*store, &key("a")).await.adopted.is_empty(),
        "it is not on sufferance"
    );
    let (lease, _) = grant(&*store, &key("a"), up(3)).await;
    let replacing = Settlement {
        kept: vec!["dep-3".into(), "dep-2".into()],
        ..settlement(ready("dep-3", far()))
    };
    let shown = live(3, "dep-3");
    store.go_live(lease.id(), &shown, far(), TTL).await.unwrap();
    store.settle(lease.id(), &replacing).await.unwrap();
    assert_eq!(judge(&*store, &of_a(1, "dep-1")).await, Verdict::Condemned);
    assert_eq!(judge(&*store, &of_a(2, "dep-2")).await, Verdict::Adopted);
    ask(&*store, &key("a"), end(2)).await;
    assert_eq!(judge(&*store, &of_a(2, "dep-2")).await, Verdict::Condemned);
    assert_eq!(judge(&*store, &of_a(3, "dep-3")).await, Verdict::Known);
}

pub async fn an_end_forgets_what_was_condemned_and_adopted(adapter: &dyn Adapter) {
    let store = adapter.store();
    make_live(&*store, &key("a"), 2, far()).await;
    assert_eq!(judge(&*store, &of_a(1, "older")).await, Verdict::Condemned);
    assert_eq!(judge(&*store, &of_a(3, "newer")).await, Verdict::Adopted);
    let (lease, _) = grant(&*store, &key("a"), end(3)).await;
    let removed = settlement(Outcome::removed());
    store.settle(lease.id(), &removed).await.unwrap();
    let after = record(&*store, &key("a")).await;
    assert!(after.condemned.is_empty() && after.adopted.is_empty());
    // Found once more, it is at or below the floor.
    assert_eq!(judge(&*store, &of_a(3, "newer")).await, Verdict::Condemned);
}

pub async fn what_is_gone_at_its_provider_is_no_longer_live(adapter: &dyn Adapter) {
    let store = adapter.store();
    let mend = async |gone: &str| store.mend(&key("a"), &gone.into()).await.unwrap();
    assert!(!mend("dep-1").await, "nobody knows of it");
    make_live(&*store, &key("a"), 1, far()).await;
    assert!(!mend("another").await);
    let (lease, _) = grant(&*store, &key("a"), up(2)).await;
    assert!(!mend("dep-1").await, "its holder sees for itself");
    hand_over(&*store, &lease).await;
    let expires_at = record(&*store, &key("a")).await.expires_at;
    assert_eq!(expires_at, Some(far()));
    assert!(mend("dep-1").await);
    assert!(!mend("dep-1").await, "once");
    let after = record(&*store, &key("a")).await;
    assert_eq!((after.live, after.expires_at), (None, None));
    assert_eq!(store.touch(&key("a"), Some(TTL)).await.unwrap(), None);
    assert_eq!(expired(&*store, far(), 9).await, []);
    // What serves still may be found by a look.
    let told = seed(&key("a"), &[(1, "spare")], far());
    store.seed(&key("a"), &told).await.unwrap();
    let shown = record(&*store, &key("a")).await.live.unwrap();
    assert_eq!(
        (shown.revision, shown.deployment.as_str()),
        (revision(1), "spare")
    );
}
