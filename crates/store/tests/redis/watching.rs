//! Notices across processes, and what becomes of them when their connection does not last.

use std::time::{Duration, Instant};

use foreshow_engine::{Claimed, Store};
use foreshow_servers::{Redis, RedisOptions as Server};

use crate::support::{
    Adapter as _, Remote, TTL, ask, calm, connect, failed, far, fires, grant, hand_over, key,
    make_live, settlement, soon, up,
};

/// Well below the shortest wait without a notice, and above what a notice takes.
const AT_ONCE: Duration = Duration::from_millis(1_200);

/// Whether a release is heard of at once. A busy machine may be slow once, but not each time.
async fn hears(waits: &dyn Store, works: &dyn Store, context: &str) -> bool {
    for number in 1..=10 {
        let (lease, _) = grant(works, &key(context), up(number)).await;
        if is_at_once(waits, context, async || hand_over(works, &lease).await).await {
            return true;
        }
    }
    false
}

async fn is_at_once(waits: &dyn Store, context: &str, does: impl AsyncFn()) -> bool {
    let mut watch = waits.watch(&key(context));
    calm(&mut watch).await;
    let began_at = Instant::now();
    tokio::join!(soon(watch.changed()), does());
    began_at.elapsed() < AT_ONCE
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_wait_hear_of_another_process() {
    let remote = Remote::shared().await;
    let (one, two) = (&remote.store, &remote.again().await);
    assert!(hears(one, two, "x").await && hears(two, one, "y").await);
    let (lease, _) = grant(one, &key("a"), up(1)).await;
    let mut watch = two.watch(&key("a"));
    calm(&mut watch).await;
    assert!(matches!(
        ask(two, &key("a"), up(1)).await,
        Claimed::Held { .. }
    ));
    // What happens to others is not for this waiter.
    make_live(one, &key("b"), 1, far()).await;
    make_live(two, &key("c"), 1, far()).await;
    one.renew(lease.id(), TTL).await.unwrap();
    assert!(!fires(&mut watch).await);
    one.settle(lease.id(), &settlement(failed())).await.unwrap();
    soon(watch.changed()).await;
    remote.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nudge_is_heard_at_once_by_another_process() {
    let remote = Remote::shared().await;
    let other = remote.again().await;
    let nudge = async || remote.store.nudge(&key("a")).await.unwrap();
    let mut heard = false;
    for _ in 0..10 {
        heard = heard || is_at_once(&other, "a", nudge).await;
    }
    assert!(heard);
    remote.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_subscription_is_made_anew_and_wakes_everybody() {
    let server = Redis::temporary(Server::default()).await.unwrap();
    let store = connect(&server.url(), "foreshow").await;
    let mut watch = store.watch(&key("a"));
    calm(&mut watch).await;
    let subscribers = async || {
        let told = server.call(&["PUBSUB", "NUMSUB", "foreshow:notices"]).await;
        told.unwrap().text()
    };
    assert_eq!(subscribers().await, "foreshow:notices\n1");
    server
        .call(&["CLIENT", "KILL", "TYPE", "pubsub"])
        .await
        .unwrap();
    soon(watch.changed()).await;
    let began_at = Instant::now();
    while subscribers().await != "foreshow:notices\n1" {
        assert!(began_at.elapsed() < Duration::from_mins(1));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(hears(&store, &store, "b").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_notices_a_wait_still_ends() {
    // A user who may not subscribe: the wait is bounded by asking.
    let users = vec!["user mute on >secret ~* +@all resetchannels".to_owned()];
    let server = Redis::temporary(Server {
        users,
        ..Server::default()
    })
    .await
    .unwrap();
    let store = connect(&server.url_as("mute", "secret"), "foreshow").await;
    let mut watch = store.watch(&key("a"));
    soon(watch.changed()).await;
}
