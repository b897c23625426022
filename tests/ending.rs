//! A context ends while its update waits, or is being built: nothing of it is left, and it can be opened again at once.
//!
//! Every step between two calls of a provider is visited by the engine's own tests; here it is the whole program that is
//! stopped, killed and frozen at what can be seen from outside.

use foreshow_contract::{ContextKey, ResultBody};
use foreshow_tests::{Ends, Foreshow, Previews, Upstream, end, eventually, fetch, key, update};

foreshow_tests::on_every_ground! {
    an_end_that_waits_beside_its_update_leaves_nothing
    an_end_stops_a_build_and_an_update_right_after_it_lives
    killed_in_mid_build_with_the_end_waiting_it_leaves_nothing
}

async fn build_begins(previews: &Previews, key: &ContextKey, revision: u64) {
    eventually("the build has begun", async || {
        previews.revisions(key).await.contains(&revision)
    })
    .await;
}

/// Hears so many events' ends, and that each ends once.
async fn hear(upstream: &mut Upstream, events: usize) -> Ends {
    let mut ends = Ends::default();
    while ends.count() < events {
        ends.hear(&upstream.next_end().await);
    }
    ends.assert_each_ended_once();
    ends
}

async fn an_end_that_waits_beside_its_update_leaves_nothing(foreshow: Foreshow) {
    // So that the queues are there.
    assert_eq!(foreshow.up().await.stop("TERM").await, Some(0));
    let mut upstream = Upstream::connect(&foreshow).await;
    let keys: Vec<_> = (0..10).map(|n| key("acme", &format!("ctx-{n}"))).collect();
    for key in &keys {
        upstream.publish(&update(key, 1, "never seen")).await;
        upstream.publish(&end(key, 2)).await;
    }
    let foreshow = foreshow.set("FORESHOW_LOCAL__BUILD_MS", 1_000);
    let _up = foreshow.up().await;
    let ends = hear(&mut upstream, 2 * keys.len()).await;
    let previews = Previews::of(&foreshow).await;
    for key in &keys {
        assert_eq!(ends.of(key, 1), ["superseded"].into(), "{key}");
        assert_eq!(ends.of(key, 2), ["removed"].into(), "{key}");
        assert_eq!(previews.revisions(key).await, [0_u64; 0], "{key}");
    }
    foreshow.close().await;
}

async fn an_end_stops_a_build_and_an_update_right_after_it_lives(foreshow: Foreshow) {
    // Longer than any test: only something newer can stop it, however slow this machine is.
    let foreshow = foreshow
        .set("FORESHOW_LOCAL__BUILD_MS", 3_600_000)
        .set("FORESHOW_CANCEL__STALE_MS", 3_600_000);
    let up = foreshow.up().await;
    let mut upstream = Upstream::connect(&foreshow).await;
    let (stays_away, comes_back) = (key("acme", "away"), key("acme", "back"));
    let previews = Previews::of(&foreshow).await;
    for key in [&stays_away, &comes_back] {
        upstream.publish(&update(key, 1, "never seen")).await;
        build_begins(&previews, key, 1).await;
    }
    upstream.publish(&end(&stays_away, 2)).await;
    let ends = hear(&mut upstream, 2).await;
    assert_eq!(ends.of(&stays_away, 1), ["superseded"].into());
    assert_eq!(ends.of(&stays_away, 2), ["removed"].into());
    assert_eq!(previews.revisions(&stays_away).await, [0_u64; 0]);

    upstream.publish(&end(&comes_back, 2)).await;
    upstream.publish(&update(&comes_back, 3, "back")).await;
    build_begins(&previews, &comes_back, 3).await;
    assert_eq!(
        previews.revisions(&comes_back).await,
        [3],
        "and nothing else"
    );
    // Its build is as long, at the next worker too; those that begin there are not.
    assert_eq!(up.stop("TERM").await, Some(0));
    let foreshow = foreshow.set("FORESHOW_LOCAL__BUILD_MS", 0);
    let _up = foreshow.up().await;
    upstream
        .publish(&update(&comes_back, 4, "back again"))
        .await;
    let ends = hear(&mut upstream, 4).await;
    assert_eq!(ends.of(&comes_back, 1), ["superseded"].into());
    // Its own run may have found the newer update accepted.
    let end = ends.of(&comes_back, 2);
    assert!(
        end == ["removed"].into() || end == ["superseded"].into(),
        "{end:?}"
    );
    assert_eq!(ends.of(&comes_back, 3), ["superseded"].into());
    assert_eq!(ends.of(&comes_back, 4), ["ready"].into());
    assert_eq!(previews.revisions(&comes_back).await, [4]);
    let page = fetch(&ends.aliases[&comes_back]).await;
    assert_eq!(page.text(), "back again");
    foreshow.close().await;
}

