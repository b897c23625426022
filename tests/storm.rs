//! Many events in any order, or faster than they can be built: each ends once, the newest is live, and few are built.
#![expect(
    clippy::unwrap_used,
    reason = "stories are tests, told from two places"
)]

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use foreshow_contract::ResultBody;
use foreshow_tests::{Ends, Foreshow, Previews, Upstream, fetch, key, update};

foreshow_tests::on_every_ground! {
    of_1000_events_over_200_contexts_each_ends_once_and_the_newest_of_each_is_live
    of_200_updates_of_a_context_in_two_seconds_a_handful_is_deployed
    a_context_whose_updates_come_faster_than_its_builds_shows_fresh_previews
}

async fn of_1000_events_over_200_contexts_each_ends_once_and_the_newest_of_each_is_live(
    foreshow: Foreshow,
) {
    const CONTEXTS: u64 = 200;
    const REVISIONS: u64 = 4;
    let _up = foreshow.up().await;
    let mut upstream = Upstream::connect(&foreshow).await;

    let mut events: Vec<_> = (0..CONTEXTS)
        .flat_map(|context| (1..=REVISIONS).map(move |revision| (context, revision)))
        .collect();
    let mut rng = fastrand::Rng::with_seed(20_261_122);
    rng.shuffle(&mut events);
    // A fifth of the thousand is a repeat.
    let repeats: Vec<_> = rng.choose_multiple(events.iter().copied(), 200);
    events.extend(repeats);
    rng.shuffle(&mut events);
    assert_eq!(events.len(), 1_000);

    for (context, revision) in &events {
        let key = key(
            &format!("tenant-{}", context % 7),
            &format!("ctx-{context}"),
        );
        upstream
            .publish(&update(
                &key,
                *revision,
                &format!("{context} at {revision}"),
            ))
            .await;
    }
    let mut ends: BTreeMap<(u64, u64), Vec<(String, String)>> = BTreeMap::new();
    let mut live: BTreeMap<u64, (u64, String)> = BTreeMap::new();
    for _ in 0..events.len() {
        let end = upstream.next_end().await;
        let context = end
            .key()
            .unwrap()
            .context
            .as_str()
            .trim_start_matches("ctx-")
            .parse()
            .unwrap();
        let revision = end.revision().unwrap().get();
        if let foreshow_contract::ResultBody::Ready(ready) = &end.body {
            live.entry(context)
                .or_default()
                .clone_from(&(revision, ready.alias_url.clone()));
        }
        ends.entry((context, revision))
            .or_default()
            .push((end.id.clone(), end.outcome().short().to_owned()));
    }
    assert_eq!(ends.len() as u64, CONTEXTS * REVISIONS, "every event ended");
    for (event, ends) in &ends {
        assert!(
            ends.iter().all(|end| *end == ends[0]),
            "{event:?} ended in more than one way: {ends:?}"
        );
    }
    for context in 0..CONTEXTS {
        let newest = &ends[&(context, REVISIONS)][0].1;
        assert_eq!(newest, "ready", "the newest of {context}");
        let page = fetch(&live[&context].1).await;
        assert_eq!(page.text(), format!("{context} at {REVISIONS}"));
    }
}

async fn of_200_updates_of_a_context_in_two_seconds_a_handful_is_deployed(foreshow: Foreshow) {
    const UPDATES: u64 = 200;
    let foreshow = foreshow.set("FORESHOW_LOCAL__BUILD_MS", 1_000);
    let _up = foreshow.up().await;
    let mut upstream = Upstream::connect(&foreshow).await;
    let key = key("acme", "storm");
    let began_at = Instant::now();
    let updates = (1..=UPDATES).map(|n| update(&key, n, &format!("the storm at {n}")));
    let updates: Vec<_> = updates.collect();
    let publisher = upstream.publisher();
    let publishing = tokio::spawn(async move {
        publisher
            .publish_each(Duration::from_millis(10), updates)
            .await;
        began_at.elapsed()
    });
    let mut ends = Ends::default();
    while ends.count() as u64 != UPDATES {
        ends.hear(&upstream.next_end().await);
    }
    let lasted = publishing.await.expect("nobody panics");
    ends.assert_each_ended_once();
    assert_eq!(ends.of(&key, UPDATES), ["ready"].into(), "the newest");
    let outcomes = ends.outcomes();
    let (ready, superseded) = (outcomes["ready"], outcomes["superseded"]);
    assert_eq!(ready + superseded, 200, "{outcomes:?}");
    assert_eq!(
        fetch(&ends.aliases[&key]).await.text(),
        format!("the storm at {UPDATES}")
    );

    let previews = Previews::of(&foreshow).await;
    assert_eq!(previews.revisions(&key).await, [UPDATES], "alone");
    let ledger = previews.ledger(&*foreshow.store().await).await;
    // Where it could not be published in two seconds it was a longer storm: one build is cancelled each second, and one shown.
    let handful = 9 + 2 * lasted.saturating_sub(Duration::from_secs(2)).as_secs();
    assert!(
        ledger.created <= handful,
        "{ledger:?} for a storm of {lasted:?}: {outcomes:?}"
    );
    assert_eq!(ledger.created, ledger.revisions, "none was built twice");
    foreshow.close().await;
}

/// The bound of how long a context may be stale is what is tested: nothing else would let a build come to its end.
async fn a_context_whose_updates_come_faster_than_its_builds_shows_fresh_previews(
    foreshow: Foreshow,
) {
    const FRESH: usize = 3;
    // A minute of updates, if nothing becomes of them.
    const UPDATES: u64 = 200;
    let foreshow = foreshow
        .set("FORESHOW_LOCAL__BUILD_MS", 1_200)
        .set("FORESHOW_CANCEL__STALE_MS", 2_000)
        .set("FORESHOW_CANCEL__APART_MS", 0)
        .set("FORESHOW_CANCEL__IN_A_ROW", 1_000);
    let _up = foreshow.up().await;
    let mut upstream = Upstream::connect(&foreshow).await;
    let key = key("acme", "restless");
    let updates = (1..=UPDATES).map(|n| update(&key, n, &format!("restless at {n}")));
    let updates: Vec<_> = updates.collect();
    let publisher = upstream.publisher();
    let publishing = tokio::spawn(async move {
        publisher
            .publish_each(Duration::from_millis(300), updates)
            .await;
    });
    let (mut ready, mut cancelled) = (Vec::new(), 0);
    while ready.len() < FRESH {
        let end = upstream.next_end().await;
        let revision = end.revision().unwrap().get();
        assert!(
            !publishing.is_finished(),
            "{UPDATES} updates, and only {ready:?} were shown"
        );
        match &end.body {
            ResultBody::Ready(told) => {
                let page = fetch(&told.alias_url).await;
                let shown = page
                    .text()
                    .trim_start_matches("restless at ")
                    .parse::<u64>();
                assert!(shown.unwrap() >= revision, "shown when it is told");
                ready.push(revision);
            }
            ResultBody::Superseded(_) => cancelled += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(ready.is_sorted(), "never back: {ready:?}");
    assert!(cancelled > 0, "updates came faster than builds");
    publishing.abort();
    let previews = Previews::of(&foreshow).await;
    let ledger = previews.ledger(&*foreshow.store().await).await;
    assert_eq!(ledger.created, ledger.revisions, "none was built twice");
    assert!(
        ledger.created > FRESH as u64,
        "some were cancelled to make room: {ledger:?}"
    );
    foreshow.close().await;
}
