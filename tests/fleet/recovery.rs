//! Killed in the middle: a worker, the broker, the store.

use std::{collections::BTreeSet, time::Instant};

use foreshow_contract::{RawMessage, ResultBody, ResultEvent, STRUCTURED_JSON};
use foreshow_servers::Vhost;
use foreshow_tests::{
    Ends, Foreshow, Previews, Publisher, Up, Upstream, eventually, fetch, key, update,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_worker_adopts_the_build_of_one_that_was_killed() {
    let foreshow = Foreshow::fleet()
        .await
        .set("FORESHOW_LOCAL__BUILD_MS", 4_000)
        .set("FORESHOW_LEASE__TTL_MS", 3_000)
        .set("FORESHOW_LEASE__RENEW_EVERY_MS", 1_000)
        .set("FORESHOW_LEASE__MARGIN_MS", 500)
        .set("FORESHOW_REDIS__RESPONSE_TIMEOUT_MS", 1_000);
    let _gateway = foreshow.gateway().await;
    let first = foreshow.worker().await;
    let key = key("acme", "ctx-1");
    let mut upstream = Upstream::connect(&foreshow).await;
    upstream
        .publish(&update(&key, 1, "<h1>survived</h1>"))
        .await;
    let previews = Previews::of(&foreshow).await;
    eventually("the build has begun", async || {
        previews.deployed(&key).await.len() == 1
    })
    .await;
    let begun = previews.deployed(&key).await;
    let _second = foreshow.worker().await;
    first.kill().await;
    let killed_at = Instant::now();

    let ready = upstream.next_end().await;
    let took = killed_at.elapsed();
    assert_eq!(ready.id, "acme/ctx-1/1/updated/ready");
    let after = previews.deployed(&key).await;
    assert_eq!(after.len(), 1);
    assert_eq!(after[0].id, begun[0].id, "the same deployment");
    let ResultBody::Ready(ready) = ready.body else {
        panic!()
    };
    assert_eq!(fetch(&ready.url).await.text(), "<h1>survived</h1>");
    println!("adopted and ready {took:?} after the kill; the lease lives 3 s, the build took 4 s");
    foreshow.close().await;
}

/// Publishes rounds of updates and does something terrible in the middle of each; every event ends all the same.
///
/// Results are heard through a durable queue, as by a consumer that must not miss one.
async fn survives(foreshow: Foreshow, terrible: impl AsyncFn(&mut Foreshow)) {
    const ROUNDS: u64 = 3;
    let mut foreshow = foreshow
        .set("FORESHOW_LOCAL__BUILD_MS", 50)
        .set("FORESHOW_RABBITMQ__RESULTS", "structured");
    let gateway = foreshow.gateway().await;
    let mut workers = [foreshow.worker().await, foreshow.worker().await];
    let publisher = Publisher::new(foreshow.broker().await);
    let results = Results::bound(foreshow.servers().vhost()).await;
    let keys: Vec<_> = (0..30).map(|n| key("acme", &format!("ctx-{n}"))).collect();
    let mut ends = Ends::default();
    for round in 1..=ROUNDS {
        let events: Vec<_> = keys
            .iter()
            .flat_map(|key| [2 * round - 1, 2 * round].map(|revision| (key, revision)))
            .map(|(key, revision)| update(key, revision, &format!("{key} at {revision}")))
            .collect();
        // A service that publishes as it should: again, until it is confirmed.
        let publisher = publisher.clone();
        let publishing = tokio::spawn(async move {
            for some in events.chunks(10) {
                publisher.insist_all(some).await;
            }
        });
        let before = ends.count();
        eventually("some of the round has ended", async || {
            results.hear(&mut ends).await;
            ends.count() > before
        })
        .await;
        terrible(&mut foreshow).await;
        publishing.await.expect("nobody panics");
    }
    let all = keys.len() * 2 * usize::try_from(ROUNDS).expect("a few");
    eventually("every event has ended", async || {
        results.hear(&mut ends).await;
        ends.count() == all
    })
    .await;
    // A store that forgot what was newest may have let an older one win: the next event mends it.
    let last = 2 * ROUNDS + 1;
    for key in &keys {
        publisher
            .insist_all(&[update(key, last, &format!("{key} at {last}"))])
            .await;
    }
    eventually("the last one of each has ended", async || {
        results.hear(&mut ends).await;
        ends.count() == all + keys.len()
    })
    .await;
    for key in &keys {
        assert_eq!(
            ends.of(key, last),
            BTreeSet::from(["ready"]),
            "the newest of {key}"
        );
        let page = fetch(&ends.aliases[key]).await;
        assert_eq!(page.text(), format!("{key} at {last}"));
    }
    for worker in &mut workers {
        assert!(
            worker.is_running(),
            "nobody restarted it: {}",
            worker.said()
        );
        let complaints = worker
            .said()
            .lines()
            .filter(|line| line.contains("WARN"))
            .count();
        assert!(
            complaints < 200,
            "{complaints} are a flood:\n{}",
            worker.said()
        );
    }
    drop((workers, gateway));
}

/// A durable queue that hears every result, in structured mode.
struct Results(Vhost);

impl Results {
    async fn bound(vhost: Vhost) -> Self {
        vhost
            .declare_queue("heard")
            .await
            .expect("the broker declares it");
        eventually("results have an exchange", async || {
            vhost.bind("foreshow.results", "heard", "#").await.is_ok()
        })
        .await;
        Self(vhost)
    }

    /// Takes note of what has come. While the broker is away nothing has.
    async fn hear(&self, ends: &mut Ends) {
        for body in self.0.take("heard", 500).await.unwrap_or_default() {
            let message = RawMessage::structured(Some(STRUCTURED_JSON), body.as_bytes());
            let result = ResultEvent::from_message(message).expect("a result");
            if result.is_end() {
                ends.hear(&result);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_killed_and_comes_again_loses_nothing() {
    let foreshow = Foreshow::private().await;
    survives(foreshow, async |foreshow| {
        let rabbitmq = &mut foreshow.servers().rabbitmq;
        rabbitmq.kill().await.expect("it can be killed");
        rabbitmq.restart().await.expect("it comes again");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_forgets_everything_loses_no_event() {
    let foreshow = Foreshow::private().await;
    survives(foreshow, async |foreshow| {
        let redis = &foreshow.servers().redis;
        redis.flush_all().await.expect("it can be emptied");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_killed_and_comes_again_loses_nothing() {
    let foreshow = Foreshow::private().await;
    survives(foreshow, async |foreshow| {
        let redis = &mut foreshow.servers().redis;
        redis.kill().await.expect("it can be killed");
        redis.restart().await.expect("it comes again");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_started_first_waits_for_broker_and_store() {
    let mut foreshow = Foreshow::private().await;
    foreshow.servers().rabbitmq.stop().await.expect("it stops");
    foreshow.servers().redis.stop().await.expect("it stops");
    let _gateway = foreshow.gateway().await;
    let mut worker = foreshow.worker().await;
    eventually("it says that it is not ready", async || {
        let ready = fetch(&worker.admin("/readyz")).await;
        ready.status == 503 && ready.text().contains("broker") && ready.text().contains("store")
    })
    .await;
    assert_eq!(
        fetch(&worker.admin("/healthz")).await.status,
        200,
        "a restart would not help"
    );
    foreshow.servers().redis.restart().await.expect("it starts");
    foreshow
        .servers()
        .rabbitmq
        .restart()
        .await
        .expect("it starts");
    eventually("it is ready", async || {
        fetch(&worker.admin("/readyz")).await.status == 200
    })
    .await;
    let mut upstream = Upstream::connect(&foreshow).await;
    upstream
        .publish(&update(&key("acme", "ctx-1"), 1, "late"))
        .await;
    assert_eq!(upstream.next_end().await.id, "acme/ctx-1/1/updated/ready");
    assert!(worker.is_running());
    let said = worker.said();
    assert!(said.lines().count() < 30, "that is a flood:\n{said}");
    let up: Up = worker;
    assert_eq!(up.stop("TERM").await, Some(0));
}
