//! Redis loses its memory, in whole or in part, under a store that goes on.

use foreshow_engine::{Claimed, Store};
use foreshow_servers::{Redis, RedisCluster, RedisOptions as Server};

use crate::support::{
    Remote, TTL, ask, deployment, far, grant, hand_over, key, live, make_live, rebuild, seed, up,
};

/// Whether a claim of a context's first event says that providers may know more.
async fn is_unknown(store: &dyn Store, context: &str, number: u64) -> bool {
    let claimed = ask(store, &key(context), up(number)).await;
    let Claimed::Granted {
        lease, is_unknown, ..
    } = claimed
    else {
        panic!("{context}/{number} was not granted but {claimed:?}")
    };
    hand_over(store, &lease).await;
    is_unknown
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_lost_everything_says_so_until_it_is_rebuilt() {
    let server = Redis::temporary(Server::default()).await.unwrap();
    let Remote { store, .. } = Remote::at(&server.url(), "foreshow").await;
    rebuild(&store, "one").await;
    make_live(&store, &key("a"), 7, far()).await;
    let (lease, _) = grant(&store, &key("b"), up(3)).await;
    assert!(!is_unknown(&store, "new", 1).await);
    store.begin_rebuild("two").await.unwrap();
    server.flush_all().await.unwrap();

    assert!(!store.complete_rebuild("two").await.unwrap());
    assert!(!store.remembers().await.unwrap());
    // What was under way is lost, and begins anew; so does what is long over, until somebody looks.
    let dep = deployment("dep");
    let recorded = store.record_deployment(lease.id(), &dep).await.unwrap();
    assert_eq!(recorded, foreshow_engine::Recording::Lost);
    assert!(is_unknown(&store, "b", 3).await);
    assert!(is_unknown(&store, "a", 2).await);
    let told = seed(&key("a"), &[(7, "dep-7")], far());
    store.seed(&key("a"), &told).await.unwrap();
    let late = ask(&store, &key("a"), up(2)).await;
    assert!(
        matches!(late, Claimed::Stale { by } if by == up(7)),
        "{late:?}"
    );

    rebuild(&store, "three").await;
    assert!(store.remembers().await.unwrap());
    // The scripts are forgotten too, so the claim is made twice: all shards are asked what they remember.
    let all = server.call(&["SCRIPT", "FLUSH", "SYNC"]).await;
    all.unwrap();
    assert!(!is_unknown(&store, "newer", 1).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_of_which_one_node_forgot_does_not_remember() {
    let cluster = RedisCluster::temporary().await.unwrap();
    let Remote { store, .. } = Remote::at(&cluster.url(), "foreshow").await;
    let contexts: Vec<_> = (0..24).map(|number| format!("c{number}")).collect();
    for node in cluster.nodes() {
        let nonce = format!("before {}", node.port());
        rebuild(&store, &nonce).await;
        for context in &contexts {
            assert!(!is_unknown(&store, context, 1).await, "{context}");
        }
        store.begin_rebuild("overtaken").await.unwrap();
        node.call(&["FLUSHALL"]).await.unwrap();
        assert!(!store.remembers().await.unwrap());
        for context in &contexts {
            // Wherever its record is, and wherever its shard.
            assert!(is_unknown(&store, context, 1).await, "{context}");
        }
        assert!(!store.complete_rebuild("overtaken").await.unwrap());
        assert!(!store.remembers().await.unwrap());
    }
    // A context that somebody has written to needs no look.
    let (lease, _) = grant(&store, &key("c0"), up(2)).await;
    let shown = live(2, "dep-2");
    store.go_live(lease.id(), &shown, far(), TTL).await.unwrap();
    hand_over(&store, &lease).await;
    assert!(!is_unknown(&store, "c0", 3).await);
}
