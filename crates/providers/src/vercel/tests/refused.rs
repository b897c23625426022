//! What Vercel refuses, and what follows.

use std::collections::BTreeMap;
use std::time::Duration;

use foreshow_contract::{App, Secret, Timestamp};
use foreshow_engine::{Failure, Provider as _, code};
use foreshow_simulators::core::{Fault, FaultKind, RateHint};
use foreshow_simulators::vercel::VercelOperation as Op;

use super::world::{World, create_with, key, site};

async fn until_of(world: &World, hint: RateHint) -> Timestamp {
    world.simulator.clear_faults();
    world
        .simulator
        .fault(Fault::rate_limit(hint).on(Op::CreateDeployment));
    let error = world
        .try_create("ctx", 1, &site("hello"))
        .await
        .unwrap_err();
    assert_eq!(error.message, "it asks to wait");
    match error.failure {
        Failure::RateLimited { until } => until,
        failure => panic!("{failure:?}"),
    }
}

#[tokio::test]
async fn a_limit_is_waited_for_by_whichever_hint_there_is() {
    let world = World::new().await;
    let cases = [
        (RateHint::None, 30),
        (
            RateHint::RetryAfter {
                seconds: Some(7),
                as_date: false,
            },
            7,
        ),
        (
            RateHint::RetryAfter {
                seconds: Some(90),
                as_date: true,
            },
            90,
        ),
        (RateHint::Vendor, 60),
        (RateHint::Far, 86_400),
    ];
    for (hint, seconds) in cases {
        let before = Timestamp::now();
        let until = until_of(&world, hint).await;
        let after = Timestamp::now();
        // Instants of the vendor's are whole seconds, rounded either way.
        let wait = Duration::from_secs(seconds);
        let slack = Duration::from_secs(2);
        assert!(
            until >= before.saturating_add(wait).saturating_sub(slack),
            "{hint:?}: {until}"
        );
        assert!(
            until <= after.saturating_add(wait).saturating_add(slack),
            "{hint:?}: {until}"
        );
    }
}

#[tokio::test]
async fn a_days_deployments_used_up_are_waited_for() {
    let world = World::new().await;
    world.turn(|knobs| knobs.deployments_per_day = Some(1));
    world.create("ctx", 1, "one").await;
    let error = world.try_create("ctx", 2, &site("two")).await.unwrap_err();
    assert!(
        matches!(error.failure, Failure::RateLimited { .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_bad_token_is_an_operators_to_mend_and_says_nothing_to_a_tenant() {
    let world = World::new().await;
    let bad = world.another(7, |settings| settings.token = Secret::new("stolen-token"));
    let error = bad.list(&key("ctx")).await.unwrap_err();
    assert_eq!(
        error.failure,
        Failure::Permanent(code::PROVIDER_UNAUTHORIZED)
    );
    assert_eq!(error.operation, "list deployments");
    let told = format!("{error} {error:?}");
    assert!(!told.contains("stolen-token"), "{told}");
}

#[tokio::test]
async fn a_refusal_repeats_no_environment_value() {
    let world = World::new().await;
    world.create("ctx", 1, "one").await;
    world.simulator.fault(
        Fault::new(FaultKind::Status {
            status: 400,
            code: Some("bad_request".into()),
            message: Some(
                "`env.DB` is postgres://me:hunter2@db, see https://x.example/?sig=abc".into(),
            ),
            is_done: false,
        })
        .on(Op::CreateDeployment),
    );
    let env = BTreeMap::from([("DB".to_owned(), Secret::new("postgres://me:hunter2@db"))]);
    let error = create_with(&world.provider, "ctx", 2, &site("a"), &App::default(), &env)
        .await
        .unwrap_err();
    assert_eq!(error.failure, Failure::Permanent(code::PROVIDER_REFUSED));
    assert_eq!(
        error.message,
        "`env.DB` is …, see https://x.example/?… (bad_request)"
    );
    let logged = format!("{error:?}");
    assert!(
        !logged.contains("hunter2") && !logged.contains("sig=abc"),
        "{logged}"
    );
}

#[tokio::test]
async fn a_bad_day_is_told_as_that_and_a_read_is_asked_again() {
    let world = World::new().await;
    world.create("ctx", 1, "one").await;
    let page = FaultKind::Html {
        status: 502,
        is_done: false,
    };
    world
        .simulator
        .fault(Fault::new(page.clone()).on(Op::ListDeployments).times(2));
    assert_eq!(world.provider.list(&key("ctx")).await.unwrap().len(), 1);
    for what in [
        page,
        FaultKind::MalformedJson,
        FaultKind::HugeBody { bytes: 9 << 20 },
        FaultKind::ResetBefore,
    ] {
        world.simulator.clear_faults();
        world
            .simulator
            .fault(Fault::new(what.clone()).on(Op::ListDeployments));
        let error = world.provider.list(&key("ctx")).await.unwrap_err();
        assert_eq!(error.failure, Failure::ProviderDown, "{what:?}");
        world.simulator.clear_faults();
        world
            .simulator
            .fault(Fault::new(what.clone()).on(Op::CreateDeployment));
        let before = world.calls(Op::CreateDeployment);
        let error = world.try_create("ctx", 2, &site("one")).await.unwrap_err();
        assert_eq!(error.failure, Failure::ProviderDown, "{what:?}");
        assert_eq!(
            world.calls(Op::CreateDeployment),
            before + 1,
            "a create is sent once"
        );
    }
}