async fn killed_in_mid_build_with_the_end_waiting_it_leaves_nothing(foreshow: Foreshow) {
    let foreshow = foreshow
        .set("FORESHOW_LOCAL__BUILD_MS", 3_600_000)
        .set("FORESHOW_LEASE__TTL_MS", 3_000)
        .set("FORESHOW_LEASE__RENEW_EVERY_MS", 1_000)
        .set("FORESHOW_LEASE__MARGIN_MS", 500)
        .set("FORESHOW_REDIS__RESPONSE_TIMEOUT_MS", 500);
    let up = foreshow.up().await;
    let mut upstream = Upstream::connect(&foreshow).await;
    let key = key("acme", "ctx-1");
    let previews = Previews::of(&foreshow).await;
    upstream.publish(&update(&key, 1, "never seen")).await;
    build_begins(&previews, &key, 1).await;
    up.kill().await;
    upstream.publish(&end(&key, 2)).await;
    let up = foreshow.up().await;
    let ends = hear(&mut upstream, 2).await;
    assert_eq!(ends.of(&key, 1), ["superseded"].into());
    assert_eq!(ends.of(&key, 2), ["removed"].into());
    assert_eq!(previews.revisions(&key).await, [0_u64; 0]);
    let ledger = previews.ledger(&*foreshow.store().await).await;
    assert_eq!(ledger.created, 1, "the build was not begun again");
    drop(up);
    foreshow.close().await;
}

/// On RabbitMQ and Redis alone: a process that is frozen in a write to SQLite holds up everybody, as SQLite must.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_was_frozen_over_an_end_brings_nothing_back() {
    let foreshow = Foreshow::fleet()
        .await
        .set("FORESHOW_LOCAL__BUILD_MS", 4_000)
        .set("FORESHOW_LEASE__TTL_MS", 3_000)
        .set("FORESHOW_LEASE__RENEW_EVERY_MS", 1_000)
        .set("FORESHOW_LEASE__MARGIN_MS", 500)
        .set("FORESHOW_REDIS__RESPONSE_TIMEOUT_MS", 1_000)
        // What it took with it into its sleep is soon given to the other.
        .set("FORESHOW_RABBITMQ__HEARTBEAT_SECONDS", 5);
    let _gateway = foreshow.gateway().await;
    let frozen = foreshow.worker().await;
    let mut upstream = Upstream::connect(&foreshow).await;
    let key = key("acme", "ctx-1");
    let previews = Previews::of(&foreshow).await;
    upstream.publish(&update(&key, 1, "never seen")).await;
    build_begins(&previews, &key, 1).await;
    let store = foreshow.store().await;
    eventually("the build is in the record", async || {
        let record = store.context(&key).await.expect("the store answers");
        record.is_some_and(|record| record.building.is_some())
    })
    .await;
    frozen.signal("STOP").await;
    let _awake = foreshow.worker().await;
    upstream.publish(&end(&key, 2)).await;
    upstream.publish(&update(&key, 3, "awake")).await;
    let (mut told, mut ready) = (Ends::default(), None);
    while ready.is_none() {
        let end = upstream.next_end().await;
        told.hear(&end);
        if let ResultBody::Ready(is_ready) = end.body {
            ready = Some(is_ready);
        }
    }
    let ready = ready.expect("it was heard");
    assert_eq!(ready.revision.get(), 3);
    assert_eq!(previews.revisions(&key).await, [3]);

    frozen.signal("CONT").await;
    eventually("it has found its lease lost", async || {
        let metrics = fetch(&frozen.admin("/metrics")).await;
        metrics.text().contains("foreshow_leases_lost_total 1")
    })
    .await;
    while told.count() < 3 {
        told.hear(&upstream.next_end().await);
    }
    told.assert_each_ended_once();
    assert_eq!(told.of(&key, 1), ["superseded"].into());
    assert_eq!(previews.revisions(&key).await, [3], "nothing came back");
    assert_eq!(fetch(&ready.alias_url).await.text(), "awake");
    foreshow.close().await;
}
