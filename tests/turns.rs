//! One tenant floods, and the others are served in their turn.
#![expect(
    clippy::unwrap_used,
    reason = "stories are tests, told from two places"
)]

use foreshow_contract::ResultBody;
use foreshow_tests::{Ends, Foreshow, Upstream, key, update};

foreshow_tests::on_every_ground! {
    what_others_publish_behind_a_flood_is_ready_before_half_of_it
}

async fn what_others_publish_behind_a_flood_is_ready_before_half_of_it(foreshow: Foreshow) {
    const FLOOD: usize = 200;
    const OTHERS: [&str; 5] = ["a", "b", "c", "d", "e"];
    const EACH: usize = 2;
    let foreshow = foreshow
        .set("FORESHOW_LOCAL__BUILD_MS", 200)
        .set("FORESHOW_WORKER__CONCURRENCY", 4)
        .set("FORESHOW_WORKER__PREFETCH", 64);
    let _up = foreshow.up().await;
    let mut upstream = Upstream::connect(&foreshow).await;
    let flood = (0..FLOOD).map(|n| update(&key("flood", &format!("c{n}")), 1, "flood"));
    let flood: Vec<_> = flood.collect();
    upstream.publisher().publish_all(&flood).await;
    let others = OTHERS.iter().flat_map(|tenant| {
        (0..EACH).map(move |n| update(&key(tenant, &format!("c{n}")), 1, "other"))
    });
    let others: Vec<_> = others.collect();
    upstream.publisher().publish_all(&others).await;

    let (mut ends, mut order) = (Ends::default(), Vec::new());
    while ends.count() < FLOOD + others.len() {
        let end = upstream.next_end().await;
        ends.hear(&end);
        assert!(matches!(end.body, ResultBody::Ready(_)), "{end:?}");
        order.push(end.key().unwrap().tenant.to_string());
    }
    ends.assert_each_ended_once();
    let last = order.iter().rposition(|tenant| tenant != "flood").unwrap();
    let flooded = order[..last]
        .iter()
        .filter(|tenant| *tenant == "flood")
        .count();
    assert!(
        flooded < FLOOD / 2,
        "{flooded} of the flood's {FLOOD} were ready before the last of the others"
    );
    foreshow.close().await;
}
