//! Killed in the middle, asked to stop in the middle: nothing is lost, nothing is deployed twice.

use std::collections::{BTreeMap, BTreeSet};

use foreshow_contract::{ContextKey, ResultBody, ResultEvent};
use foreshow_runner::DeploymentState;
use foreshow_tests::{Foreshow, Previews, Upstream, eventually, fetch, key, update};

foreshow_tests::on_every_ground! {
    killed_in_mid_build_it_ends_ready_after_a_restart_with_one_deployment
    killed_again_and_again_under_load_every_event_ends_and_the_newest_is_live
    asked_to_stop_in_mid_build_it_hands_over_at_once
}

async fn killed_in_mid_build_it_ends_ready_after_a_restart_with_one_deployment(foreshow: Foreshow) {
    let foreshow = foreshow
        .set("FORESHOW_LOCAL__BUILD_MS", 2_500)
        .set("FORESHOW_LEASE__TTL_MS", 3_000)
        .set("FORESHOW_LEASE__RENEW_EVERY_MS", 1_000)
        .set("FORESHOW_LEASE__MARGIN_MS", 500)
        .set("FORESHOW_REDIS__RESPONSE_TIMEOUT_MS", 500);
    let up = foreshow.up().await;
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
    let before = previews.deployed(&key).await;
    up.kill().await;

    let _up = foreshow.up().await;
    let ready = upstream.next_end().await;
    assert_eq!(ready.id, "acme/ctx-1/1/updated/ready");
    let after = previews.deployed(&key).await;
    assert_eq!(after.len(), 1, "one deployment for the revision");
    assert_eq!(
        after[0].id, before[0].id,
        "and it is the one that was begun"
    );
    let foreshow_contract::ResultBody::Ready(ready) = ready.body else {
        panic!()
    };
    // The second gateway has another port; the result names that one.
    assert_eq!(fetch(&ready.url).await.text(), "<h1>survived</h1>");
}

async fn killed_again_and_again_under_load_every_event_ends_and_the_newest_is_live(
    foreshow: Foreshow,
) {
    let foreshow = foreshow
        .set("FORESHOW_LOCAL__BUILD_MS", 30)
        .set("FORESHOW_LEASE__TTL_MS", 1_500)
        .set("FORESHOW_LEASE__RENEW_EVERY_MS", 500)
        .set("FORESHOW_LEASE__MARGIN_MS", 300)
        .set("FORESHOW_REDIS__RESPONSE_TIMEOUT_MS", 500);
    let mut up = foreshow.up().await;
    let mut upstream = Upstream::connect(&foreshow).await;
    let keys: Vec<_> = (0..20).map(|n| key("acme", &format!("ctx-{n}"))).collect();
    let mut ends: BTreeMap<(ContextKey, u64), BTreeSet<String>> = BTreeMap::new();
    let mut aliases = BTreeMap::new();
    let mut hear = |end: ResultEvent| {
        let key = end.key().expect("a result has a key");
        if let ResultBody::Ready(ready) = &end.body {
            aliases.insert(key.clone(), ready.alias_url.clone());
        }
        let revision = end.revision().expect("an end has a revision").get();
        let told = ends.entry((key, revision)).or_default();
        told.insert(end.id);
        assert_eq!(told.len(), 1, "an event ends in one way: {told:?}");
        ends.len()
    };
    for round in 0..4 {
        for revision in 1..=3 {
            for key in &keys {
                let revision = round * 3 + revision;
                let page = format!("{key} at {revision}");
                upstream.publish(&update(key, revision, &page)).await;
            }
        }
        // Some of the round's events are done then, some under way, some not begun.
        hear(upstream.next_end().await);
        up.kill().await;
        up = foreshow.up().await;
    }
    while hear(upstream.next_end().await) < keys.len() * 12 {}

    let previews = Previews::of(&foreshow).await;
    for key in &keys {
        let revisions = previews.revisions(key).await;
        assert_eq!(revisions, [12], "the newest of {key}, alone");
        // The gateway of now has another port than that of then.
        let (host, _) = aliases[key].rsplit_once(':').expect("tests have a port");
        let (_, port) = up.url.rsplit_once(':').expect("tests have a port");
        let page = fetch(&format!("{host}:{port}")).await;
        assert_eq!(page.text(), format!("{key} at 12"));
    }
}

async fn asked_to_stop_in_mid_build_it_hands_over_at_once(foreshow: Foreshow) {
    let foreshow = foreshow.set("FORESHOW_LOCAL__BUILD_MS", 20_000);
    let up = foreshow.up().await;
    let key = key("acme", "ctx-1");
    let upstream = Upstream::connect(&foreshow).await;
    upstream.publish(&update(&key, 1, "<h1>slow</h1>")).await;
    let previews = Previews::of(&foreshow).await;
    eventually("the build has begun", async || {
        previews.deployed(&key).await.len() == 1
    })
    .await;
    assert_eq!(up.stop("TERM").await, Some(0));
    let left = previews.deployed(&key).await;
    assert_eq!(left.len(), 1);
    let is_building = matches!(left[0].state, DeploymentState::Building { .. });
    assert!(
        is_building,
        "it went long before the build was done: {:?}",
        left[0].state
    );
}
