//! Aliases and domains: where a context is found.

use foreshow_engine::{DomainState, Failure, Provider as _};
use foreshow_simulators::core::{BuildOutcome, Fault};
use foreshow_simulators::vercel::VercelOperation as Op;

use super::world::{World, alias};

const DOMAIN: &str = "demo.acme.dev";

#[tokio::test]
async fn an_alias_shows_what_it_was_moved_to_last() {
    let world = World::new().await;
    let alias = alias("ctx");
    assert_eq!(world.provider.alias(&alias).await.unwrap(), None);
    let first = world.ready("ctx", 1, "one").await.id;
    let second = world.ready("ctx", 2, "two").await.id;
    for id in [&first, &first, &second] {
        assert!(world.provider.move_alias(&alias, id).await.unwrap());
        assert_eq!(
            world.provider.alias(&alias).await.unwrap().as_ref(),
            Some(id)
        );
    }
    let address = world.provider.alias_address(&alias);
    assert_eq!(address.as_str(), format!("{alias}.{}", world.host_suffix()));
}

#[tokio::test]
async fn an_alias_is_not_moved_to_what_is_gone_or_not_ready() {
    let world = World::new().await;
    let alias = alias("ctx");
    let gone = world.ready("ctx", 1, "one").await.id;
    world.provider.delete(&gone).await.unwrap();
    assert!(!world.provider.move_alias(&alias, &gone).await.unwrap());

    world.next_ends(BuildOutcome::Never);
    let building = world.create("ctx", 2, "two").await.id;
    let error = world
        .provider
        .move_alias(&alias, &building)
        .await
        .unwrap_err();
    assert_eq!(error.failure, Failure::Retryable { after: None });
}

#[tokio::test]
async fn an_alias_that_cant_be_had_is_an_error_though_the_deployment_is_there() {
    let world = World::new().await;
    let ready = world.ready("ctx", 1, "one").await.id;
    world
        .simulator
        .fault(Fault::status(404).on(Op::AssignAlias));
    world
        .provider
        .move_alias(&alias("ctx"), &ready)
        .await
        .unwrap_err();
}

#[tokio::test]
async fn a_tenants_domain_is_bound_once_it_is_proved() {
    let world = World::new().await;
    let first = world.ready("ctx", 1, "one").await;
    for _ in 0..2 {
        let state = world.provider.move_domain(DOMAIN, &first).await.unwrap();
        let DomainState::Unverified { records } = state else {
            panic!("{state:?}")
        };
        assert!(
            records[0].starts_with("TXT _vercel.acme.dev vc-domain-verify="),
            "{records:?}"
        );
    }
    assert!(world.simulator.verify_domain(DOMAIN));
    let second = world.ready("ctx", 2, "two").await;
    for deployment in [&first, &first, &second] {
        let state = world
            .provider
            .move_domain(DOMAIN, deployment)
            .await
            .unwrap();
        assert_eq!(state, DomainState::Bound);
    }
}

#[tokio::test]
async fn a_domain_that_vercel_does_not_give_is_refused_and_no_failure() {
    let world = World::new().await;
    let ready = world.ready("ctx", 1, "one").await;
    let state = world
        .provider
        .move_domain("no domain", &ready)
        .await
        .unwrap();
    assert!(matches!(state, DomainState::Refused { .. }), "{state:?}");
    world.simulator.fault(Fault::status(503).on(Op::AddDomain));
    let error = world
        .provider
        .move_domain(DOMAIN, &ready)
        .await
        .unwrap_err();
    assert_eq!(error.failure, Failure::ProviderDown);
}
