//! Claims about builds: how they stand, and how they are stopped.

use foreshow_engine::BuildState;

use super::{
    Adapter, Build, alias, create, deploy, eventually, key, nothing_is_left, only_this_is_there,
    page, ready,
};

/// And not before.
pub async fn a_build_runs_until_it_is_ready(adapter: &(impl Adapter + ?Sized)) {
    let (provider, key) = (adapter.provider(), key("ctx"));
    let never = create(adapter, Build::Never, &key, 1, "page").await;
    let quick = deploy(adapter, &key, 2, "page").await;
    assert_eq!(
        provider.status(&never.id).await.unwrap(),
        BuildState::Building
    );
    assert_eq!(provider.status(&quick.id).await.unwrap(), BuildState::Ready);
}

/// Who asks after it is told, and so is who finds it in the list: whoever takes it over may have to say why.
pub async fn a_failed_build_tells_the_end_of_its_log(adapter: &(impl Adapter + ?Sized)) {
    let (provider, key) = (adapter.provider(), key("ctx"));
    let deployment = create(adapter, Build::Fails, &key, 1, "page").await;
    let log_tail = eventually("the build fails", async || {
        match provider.status(&deployment.id).await.unwrap() {
            BuildState::Failed { log_tail } => Some(log_tail),
            BuildState::Building => None,
            other => panic!("it is to fail, and is {other:?}"),
        }
    })
    .await;
    let says_why = |log: &[String]| log.iter().any(|line| line.contains(adapter.failure_word()));
    assert!(says_why(&log_tail), "{log_tail:?}");
    let listed = provider.list(&key).await.unwrap();
    assert_eq!(listed.len(), 1);
    let BuildState::Failed { log_tail } = &listed[0].state else {
        panic!("it has failed, and is listed as {:?}", listed[0].state);
    };
    assert!(says_why(log_tail), "{log_tail:?}");
}

/// What is confirmed is done. Once more is as good.
pub async fn a_cancelled_build_leaves_nothing(adapter: &(impl Adapter + ?Sized)) {
    let (provider, key) = (adapter.provider(), key("ctx"));
    let deployment = create(adapter, Build::Never, &key, 1, "page").await;
    for _ in 0..2 {
        provider.cancel(&deployment.id).await.unwrap();
        assert_eq!(
            provider.status(&deployment.id).await.unwrap(),
            BuildState::Gone
        );
        nothing_is_left(&*provider, &key).await;
    }
    let again = create(adapter, Build::Never, &key, 1, "page").await;
    assert_ne!(again.id, deployment.id, "an id is never given out twice");
    only_this_is_there(&*provider, &key, &again.id).await;
}

/// Whoever cancels cannot know that the build ended a moment ago.
pub async fn a_cancel_that_comes_too_late_leaves_nothing_either(adapter: &(impl Adapter + ?Sized)) {
    let (provider, key) = (adapter.provider(), key("ctx"));
    let deployment = deploy(adapter, &key, 1, "page").await;
    provider.cancel(&deployment.id).await.unwrap();
    assert_eq!(
        provider.status(&deployment.id).await.unwrap(),
        BuildState::Gone
    );
    nothing_is_left(&*provider, &key).await;
}

/// Above all what people see.
pub async fn a_cancel_leaves_other_revisions_alone(adapter: &(impl Adapter + ?Sized)) {
    let (provider, key) = (adapter.provider(), key("ctx"));
    let shown = deploy(adapter, &key, 1, "what people see").await;
    assert!(provider.move_alias(&alias(&key), &shown.id).await.unwrap());
    let build = create(adapter, Build::Never, &key, 2, "what nobody sees").await;
    provider.cancel(&build.id).await.unwrap();
    only_this_is_there(&*provider, &key, &shown.id).await;
    assert_eq!(
        provider.alias(&alias(&key)).await.unwrap(),
        Some(shown.id.clone())
    );
    let shown = ready(&*provider, shown).await;
    assert_eq!(
        page(adapter, &provider.url(&shown.address)).await,
        "what people see"
    );
}

/// However it went: the store drops it by that, and a job begins anew.
pub async fn what_vanished_is_gone(adapter: &(impl Adapter + ?Sized)) {
    let (provider, key) = (adapter.provider(), key("ctx"));
    let stays = deploy(adapter, &key, 1, "it stays").await;
    let goes = deploy(adapter, &key, 2, "it goes").await;
    assert!(provider.move_alias(&alias(&key), &stays.id).await.unwrap());
    adapter.vanish(&goes.id).await;
    assert_eq!(provider.status(&goes.id).await.unwrap(), BuildState::Gone);
    only_this_is_there(&*provider, &key, &stays.id).await;
    assert!(!provider.move_alias(&alias(&key), &goes.id).await.unwrap());
    assert_eq!(
        provider.alias(&alias(&key)).await.unwrap(),
        Some(stays.id.clone())
    );
    provider.cancel(&goes.id).await.unwrap();
    provider.delete(&goes.id).await.unwrap();
    only_this_is_there(&*provider, &key, &stays.id).await;
}
