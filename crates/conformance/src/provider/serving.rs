//! Claims about reaching what was deployed.

use super::{
    Adapter, Build, STYLE, create, deploy, digest, first_page, is_good, key, page, reached, site,
};

/// To each of them, as it was.
pub async fn an_address_leads_to_the_files(adapter: &(impl Adapter + ?Sized)) {
    let (provider, key) = (adapter.provider(), key("feature/ABC-1"));
    let deployment = deploy(adapter, &key, 1, "<h1>größer</h1>").await;
    let url = provider.url(&deployment.address);
    let url = url.trim_end_matches('/');
    assert_eq!(page(adapter, &format!("{url}/")).await, "<h1>größer</h1>");
    assert_eq!(
        page(adapter, &format!("{url}/assets/style.css")).await,
        STYLE
    );
    let (status, body) = adapter.visit(&format!("{url}/logo.bin")).await;
    assert_eq!((status, body), (200, vec![0, 159, 146, 150, 255]));
    let (status, _) = adapter.visit(&format!("{url}/no-such-file.txt")).await;
    assert_eq!(status, 404);
}

/// With and without knowing what it has to answer.
pub async fn a_probe_knows_its_revision(adapter: &(impl Adapter + ?Sized)) {
    let (provider, key) = (adapter.provider(), key("ctx"));
    let first = deploy(adapter, &key, 1, "the first page").await;
    let second = deploy(adapter, &key, 2, "the second page").await;
    for (deployment, text) in [(&first, "the first page"), (&second, "the second page")] {
        let expected = digest(&site(text), "index.html");
        reached(&*provider, deployment, first_page(None)).await;
        reached(&*provider, deployment, first_page(Some(&expected))).await;
    }
}

/// Whatever stands there instead is not the revision.
pub async fn a_build_is_not_reached(adapter: &(impl Adapter + ?Sized)) {
    let (provider, key) = (adapter.provider(), key("ctx"));
    deploy(adapter, &key, 1, "what people see").await;
    let build = create(adapter, Build::Never, &key, 2, "what nobody sees").await;
    let expected = digest(&site("what nobody sees"), "index.html");
    for question in [first_page(None), first_page(Some(&expected))] {
        let probe = provider.probe(&build, question).await.unwrap();
        assert!(!is_good(&probe), "{probe:?}");
    }
}

/// Not even by who still has its address.
pub async fn what_is_deleted_is_not_reached(adapter: &(impl Adapter + ?Sized)) {
    let (provider, key) = (adapter.provider(), key("ctx"));
    let deployment = deploy(adapter, &key, 1, "page").await;
    reached(&*provider, &deployment, first_page(None)).await;
    provider.delete(&deployment.id).await.unwrap();
    let probe = provider.probe(&deployment, first_page(None)).await.unwrap();
    assert!(!is_good(&probe), "{probe:?}");
    let (status, _) = adapter.visit(&provider.url(&deployment.address)).await;
    assert!(status >= 400, "{status}");
}
