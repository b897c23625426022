//! Refusals, limits, and what is said of the account.

use std::{collections::BTreeMap, time::Duration};

use foreshow_contract::{App, Secret, Timestamp};
use foreshow_engine::{Failure, Provider as _, code};
use foreshow_simulators::{
    core::{Fault, FaultKind, RateHint},
    deno::{DenoOperation, ErrorShape},
};

use super::world::{World, installation, tree};
use crate::deno::{DenoProvider, DenoSettings};

const SHAPES: [ErrorShape; 2] = [ErrorShape::Flat, ErrorShape::Nested];

fn wait(failure: &Failure, before: Timestamp) -> Duration {
    match failure {
        Failure::RateLimited { until } => until.saturating_since(before),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_limit_is_told_with_the_hint_or_without() {
    for (hint, at_least) in [
        (RateHint::None, Duration::from_secs(30)),
        (
            RateHint::RetryAfter {
                seconds: Some(7),
                as_date: false,
            },
            Duration::from_secs(7),
        ),
        (RateHint::Far, Duration::from_hours(23)),
    ] {
        let world = World::new().await;
        world
            .simulator
            .fault(Fault::rate_limit(hint).on(DenoOperation::Deploy));
        let before = Timestamp::now();
        let error = world.try_create("ctx", 1, "x").await.unwrap_err();
        assert!(
            wait(&error.failure, before) >= at_least,
            "{hint:?} {error:?}"
        );
        assert_eq!(
            world.calls(DenoOperation::Deploy),
            1,
            "whoever is limited does not ask again"
        );
    }
}

#[tokio::test]
async fn a_limit_on_a_log_keeps_the_failure_for_later() {
    let world = World::with(|knobs| {
        knobs.builds.outcome = foreshow_simulators::core::BuildOutcome::Failed { log: Vec::new() };
    })
    .await;
    let created = world.create("ctx", 1, "x").await;
    let limit = world
        .simulator
        .fault(Fault::rate_limit(RateHint::None).on(DenoOperation::BuildLogs));
    let error = super::world::until(async || world.provider.status(&created.id).await.err()).await;
    assert!(matches!(error.failure, Failure::RateLimited { .. }));
    world.simulator.clear_fault(limit);
    world.until_built(&created).await;
}

#[tokio::test]
async fn refusals_are_understood_in_both_shapes() {
    for shape in SHAPES {
        let world = World::with(|knobs| knobs.errors = shape).await;
        let refused = Fault::new(FaultKind::Status {
            status: 400,
            code: Some("MALFORMED_REQUEST".to_owned()),
            message: Some("Invalid input at assets.x with ddo_simulator and hunter2".to_owned()),
            is_done: false,
        });
        world.simulator.fault(refused.on(DenoOperation::Deploy));
        let env = BTreeMap::from([("A".to_owned(), Secret::new("hunter2"))]);
        let (tree, app) = (tree("x"), App::default());
        let created = world.create_with("ctx", 1, &tree, &app, &env).await;
        let error = created.unwrap_err();
        assert_eq!(error.failure, Failure::Permanent(code::PROVIDER_REFUSED));
        assert!(
            error.message.contains("Invalid input at assets.x"),
            "{error}"
        );
        assert!(error.message.contains("MALFORMED_REQUEST"), "{error}");
        let told = format!("{error} {error:?}");
        assert!(
            !told.contains("ddo_simulator") && !told.contains("hunter2"),
            "{told}"
        );
    }
}

#[tokio::test]
async fn what_is_too_large_is_said_to_be() {
    let world = World::with(|knobs| knobs.max_deploy_bytes = 1_000).await;
    let error = world
        .try_create("ctx", 1, &"x".repeat(2_000))
        .await
        .unwrap_err();
    assert_eq!(
        error.failure,
        Failure::Permanent(code::TOO_LARGE_FOR_PROVIDER)
    );
}

#[tokio::test]
async fn a_page_of_a_proxy_is_the_providers_bad_day() {
    let world = World::new().await;
    let html = Fault::new(FaultKind::Html {
        status: 502,
        is_done: false,
    });
    world
        .simulator
        .fault(html.on(DenoOperation::ListRevisions).times(1));
    // Asked again, for asking is harmless.
    assert!(world.list("ctx").await.is_empty());
    world.simulator.fault(Fault::new(FaultKind::Html {
        status: 502,
        is_done: false,
    }));
    let error = world
        .provider
        .list(&super::world::key("ctx"))
        .await
        .unwrap_err();
    assert_eq!(error.failure, Failure::ProviderDown);
}

#[tokio::test]
async fn a_check_tells_a_good_account_and_changes_nothing() {
    let world = World::new().await;
    let checks = world.provider.check().await.unwrap();
    assert!(checks.iter().all(|check| check.is_well), "{checks:?}");
    world.ready("ctx", 1, "x").await;
    world.story();
    let another = world.provider_of(7);
    let checks = another.check().await.unwrap();
    let organization = checks
        .iter()
        .find(|check| check.what == "organization")
        .unwrap();
    assert!(
        organization.said.contains("acme.localhost"),
        "{organization:?}"
    );
    assert!(
        world
            .simulator
            .ledger()
            .iter()
            .all(|call| call.method == "GET")
    );
}

#[tokio::test]
async fn a_check_tells_what_is_wrong_with_the_token() {
    let world = World::new().await;
    let check = async |token: &str| {
        let mut settings = DenoSettings::new(Secret::new(token));
        settings.api_url = world.simulator.api_url();
        let provider =
            DenoProvider::try_new(settings, installation(7), world.clock.clone()).unwrap();
        provider.check().await.unwrap()
    };
    for token in ["ddp_simulator", "ddo_wrong"] {
        let checks = check(token).await;
        let wrong: Vec<_> = checks.iter().filter(|check| !check.is_well).collect();
        assert!(
            wrong.iter().any(|check| check.what == "access"),
            "{wrong:?}"
        );
        assert_eq!(
            wrong.iter().any(|check| check.what == "token"),
            token.starts_with("ddp_")
        );
        assert!(!format!("{checks:?}").contains(token));
    }
    let error = {
        let mut settings = DenoSettings::new("ddo_wrong".into());
        settings.api_url = world.simulator.api_url();
        let provider =
            DenoProvider::try_new(settings, installation(7), world.clock.clone()).unwrap();
        provider.list(&super::world::key("ctx")).await.unwrap_err()
    };
    assert_eq!(
        error.failure,
        Failure::Permanent(code::PROVIDER_UNAUTHORIZED)
    );
}

#[test]
fn settings_are_read_strictly_and_their_debug_has_no_token() {
    let read = |text: &str| serde_json::from_str::<DenoSettings>(text);
    let settings =
        read(r#"{"token": "ddo_hunter2", "org": "acme", "creates_per_hour": 60}"#).unwrap();
    assert!(!format!("{settings:?}").contains("hunter2"));
    assert_eq!(settings.api_url, "https://api.deno.com");
    assert!(read(r#"{"token": "ddo_x", "organisation": "acme"}"#).is_err());
    assert!(read(r#"{"token": "ddo_x", "creates_per_hour": 0}"#).is_err());
}
