//! Looking at credentials and set-up, for people.

use foreshow_contract::Secret;
use foreshow_engine::{Provider as _, ProviderCheck};
use foreshow_simulators::core::Fault;

use super::super::{BuildMachine, Protection, VercelProvider};
use super::world::World;

async fn found(provider: &VercelProvider) -> Vec<ProviderCheck> {
    provider.check().await.unwrap()
}

fn whats(checks: &[ProviderCheck]) -> Vec<(&str, bool)> {
    checks
        .iter()
        .map(|check| (check.what, check.is_well))
        .collect()
}

#[tokio::test]
async fn a_good_set_up_is_well_before_and_after_the_first_deployment() {
    let world = World::with(|settings| settings.team_id = Some("team_simulator".into())).await;
    let before = found(&world.provider).await;
    assert_eq!(
        whats(&before),
        [("token", true), ("team", true), ("project", true)]
    );
    assert!(before[2].said.contains("made with the first deployment"));
    world.create("ctx", 1, "hello").await;
    let after = found(&world.provider).await;
    assert_eq!(
        whats(&after),
        [
            ("token", true),
            ("team", true),
            ("project", true),
            ("protection", true)
        ]
    );
}

#[tokio::test]
async fn what_is_wrong_is_told_with_how_to_mend_it() {
    let world = World::with(|settings| settings.protection = Protection::Leave).await;
    world.create("ctx", 1, "hello").await;
    let left = found(&world.provider).await;
    assert_eq!(
        left.last().map(|check| (check.what, check.is_well)),
        Some(("protection", false))
    );
    assert!(left.last().unwrap().said.contains("vercel.protection"));

    let bad = world.another(7, |settings| settings.token = Secret::new("nonsense"));
    let bad = found(&bad).await;
    assert_eq!(whats(&bad), [("token", false)]);
    assert!(bad[0].said.contains("vercel.com/account/tokens"));

    let lost = world.another(7, |settings| settings.team_slug = Some("nobody".into()));
    let lost = found(&lost).await;
    assert_eq!(whats(&lost), [("token", true), ("team", false)]);
    assert!(lost[1].said.contains("vercel.team_slug"));
}

#[tokio::test]
async fn a_look_that_gets_no_answer_is_an_error() {
    let world = World::new().await;
    world.simulator.fault(Fault::status(503));
    world.provider.check().await.unwrap_err();
}

#[tokio::test]
async fn the_build_machine_is_set_once() {
    let world = World::with(|settings| settings.build_machine = Some(BuildMachine::Turbo)).await;
    world.create("ctx", 1, "hello").await;
    let updates = world
        .simulator
        .calls_of(foreshow_simulators::vercel::VercelOperation::UpdateProject);
    assert_eq!(updates.len(), 1);
    assert_eq!(
        updates[0].json()["resourceConfig"]["buildMachineType"],
        "turbo"
    );
}
