//! Domains of a tenant's own.

use foreshow_engine::{Deployment, DomainState, Provider as _};
use foreshow_simulators::deno::DenoOperation;

use super::world::{World, until};

const DOMAIN: &str = "demo.acme.dev";

async fn bound(world: &World, to: &Deployment) {
    until(async || {
        let state = world.provider.move_domain(DOMAIN, to).await.unwrap();
        (state == DomainState::Bound).then_some(())
    })
    .await;
}

async fn shows(world: &World, page: &str) -> bool {
    let client = foreshow_tls::inward().build().unwrap();
    let answer = client
        .get(world.simulator.api_url())
        .header("host", DOMAIN)
        .send()
        .await
        .unwrap();
    answer.status().is_success() && answer.text().await.unwrap() == page
}

#[tokio::test]
async fn a_domain_is_bound_once_its_owner_has_proved_it() {
    let world = World::new().await;
    let first = world.ready("ctx", 1, "one").await;
    let state = world.provider.move_domain(DOMAIN, &first).await.unwrap();
    let DomainState::Unverified { records } = state else {
        panic!("{state:?}");
    };
    assert!(
        records
            .iter()
            .any(|record| record.starts_with("CNAME _acme-challenge.demo.acme.dev ")),
        "{records:?}"
    );
    assert_eq!(world.calls(DenoOperation::AttachDomains), 0);

    assert!(world.simulator.verify_domain(DOMAIN));
    bound(&world, &first).await;
    assert!(shows(&world, "one").await);
    assert_eq!(world.calls(DenoOperation::CreateDomain), 1);

    let second = world.ready("ctx", 2, "two").await;
    bound(&world, &second).await;
    assert!(shows(&world, "two").await);
}

#[tokio::test]
async fn a_domain_moves_back_to_an_older_deployment() {
    let world = World::new().await;
    let first = world.ready("ctx", 1, "one").await;
    let second = world.ready("ctx", 2, "two").await;
    world.provider.move_domain(DOMAIN, &first).await.unwrap();
    assert!(world.simulator.verify_domain(DOMAIN));
    bound(&world, &second).await;
    bound(&world, &first).await;
    assert!(shows(&world, "one").await);
}

#[tokio::test]
async fn a_domain_that_may_not_be_is_refused_with_the_reason() {
    let world = World::with(|knobs| knobs.max_custom_domains = 0).await;
    let first = world.ready("ctx", 1, "one").await;
    let state = world.provider.move_domain(DOMAIN, &first).await.unwrap();
    let DomainState::Refused { why } = state else {
        panic!("{state:?}");
    };
    assert!(why.contains("CUSTOM_DOMAIN_LIMIT_EXCEEDED"), "{why}");
}

#[tokio::test]
async fn a_bound_domain_goes_with_its_deployment() {
    let world = World::new().await;
    let first = world.ready("ctx", 1, "one").await;
    let second = world.ready("ctx", 2, "two").await;
    world.provider.move_domain(DOMAIN, &second).await.unwrap();
    assert!(world.simulator.verify_domain(DOMAIN));
    bound(&world, &second).await;
    world.provider.delete(&second.id).await.unwrap();
    assert!(!shows(&world, "two").await);
    assert!(world.serves(&first, "one").await);
}
