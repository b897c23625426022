//! Claims about a context's stable address.

use super::{Adapter, alias, deploy, key, page};

/// Neither before there is anything, nor after.
pub async fn an_alias_that_was_never_moved_shows_nothing(adapter: &(impl Adapter + ?Sized)) {
    let (provider, key) = (adapter.provider(), key("ctx"));
    assert_eq!(provider.alias(&alias(&key)).await.unwrap(), None);
    deploy(adapter, &key, 1, "page").await;
    assert_eq!(provider.alias(&alias(&key)).await.unwrap(), None);
}

/// Forward, back again, and a second time to where it is.
pub async fn an_alias_shows_what_it_was_moved_to_last(adapter: &(impl Adapter + ?Sized)) {
    let (provider, key) = (adapter.provider(), key("ctx"));
    let first = deploy(adapter, &key, 1, "the first page").await;
    let second = deploy(adapter, &key, 2, "the second page").await;
    let moves = [
        (&first, "the first page"),
        (&second, "the second page"),
        (&second, "the second page"),
        (&first, "the first page"),
    ];
    for (to, text) in moves {
        assert!(provider.move_alias(&alias(&key), &to.id).await.unwrap());
        assert_eq!(
            provider.alias(&alias(&key)).await.unwrap().as_ref(),
            Some(&to.id)
        );
        let url = provider.url(&provider.alias_address(&alias(&key)));
        assert_eq!(page(adapter, &url).await, text);
    }
    let other = super::key("other");
    assert_eq!(provider.alias(&alias(&other)).await.unwrap(), None);
}

/// That it did not move is told, and it shows what it showed.
pub async fn an_alias_is_not_moved_to_what_is_gone(adapter: &(impl Adapter + ?Sized)) {
    let (provider, key) = (adapter.provider(), key("ctx"));
    let first = deploy(adapter, &key, 1, "it stays").await;
    let second = deploy(adapter, &key, 2, "it goes").await;
    assert!(provider.move_alias(&alias(&key), &first.id).await.unwrap());
    provider.delete(&second.id).await.unwrap();
    assert!(!provider.move_alias(&alias(&key), &second.id).await.unwrap());
    assert_eq!(provider.alias(&alias(&key)).await.unwrap(), Some(first.id));
    let url = provider.url(&provider.alias_address(&alias(&key)));
    assert_eq!(page(adapter, &url).await, "it stays");
}

/// What was taken away is not shown under any name.
pub async fn an_alias_goes_with_its_deployment(adapter: &(impl Adapter + ?Sized)) {
    let (provider, key) = (adapter.provider(), key("ctx"));
    let deployment = deploy(adapter, &key, 1, "page").await;
    assert!(
        provider
            .move_alias(&alias(&key), &deployment.id)
            .await
            .unwrap()
    );
    let url = provider.url(&provider.alias_address(&alias(&key)));
    assert_eq!(page(adapter, &url).await, "page");
    provider.delete(&deployment.id).await.unwrap();
    assert_eq!(provider.alias(&alias(&key)).await.unwrap(), None);
    let (status, _) = adapter.visit(&url).await;
    assert!(status >= 400, "{status}");
}
