//! What updates cost that come faster than they can be built, and how fresh a preview is under them.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use foreshow_contract::{ContextKey, ResultBody};
use foreshow_tests::{Ends, Previews, Upstream, key, update};
use futures_util::future::join_all;

use crate::{
    figures::{Figures, Verdicts},
    grounds::Grounds,
};

/// Ten times 200 updates of a context in two seconds, with builds of one.
pub(crate) async fn storm(grounds: &Grounds, verdicts: &mut Verdicts) {
    const RUNS: u64 = 10;
    const UPDATES: u64 = 200;
    let foreshow = grounds.foreshow().await;
    let foreshow = foreshow.set("FORESHOW_LOCAL__BUILD_MS", 1_000);
    let up = foreshow.up().await;
    let mut upstream = Upstream::connect(&foreshow).await;
    let previews = Previews::of(&foreshow).await;
    let store = foreshow.store().await;
    let (mut created, mut until_live, mut lasted) =
        (Vec::new(), Figures::default(), Figures::default());
    for run in 0..RUNS {
        let before = previews.ledger(&*store).await;
        let key = key("acme", &format!("storm-{run}"));
        let updates: Vec<_> = (1..=UPDATES)
            .map(|n| update(&key, n, &format!("{run} at {n}")))
            .collect();
        let publisher = upstream.publisher();
        let began_at = Instant::now();
        let publishing = tokio::spawn(async move {
            publisher
                .publish_each(Duration::from_millis(10), updates)
                .await;
            Instant::now()
        });
        let (mut ends, mut live_at) = (Ends::default(), began_at);
        while ends.count() as u64 != UPDATES {
            ends.hear(&upstream.next_end().await);
            live_at = Instant::now();
        }
        let published_at = publishing.await.expect("nobody panics");
        ends.assert_each_ended_once();
        assert_eq!(ends.of(&key, UPDATES), ["ready"].into(), "the newest");
        until_live.extend([live_at.saturating_duration_since(published_at)]);
        lasted.extend([published_at - began_at]);
        let after = previews.ledger(&*store).await;
        created.push(after.created - before.created);
    }
    created.sort_unstable();
    println!(
        "  {UPDATES} updates, one each 10 ms, builds of 1 s: deployments created {created:?}\n  publishing them: {lasted}\n  \
         from the last one until its preview was ready: {until_live}"
    );
    let most = created.last().copied().unwrap_or_default();
    verdicts.is_kept(
        most <= 9,
        format!("at most 9 deployments for a storm: {most}"),
    );
    let ledger = previews.ledger(&*store).await;
    verdicts.is_kept(
        ledger.created == ledger.revisions,
        format!("no revision was created twice: {ledger:?}"),
    );
    up.stop("TERM").await;
    foreshow.close().await;
}

/// Ten contexts at once, each with an update every 300 ms for 30 s, with builds of two.
pub(crate) async fn restless(grounds: &Grounds, verdicts: &mut Verdicts) {
    const CONTEXTS: usize = 10;
    const UPDATES: u64 = 100;
    const BUILD: Duration = Duration::from_secs(2);
    // What a context may be stale for, by default; and what two cores may be late by.
    const STALE: Duration = Duration::from_secs(10);
    const SLACK: Duration = Duration::from_secs(1);
    let foreshow = grounds.foreshow().await;
    let foreshow = foreshow.set("FORESHOW_LOCAL__BUILD_MS", BUILD.as_millis());
    let up = foreshow.up().await;
    let mut upstream = Upstream::connect(&foreshow).await;
    let keys: Vec<_> = (0..CONTEXTS)
        .map(|n| key("acme", &format!("restless-{n}")))
        .collect();
    let began_at = Instant::now();
    let publishing = join_all(keys.iter().map(|key| {
        let updates: Vec<_> = (1..=UPDATES)
            .map(|n| update(key, n, &format!("{key} at {n}")))
            .collect();
        let publisher = upstream.publisher();
        async move {
            publisher
                .publish_each(Duration::from_millis(300), updates)
                .await;
        }
    }));
    let publishing = tokio::spawn(publishing);
    let mut ends = Ends::default();
    let mut gaps: BTreeMap<ContextKey, Gaps> = BTreeMap::new();
    while ends.count() as u64 != UPDATES * CONTEXTS as u64 {
        let end = upstream.next_end().await;
        ends.hear(&end);
        if let ResultBody::Ready(ready) = &end.body {
            let gaps = gaps
                .entry(ready.key.clone())
                .or_insert_with(|| Gaps::since(began_at));
            gaps.ready();
        }
    }
    publishing.await.expect("nobody panics");
    ends.assert_each_ended_once();
    let (mut all, mut shown) = (Figures::default(), Vec::new());
    for gaps in gaps.into_values() {
        shown.push(gaps.gaps.len());
        all.extend(gaps.gaps);
    }
    shown.sort_unstable();
    let previews = Previews::of(&foreshow).await;
    let ledger = previews.ledger(&*foreshow.store().await).await;
    println!(
        "  {CONTEXTS} contexts at once, an update of each every 300 ms for 30 s, builds of 2 s: {ledger:?}\n  previews ready, by \
         context: {shown:?}\n  from one ready preview to the next: {all}"
    );
    let bound = STALE + BUILD + SLACK;
    verdicts.is_kept(
        shown.len() == CONTEXTS && all.max() <= bound,
        format!(
            "a fresh preview at least every {} s (bound {} s, build {} s, slack {} s): {:.1} s",
            bound.as_secs(),
            STALE.as_secs(),
            BUILD.as_secs(),
            SLACK.as_secs(),
            all.max().as_secs_f64()
        ),
    );
    verdicts.is_kept(
        ledger.created == ledger.revisions,
        format!("no revision was created twice: {ledger:?}"),
    );
    up.stop("TERM").await;
    foreshow.close().await;
}

/// Between the previews of a context.
struct Gaps {
    last_at: Instant,
    gaps: Vec<Duration>,
}

impl Gaps {
    fn since(began_at: Instant) -> Self {
        Self {
            last_at: began_at,
            gaps: Vec::new(),
        }
    }

    fn ready(&mut self) {
        let now = Instant::now();
        self.gaps.push(now - self.last_at);
        self.last_at = now;
    }
}
