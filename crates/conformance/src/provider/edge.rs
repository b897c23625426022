//! Claims about an edge that lags behind: *ready* is the provider's word for its own part.

use foreshow_engine::Probe;

use super::{Edge, Hosted, deploy, digest, first_page, is_good, key, reached, site};

/// Where it is known what the revision answers, every other answer is *not yet*; elsewhere none of them passes for a good one.
pub async fn the_edges_own_pages_are_not_the_revision(adapter: &(impl Hosted + ?Sized)) {
    let (provider, key) = (adapter.provider(), key("ctx"));
    let expected = digest(&site("page"), "index.html");
    adapter.set_edge(Some(Edge::NotFound));
    let deployment = deploy(adapter, &key, 1, "page").await;
    for edge in [Edge::NotFound, Edge::BadGateway] {
        adapter.set_edge(Some(edge));
        let probe = provider
            .probe(&deployment, first_page(Some(&expected)))
            .await
            .unwrap();
        assert!(matches!(probe, Probe::NotYet { .. }), "{edge:?}: {probe:?}");
        let probe = provider.probe(&deployment, first_page(None)).await.unwrap();
        assert!(!is_good(&probe), "{edge:?}: {probe:?}");
    }
    adapter.set_edge(None);
    reached(&*provider, &deployment, first_page(Some(&expected))).await;
    reached(&*provider, &deployment, first_page(None)).await;
}

/// Though it answers well.
pub async fn what_the_edge_still_has_is_not_the_revision(adapter: &(impl Hosted + ?Sized)) {
    let (provider, key) = (adapter.provider(), key("ctx"));
    deploy(adapter, &key, 1, "the page before").await;
    adapter.set_edge(Some(Edge::Previous));
    let deployment = deploy(adapter, &key, 2, "the page").await;
    let (status, body) = adapter.visit(&provider.url(&deployment.address)).await;
    assert_eq!(
        (status, body.as_slice()),
        (200, b"the page before".as_slice())
    );
    let expected = digest(&site("the page"), "index.html");
    let question = first_page(Some(&expected));
    let probe = provider.probe(&deployment, question).await.unwrap();
    assert!(matches!(probe, Probe::NotYet { .. }), "{probe:?}");
    adapter.set_edge(None);
    reached(&*provider, &deployment, question).await;
}
