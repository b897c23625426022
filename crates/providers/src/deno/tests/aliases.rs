//! The stable address.

use foreshow_engine::{Failure, Provider as _, code};
use foreshow_simulators::{core::BuildOutcome, deno::DenoOperation};

use super::world::{World, alias, until};

#[tokio::test]
async fn the_alias_shows_nothing_until_it_is_moved_and_then_what_it_was_moved_to() {
    let world = World::new().await;
    assert_eq!(world.provider.alias(&alias("ctx")).await.unwrap(), None);
    let first = world.ready("ctx", 1, "one").await;
    assert_eq!(world.provider.alias(&alias("ctx")).await.unwrap(), None);
    assert!(!world.shows("ctx", "one").await);

    assert!(
        world
            .provider
            .move_alias(&alias("ctx"), &first.id)
            .await
            .unwrap()
    );
    assert_eq!(
        world.provider.alias(&alias("ctx")).await.unwrap(),
        Some(first.id.clone())
    );
    assert!(world.shows("ctx", "one").await);

    let second = world.ready("ctx", 2, "two").await;
    assert!(
        world.shows("ctx", "one").await,
        "a push alone moves nothing"
    );
    assert!(
        world
            .provider
            .move_alias(&alias("ctx"), &second.id)
            .await
            .unwrap()
    );
    assert_eq!(
        world.provider.alias(&alias("ctx")).await.unwrap(),
        Some(second.id)
    );
    assert!(world.shows("ctx", "two").await);

    // Back to an older one.
    assert!(
        world
            .provider
            .move_alias(&alias("ctx"), &first.id)
            .await
            .unwrap()
    );
    assert_eq!(
        world.provider.alias(&alias("ctx")).await.unwrap(),
        Some(first.id)
    );
    assert!(world.shows("ctx", "one").await);
}

#[tokio::test]
async fn what_is_read_after_a_move_is_the_move_however_late_the_service_is() {
    let world = World::with(|knobs| knobs.routing_ms = 1_200).await;
    let first = world.ready("ctx", 1, "one").await;
    let second = world.ready("ctx", 2, "two").await;
    for deployment in [&first, &second, &first] {
        assert!(
            world
                .provider
                .move_alias(&alias("ctx"), &deployment.id)
                .await
                .unwrap()
        );
        let shown = world.provider.alias(&alias("ctx")).await.unwrap();
        assert_eq!(shown.as_ref(), Some(&deployment.id));
    }
}

#[tokio::test]
async fn an_alias_is_not_moved_to_what_is_gone() {
    let world = World::new().await;
    let first = world.ready("ctx", 1, "one").await;
    world.provider.delete(&first.id).await.unwrap();
    assert!(
        !world
            .provider
            .move_alias(&alias("ctx"), &first.id)
            .await
            .unwrap()
    );
    assert!(
        !world
            .provider
            .move_alias(&alias("ctx"), &"foreign".into())
            .await
            .unwrap()
    );
    assert_eq!(world.provider.alias(&alias("ctx")).await.unwrap(), None);
}

#[tokio::test]
async fn an_alias_is_not_moved_to_another_contexts_deployment() {
    let world = World::new().await;
    let other = world.ready("other", 1, "secret").await;
    world.ready("ctx", 1, "one").await;
    let error = world
        .provider
        .move_alias(&alias("ctx"), &other.id)
        .await
        .unwrap_err();
    assert_eq!(error.failure, Failure::Permanent(code::INTERNAL));
    assert_eq!(world.calls(DenoOperation::Promote), 0);
}

#[tokio::test]
async fn an_address_can_be_told_before_anything_is_known_and_by_others() {
    let world = World::new().await;
    let unknown = world.provider.alias_address(&alias("ctx"));
    assert!(world.provider.url(&unknown).ends_with(".invalid"));
    let first = world.ready("ctx", 1, "one").await;
    assert!(
        world
            .provider
            .move_alias(&alias("ctx"), &first.id)
            .await
            .unwrap()
    );
    let known = world.provider.alias_address(&alias("ctx"));
    assert_eq!(world.provider.url(&unknown), world.provider.url(&known));
    until(async || world.shows("ctx", "one").await.then_some(())).await;
    // Another process is told the whole host.
    let another = world.provider_of(7);
    assert_eq!(another.url(&known), world.provider.url(&known));
    assert_eq!(another.alias(&alias("ctx")).await.unwrap(), Some(first.id));
    assert_eq!(another.alias_address(&alias("ctx")), known);
}

#[tokio::test]
async fn an_alias_is_moved_later_to_what_is_not_built_yet() {
    let world = World::with(|knobs| knobs.builds.outcome = BuildOutcome::Never).await;
    let building = world.create("ctx", 1, "one").await;
    let moved = world.provider.move_alias(&alias("ctx"), &building.id).await;
    assert_eq!(
        moved.unwrap_err().failure,
        Failure::Retryable { after: None }
    );
}
