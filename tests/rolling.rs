//! All workers are replaced one after another while updates flow and builds run: no build is begun again, nothing is lost.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use foreshow_contract::ContextKey;
use foreshow_engine::Store;
use foreshow_tests::{Ends, Foreshow, Previews, Upstream, eventually, fetch, holder, key, update};

foreshow_tests::on_every_ground! {
    a_rolling_restart_of_three_workers_restarts_no_build_and_loses_nothing
}

const CONTEXTS: usize = 9;
const WORKERS: usize = 3;

async fn a_rolling_restart_of_three_workers_restarts_no_build_and_loses_nothing(
    foreshow: Foreshow,
) {
    let foreshow = foreshow.set("FORESHOW_LOCAL__BUILD_MS", 2_500);
    let gateway = foreshow.gateway().await;
    let mut workers = Vec::new();
    for generation in 0..WORKERS {
        let name = format!("old-{generation}");
        workers.push((name.clone(), foreshow.worker_named(&name).await));
    }
    let mut upstream = Upstream::connect(&foreshow).await;
    let keys: Vec<_> = (0..CONTEXTS)
        .map(|n| key("acme", &format!("ctx-{n}")))
        .collect();
    let rolled = Arc::new(AtomicBool::new(false));
    let publishing = {
        let (publisher, keys) = (upstream.publisher(), keys.clone());
        let rolled = Arc::clone(&rolled);
        tokio::spawn(async move {
            // Each context's turn comes before its build is done: some are cancelled, some go on.
            let mut revision = 0;
            while !rolled.load(Ordering::Relaxed) {
                revision += 1;
                let round = keys.iter();
                let round = round.map(|key| update(key, revision, &format!("{key} at {revision}")));
                let round: Vec<_> = round.collect();
                publisher
                    .publish_each(Duration::from_millis(150), round)
                    .await;
            }
            revision
        })
    };

    let store = foreshow.store().await;
    let mut ends = Ends::default();
    for generation in 0..WORKERS {
        while ends.count() < (generation + 1) * CONTEXTS {
            ends.hear(&upstream.next_end().await);
        }
        let (name, worker) = workers.remove(0);
        eventually("it holds a build", async || {
            builds_at(&*store, &keys).await.contains(&name)
        })
        .await;
        let said = worker.said_at_its_end("TERM").await;
        assert!(
            said.contains("is handed over, its build still running"),
            "{name} had a build, and said:\n{said}"
        );
        let name = format!("new-{generation}");
        workers.push((name.clone(), foreshow.worker_named(&name).await));
    }
    rolled.store(true, Ordering::Relaxed);
    let last = publishing.await.expect("nobody panics");

    let all = CONTEXTS * usize::try_from(last).expect("a few");
    while ends.count() < all {
        ends.hear(&upstream.next_end().await);
    }
    ends.assert_each_ended_once();
    let outcomes: BTreeSet<_> = ends.outcomes().into_keys().collect();
    assert_eq!(outcomes, ["ready", "superseded"].into());
    let previews = Previews::of(&foreshow).await;
    for key in &keys {
        assert_eq!(ends.of(key, last), ["ready"].into(), "the newest of {key}");
        assert_eq!(previews.revisions(key).await, [last], "{key}");
        let page = fetch(&ends.aliases[key]).await;
        assert_eq!(page.text(), format!("{key} at {last}"));
    }
    let ledger = previews.ledger(&*store).await;
    assert_eq!(ledger.created, ledger.revisions, "no build was begun again");
    let mut adopted = 0;
    for (name, worker) in workers {
        let said = worker.said_at_its_end("TERM").await;
        adopted += said.matches("adopted the deployment of revision").count();
        assert!(!said.contains("ERROR"), "{name} said:\n{said}");
    }
    assert!(
        adopted > 0,
        "the new ones went on with what the old ones began"
    );
    if let Some(vhost) = foreshow.ground().vhost() {
        let letters = vhost.depth("foreshow.dead-letters").await;
        assert_eq!(letters.expect("the broker tells"), 0, "dead letters");
    }
    drop(gateway);
    foreshow.close().await;
}

/// The workers that hold a build of one of these, by the names that they were given.
async fn builds_at(store: &dyn Store, keys: &[ContextKey]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for key in keys {
        let record = store.context(key).await.expect("the store answers");
        if let Some(record) = record.filter(|record| record.building.is_some()) {
            names.extend(holder(&record));
        }
    }
    names
}
