//! Claims about lists: the engine leans on nothing else to know what it created.

use std::collections::BTreeMap;

use foreshow_contract::ContextKey;
use foreshow_engine::BuildState;

use super::{
    Adapter, Build, STYLE, create, deploy, ids, inventory, key, only_this_is_there, ready, site,
    try_create,
};

/// With its tags, from the moment its create was answered: who looks for a create whose answer was lost finds it so.
pub async fn what_was_created_is_listed_at_once(adapter: &(impl Adapter + ?Sized)) {
    let (provider, key) = (adapter.provider(), key("ctx"));
    assert_eq!(provider.list(&key).await.unwrap(), []);
    let first = create(adapter, Build::Never, &key, 3, "one").await;
    assert_eq!(first.key, key);
    assert_eq!(first.revision.get(), 3);
    assert_eq!(first.state, BuildState::Building);
    only_this_is_there(&*provider, &key, &first.id).await;

    let second = deploy(adapter, &key, 9_007_199_254_740_991, "two").await;
    assert_eq!(second.revision.get(), 9_007_199_254_740_991);
    let mut listed = provider.list(&key).await.unwrap();
    listed.sort_by_key(|one| one.revision);
    let told: Vec<_> = listed
        .iter()
        .map(|one| (&one.id, &one.key, one.revision, &one.state))
        .collect();
    let building = BuildState::Building;
    assert_eq!(
        told,
        [
            (&first.id, &key, first.revision, &building),
            (&second.id, &key, second.revision, &BuildState::Ready),
        ]
    );
}

/// Also where their names, one after the other, read the same.
pub async fn contexts_and_tenants_are_apart(adapter: &(impl Adapter + ?Sized)) {
    let provider = adapter.provider();
    let keys = [
        ("acme", "ctx"),
        ("acme", "ctx-2"),
        ("acme", "CTX"),
        ("other", "ctx"),
        ("a", "b/c"),
        ("a/b", "c"),
    ];
    let keys = keys.map(|(tenant, context)| ContextKey::try_new(tenant, context).unwrap());
    let mut created = Vec::new();
    for key in &keys {
        created.push(create(adapter, Build::Never, key, 1, "page").await.id);
    }
    for (key, id) in keys.iter().zip(&created) {
        only_this_is_there(&*provider, key, id).await;
    }
    provider.delete(&created[0]).await.unwrap();
    assert_eq!(provider.list(&keys[0]).await.unwrap(), []);
    for (key, id) in keys.iter().zip(&created).skip(1) {
        only_this_is_there(&*provider, key, id).await;
    }
}

/// Whatever people call their contexts comes back as they wrote it.
pub async fn names_of_any_kind_are_read_back(adapter: &(impl Adapter + ?Sized)) {
    let provider = adapter.provider();
    let longest = "x".repeat(160);
    let contexts = [
        "feature/ABC-1_über",
        "..",
        "a%2Fb",
        " \"quoted\" \\ 'and' {braced}: ?&=#, ",
        "\u{1f680}\u{200d}\u{2728} ü",
        "null",
        "line\nbreak\u{7}",
        longest.as_str(),
    ];
    let mut created = Vec::new();
    for context in contexts {
        let key = ContextKey::try_new("té nant/1", context).unwrap();
        let id = create(adapter, Build::Never, &key, 1, "page").await.id;
        let listed = provider.list(&key).await.unwrap();
        assert_eq!(listed.len(), 1, "{context:?}");
        assert_eq!((&listed[0].id, &listed[0].key), (&id, &key));
        created.push((id, key));
    }
    let mut listed: Vec<_> = inventory(&*provider)
        .await
        .into_iter()
        .map(|one| (one.id, one.key))
        .collect();
    listed.sort();
    listed.dedup();
    created.sort();
    assert_eq!(listed, created);
}

/// Over as many pages as it takes, with revision and state. One at a page's border may come twice.
pub async fn the_inventory_has_every_deployment(adapter: &(impl Adapter + ?Sized)) {
    let provider = adapter.provider();
    assert_eq!(inventory(&*provider).await, []);
    let mut created = Vec::new();
    for n in 0..adapter.beyond_a_page() {
        let key = key(&format!("ctx-{n}"));
        let deployment = create(adapter, Build::Never, &key, n as u64 + 1, "page").await;
        created.push((deployment.id, deployment.key, deployment.revision));
    }
    let first = provider.inventory(None).await.unwrap();
    assert!(first.next.is_some(), "all of them are on the first page");
    let all = inventory(&*provider).await;
    assert!(all.iter().all(|one| one.state == BuildState::Building));
    let mut listed: Vec<_> = all
        .into_iter()
        .map(|one| (one.id, one.key, one.revision))
        .collect();
    listed.sort();
    listed.dedup();
    created.sort();
    assert_eq!(listed, created);
}

/// Or a kept revision would be counted twice.
pub async fn a_context_with_many_deployments_has_each_listed_once(
    adapter: &(impl Adapter + ?Sized),
) {
    let (provider, key) = (adapter.provider(), key("ctx"));
    let mut created = Vec::new();
    for n in 0..adapter.beyond_a_page() {
        let deployment = create(adapter, Build::Never, &key, n as u64 + 1, "page").await;
        created.push(deployment.id);
    }
    created.sort();
    assert_eq!(ids(&*provider, &key).await, created);
}

/// Nothing that matters is in one process alone.
pub async fn what_another_process_created_is_known(adapter: &(impl Adapter + ?Sized)) {
    let (provider, key) = (adapter.provider(), key("ctx"));
    let deployment = deploy(adapter, &key, 1, "page").await;
    let another = adapter.another();
    let listed = another.list(&key).await.unwrap();
    assert_eq!(listed.len(), 1);
    let found = ready(&*another, listed[0].clone()).await;
    assert_eq!(
        (&found.id, &found.address),
        (&deployment.id, &deployment.address)
    );
    assert_eq!(
        another.url(&found.address),
        provider.url(&deployment.address)
    );
    another.delete(&deployment.id).await.unwrap();
    assert_eq!(provider.list(&key).await.unwrap(), []);
    assert_eq!(
        provider.status(&deployment.id).await.unwrap(),
        BuildState::Gone
    );
}

/// And what was sent is counted, whichever way it is.
pub async fn equal_files_are_sent_once_where_the_provider_keeps_them(
    adapter: &(impl Adapter + ?Sized),
) {
    let (provider, key, none) = (adapter.provider(), key("ctx"), BTreeMap::new());
    let first = site("a page of its own");
    let total = first.total_bytes();
    let made = try_create(&*provider, &key, 1, &first, &none)
        .await
        .unwrap();
    assert_eq!((made.bytes_uploaded, made.bytes_reused), (total, 0));

    let before = adapter.uploads();
    let again = try_create(&*provider, &key, 2, &first, &none)
        .await
        .unwrap();
    let changed = site("another page");
    let next = try_create(&*provider, &key, 3, &changed, &none)
        .await
        .unwrap();
    let counted = |made: &foreshow_engine::Created| (made.bytes_uploaded, made.bytes_reused);
    if let (Some(before), Some(after)) = (before, adapter.uploads()) {
        assert_eq!(counted(&again), (0, total));
        let page = "another page".len() as u64;
        assert_eq!(counted(&next), (page, changed.total_bytes() - page));
        assert!(STYLE.len() as u64 <= next.bytes_reused);
        assert_eq!(after - before, 1, "one file was new");
    } else {
        assert_eq!(counted(&again), (total, 0));
        assert_eq!(counted(&next), (changed.total_bytes(), 0));
    }
}
