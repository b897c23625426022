//! Claims about accounts, and who else uses them.

use std::collections::BTreeMap;

use foreshow_contract::InstallationKey;

use super::{Adapter, Build, Hosted, alias, deploy, inventory, key, page, ready, site, try_create};

/// Whatever each has done so far. Or what one of them learned of its limits would not help the others.
pub async fn every_process_has_the_same_account(adapter: &(impl Adapter + ?Sized)) {
    let (one, another) = (adapter.provider(), adapter.another());
    deploy(adapter, &key("ctx"), 1, "page").await;
    assert_eq!(one.name(), another.name());
    assert_eq!(one.account(), another.account());
    assert_eq!(one.create_limit(), another.create_limit());
}

/// Each has what it created, and takes nothing of the other's away, though contexts have the same names.
pub async fn installations_on_one_account_are_apart(adapter: &(impl Hosted + ?Sized)) {
    let key = key("ctx");
    let theirs = InstallationKey::try_from_slice(&[8; 32]).unwrap();
    let (our_provider, their_provider) =
        (adapter.provider(), adapter.of_installation(theirs.clone()));
    let ours = deploy(adapter, &key, 1, "our page").await;
    assert!(
        our_provider
            .move_alias(&alias(&key), &ours.id)
            .await
            .unwrap()
    );
    assert_eq!(their_provider.list(&key).await.unwrap(), []);
    assert_eq!(inventory(&*their_provider).await, []);
    assert_eq!(
        their_provider
            .alias(&theirs.alias_label(&key))
            .await
            .unwrap(),
        None
    );

    adapter.set_build(Build::Quick);
    let page_of_theirs = site("their page");
    let made = try_create(&*their_provider, &key, 1, &page_of_theirs, &BTreeMap::new()).await;
    let their = ready(&*their_provider, made.unwrap().deployment).await;
    for (provider, id) in [(&our_provider, &ours.id), (&their_provider, &their.id)] {
        let listed = provider.list(&key).await.unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!(&listed[0].id, id);
        let all = inventory(&**provider).await;
        assert_eq!(all.len(), 1);
        assert_eq!(&all[0].id, id);
    }
    their_provider.delete(&their.id).await.unwrap();
    assert_eq!(inventory(&*their_provider).await, []);
    assert_eq!(
        our_provider.alias(&alias(&key)).await.unwrap(),
        Some(ours.id)
    );
    assert_eq!(
        page(adapter, &our_provider.url(&ours.address)).await,
        "our page"
    );
    assert!(
        our_provider.account().is_some(),
        "its limits are the whole fleet's affair"
    );
}
