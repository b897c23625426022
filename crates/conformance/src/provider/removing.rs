//! Claims about deleting.

use foreshow_engine::BuildState;

use super::{
    Adapter, Build, alias, create, deploy, eventually, first_page, key, nothing_is_left,
    only_this_is_there, page, reached,
};

/// Also for who never heard that it is gone.
pub async fn deleting_twice_is_as_good_as_once(adapter: &(impl Adapter + ?Sized)) {
    let (provider, key) = (adapter.provider(), key("ctx"));
    let deployment = deploy(adapter, &key, 1, "page").await;
    let another = adapter.another();
    for provider in [&provider, &provider, &another] {
        provider.delete(&deployment.id).await.unwrap();
        assert_eq!(
            provider.status(&deployment.id).await.unwrap(),
            BuildState::Gone
        );
        nothing_is_left(&**provider, &key).await;
    }
}

/// With its alias, whichever of them goes.
pub async fn deleting_one_revision_leaves_the_other(adapter: &(impl Adapter + ?Sized)) {
    let (provider, key) = (adapter.provider(), key("ctx"));
    let first = deploy(adapter, &key, 1, "the first page").await;
    let second = deploy(adapter, &key, 2, "the second page").await;
    assert!(provider.move_alias(&alias(&key), &first.id).await.unwrap());
    provider.delete(&second.id).await.unwrap();
    only_this_is_there(&*provider, &key, &first.id).await;
    assert_eq!(
        provider.alias(&alias(&key)).await.unwrap(),
        Some(first.id.clone())
    );
    reached(&*provider, &first, first_page(None)).await;

    let third = deploy(adapter, &key, 3, "the third page").await;
    assert!(provider.move_alias(&alias(&key), &third.id).await.unwrap());
    provider.delete(&first.id).await.unwrap();
    only_this_is_there(&*provider, &key, &third.id).await;
    assert_eq!(
        provider.alias(&alias(&key)).await.unwrap(),
        Some(third.id.clone())
    );
    let url = provider.url(&provider.alias_address(&alias(&key)));
    assert_eq!(page(adapter, &url).await, "the third page");
    reached(&*provider, &third, first_page(None)).await;
}

/// While it builds, and after it failed.
pub async fn whatever_state_it_is_in_it_can_be_deleted(adapter: &(impl Adapter + ?Sized)) {
    let key = key("ctx");
    for build in [Build::Never, Build::Fails] {
        let provider = adapter.provider();
        let deployment = create(adapter, build, &key, 1, "page").await;
        if build == Build::Fails {
            eventually("the build fails", async || {
                let state = provider.status(&deployment.id).await.unwrap();
                matches!(state, BuildState::Failed { .. }).then_some(())
            })
            .await;
        }
        provider.delete(&deployment.id).await.unwrap();
        assert_eq!(
            provider.status(&deployment.id).await.unwrap(),
            BuildState::Gone
        );
        nothing_is_left(&*provider, &key).await;
    }
}
