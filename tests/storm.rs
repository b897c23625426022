//! Many events in any order: each ends once, the newest is live.
#![expect(
    clippy::unwrap_used,
    reason = "stories are tests, told from two places"
)]

use std::collections::BTreeMap;

use foreshow_tests::{Foreshow, Upstream, fetch, key, update};

foreshow_tests::on_every_ground! {
    of_1000_events_over_200_contexts_each_ends_once_and_the_newest_of_each_is_live
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
