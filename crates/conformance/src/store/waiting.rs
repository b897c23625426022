//! What those who wait for a context hear.

use super::{
    Adapter, TTL, ask, calm, deployment, failed, fires, grant, hand_over, key, make_live,
    settlement, soon, up,
};

pub async fn those_who_wait_hear_of_a_release_and_of_something_newer(adapter: &dyn Adapter) {
    let store = adapter.store();
    let (lease, _) = grant(&*store, &key("a"), up(1)).await;
    let mut watch = store.watch(&key("a"));
    calm(&mut watch).await;
    // Questions, renewals and other contexts are no news: else those who wait would wake each other for ever.
    ask(&*store, &key("a"), up(1)).await;
    store.renew(lease.id(), TTL).await.unwrap();
    store
        .record_deployment(lease.id(), &deployment("dep"))
        .await
        .unwrap();
    make_live(&*store, &key("b"), 1, adapter.now()).await;
    assert!(!fires(&mut watch).await);
    ask(&*store, &key("a"), up(2)).await;
    soon(watch.changed()).await;
    calm(&mut watch).await;
    // What happens before the wait is not lost.
    hand_over(&*store, &lease).await;
    soon(watch.changed()).await;
    calm(&mut watch).await;
    let (lease, _) = grant(&*store, &key("a"), up(2)).await;
    store
        .settle(lease.id(), &settlement(failed()))
        .await
        .unwrap();
    soon(watch.changed()).await;
}
