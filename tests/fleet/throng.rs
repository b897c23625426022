//! Many events, several workers.

use std::collections::BTreeSet;

use foreshow_contract::{ContextKey, TenantId};
use foreshow_engine::QuotaSet;
use foreshow_tests::{Ends, Foreshow, Upstream, eventually, fetch, key, update};

const CONTEXTS: u64 = 1_000;
const REVISIONS: u64 = 4;
const TENANTS: u64 = 20;

fn name(context: u64) -> ContextKey {
    key(
        &format!("tenant-{}", context % TENANTS),
        &format!("ctx-{context}"),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_5000_events_over_1000_contexts_each_ends_once_and_the_newest_of_each_is_live() {
    let foreshow = Foreshow::fleet()
        .await
        .set("FORESHOW_LIMITS__LIVE_PREVIEWS", 10_000)
        .set("FORESHOW_LIMITS__CONCURRENT_BUILDS", 10_000);
    let gateway = foreshow.gateway().await;
    let workers = [
        foreshow.worker().await,
        foreshow.worker().await,
        foreshow.worker().await,
    ];
    let mut upstream = Upstream::connect(&foreshow).await;

    let mut events: Vec<_> = (0..CONTEXTS)
        .flat_map(|context| (1..=REVISIONS).map(move |revision| (context, revision)))
        .collect();
    let mut rng = fastrand::Rng::with_seed(20_261_123);
    rng.shuffle(&mut events);
    let repeats: Vec<_> = rng.choose_multiple(events.iter().copied(), 1_000);
    events.extend(repeats);
    rng.shuffle(&mut events);
    assert_eq!(events.len(), 5_000);

    let publisher = upstream.publisher();
    let all: Vec<_> = events
        .iter()
        .map(|(context, revision)| {
            let page = format!("{context} at {revision}");
            update(&name(*context), *revision, &page)
        })
        .collect();
    let publishing = tokio::spawn(async move {
        for some in all.chunks(64) {
            publisher.publish_all(some).await;
        }
    });
    let mut ends = Ends::default();
    // A repeat ends too: with the same id.
    for _ in 0..events.len() {
        ends.hear(&upstream.next_end().await);
    }
    publishing.await.expect("nobody panics");
    assert_eq!(ends.count() as u64, CONTEXTS * REVISIONS, "each has ended");
    ends.assert_each_ended_once();
    for context in 0..CONTEXTS {
        let name = name(context);
        assert_eq!(
            ends.of(&name, REVISIONS),
            BTreeSet::from(["ready"]),
            "the newest of {name}"
        );
    }
    // Not each of the thousand: the gateway has stories of its own.
    for context in (0..CONTEXTS).step_by(50) {
        let page = fetch(&ends.aliases[&name(context)]).await;
        assert_eq!(page.text(), format!("{context} at {REVISIONS}"));
    }

    let store = foreshow.store().await;
    for tenant in 0..TENANTS {
        let tenant = TenantId::try_new(format!("tenant-{tenant}")).expect("a legal name");
        let used = async |set| {
            let used = store.quota_used(&tenant, set).await;
            used.expect("the store answers")
        };
        assert_eq!(used(QuotaSet::LivePreviews).await, CONTEXTS / TENANTS);
        eventually("no build counts", async || {
            used(QuotaSet::ConcurrentBuilds).await == 0
        })
        .await;
    }
    let listed = store
        .contexts(None, 10_000)
        .await
        .expect("the store answers");
    assert_eq!(listed.len() as u64, CONTEXTS);
    for context in listed {
        let live = context.record.live.expect("each is live");
        assert_eq!(live.revision.get(), REVISIONS);
        assert!(
            context.record.lease.is_none(),
            "no lease is left: {}",
            context.key
        );
    }
    let mut running: Vec<_> = workers.into_iter().chain([gateway]).collect();
    for worker in &mut running {
        assert!(worker.is_running());
    }
    for worker in running {
        assert_eq!(worker.stop("TERM").await, Some(0));
    }
    assert_eq!(leftovers(&foreshow).await, BTreeSet::new());
    foreshow.close().await;
}

/// Queues that hold something, with how much.
async fn leftovers(foreshow: &Foreshow) -> BTreeSet<(String, u32)> {
    let vhost = foreshow.ground().vhost().expect("it stands on RabbitMQ");
    let queues = vhost.queues().await.expect("the broker tells");
    let mut left = BTreeSet::new();
    for queue in queues.as_array().expect("a list") {
        let name = queue["name"].as_str().expect("a name");
        // The test's own subscription, which is exclusive; and what it was not subscribed for.
        if name.starts_with("foreshow.gateway.") || name == "foreshow.unrouted" {
            continue;
        }
        let depth = vhost.depth(name).await.expect("the broker tells");
        if depth > 0 {
            left.insert((name.to_owned(), depth));
        }
    }
    left
}
