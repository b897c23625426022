//! A Redis Cluster of three nodes.

use std::sync::atomic::{AtomicU64, Ordering};

use foreshow_conformance::{store::run_model, store_contract};
use foreshow_engine::{Claimed, Store as _};
use foreshow_servers::RedisCluster;

use crate::support::{
    Remote, ask, connect, failed, far, grant, key, make_live, settlement, soon, up,
};

async fn cluster() -> RedisCluster {
    RedisCluster::temporary().await.unwrap()
}

async fn fresh(cluster: &RedisCluster) -> Remote {
    static NAMESPACES: AtomicU64 = AtomicU64::new(0);
    let number = NAMESPACES.fetch_add(1, Ordering::Relaxed);
    Remote::at(&cluster.url(), &format!("n{number}")).await
}

store_contract!(one test a_cluster_keeps_the_contract: cluster().await, fresh);

#[test]
fn a_cluster_answers_as_memory_does() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let cluster = runtime.block_on(cluster());
    run_model(3, async || fresh(&cluster).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_crashes_and_comes_back_stops_nothing_for_good() {
    let mut cluster = cluster().await;
    for node in cluster.nodes() {
        // Else what was written in the last two seconds may be lost with the process.
        let always = node.call(&["CONFIG", "SET", "appendfsync", "always"]).await;
        always.unwrap();
    }
    let store = connect(&cluster.url(), "foreshow").await;
    let contexts: Vec<_> = (0..12).map(|n| key(&format!("c{n}"))).collect();
    for context in &contexts {
        make_live(&store, context, 1, far()).await;
    }
    let (lease, _) = grant(&store, &contexts[0], up(2)).await;
    let long = std::time::Duration::from_mins(20);
    store.renew(lease.id(), long).await.unwrap();
    let mut watch = store.watch(&contexts[0]);
    cluster.node_mut(1).restart().await.unwrap();
    cluster.joined().await.unwrap();
    for context in &contexts {
        let asked = async || store.context(context).await;
        let record = crate::faults::insist(asked).await;
        assert!(record.unwrap().live.is_some(), "what was answered is kept");
    }
    let settling = async || store.settle(lease.id(), &settlement(failed())).await;
    crate::faults::insist(settling).await;
    soon(watch.changed()).await;
    assert!(matches!(
        ask(&store, &contexts[0], up(2)).await,
        Claimed::Finished(_)
    ));
    let listed = crate::faults::insist(async || store.contexts(None, 99).await).await;
    assert_eq!(listed.len(), 12);
}
