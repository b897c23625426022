//! Vercel.

use std::sync::Arc;

use foreshow_conformance::provider::{alias, installation, key};
use foreshow_contract::Secret;
use foreshow_engine::Provider as _;
use foreshow_providers::vercel::{BuildMachine, Protection, VercelProvider, VercelSettings};
use foreshow_simulators::{
    Simulator, Vercel, VercelOptions,
    core::{BuildOutcome, Call},
};

use super::{Order, SystemClock, bound, every_framework, every_page, failed};

/// Everything that was asked.
pub(crate) async fn drive() -> Vec<Call> {
    let options = VercelOptions::default();
    let simulator = Simulator::start_anywhere(options)
        .await
        .expect("a free port");
    one_project(&simulator).await;
    a_project_per_context(&simulator).await;
    a_personal_account(&simulator).await;
    let calls = simulator.ledger();
    simulator.stop().await;
    calls
}

fn provider(
    simulator: &Simulator<Vercel>,
    change: impl FnOnce(&mut VercelSettings),
) -> VercelProvider {
    let mut settings = VercelSettings {
        token: Secret::new("simulator-token"),
        api_url: simulator.api_url(),
        alias_suffix: format!("localhost:{}", simulator.address().port()),
        ..VercelSettings::default()
    };
    change(&mut settings);
    VercelProvider::try_new(settings, &installation(), Arc::new(SystemClock))
        .expect("good settings")
}

async fn one_project(simulator: &Simulator<Vercel>) {
    let provider = &provider(simulator, |settings| {
        settings.team_id = Some("team_simulator".to_owned());
    });
    let next = |outcome| simulator.turn(|knobs| knobs.builds.next.push_back(outcome));
    provider
        .check()
        .await
        .expect("a look before anything is there");

    let first = Order::new("ctx", 1)
        .with_env(&["TOKEN", "OTHER"])
        .deploy(provider)
        .await;
    let second = Order::new("ctx", 2).deploy(provider).await;
    // Pages alone go along inline.
    Order::new("small", 1)
        .with_files(&["index.html", "about.md"])
        .deploy(provider)
        .await;
    every_framework(provider).await;
    provider.check().await.expect("a look at what is there");

    simulator.turn(|knobs| knobs.page_limit = 2);
    every_page(provider).await;
    assert!(
        provider
            .list(&key("frameworks"))
            .await
            .expect("a list")
            .len()
            > 2
    );
    simulator.turn(|knobs| knobs.page_limit = 100);

    let alias = alias(&key("ctx"));
    assert_eq!(provider.alias(&alias).await.expect("an answer"), None);
    assert!(
        provider
            .move_alias(&alias, &first.id)
            .await
            .expect("it is moved")
    );
    assert!(
        provider
            .move_alias(&alias, &second.id)
            .await
            .expect("it is moved")
    );
    bound(provider, "demo.acme.dev", &second, || {
        simulator.verify_domain("demo.acme.dev")
    })
    .await;

    next(BuildOutcome::Failed {
        log: vec!["error: no such module".to_owned()],
    });
    let broken = Order::new("ctx", 3).create(provider).await;
    failed(provider, &broken).await;

    next(BuildOutcome::Never);
    let endless = Order::new("ctx", 4).create(provider).await;
    provider.cancel(&endless.id).await.expect("it is cancelled");
    for deployment in [first, second, broken] {
        provider
            .delete(&deployment.id)
            .await
            .expect("it is deleted");
    }
}

async fn a_project_per_context(simulator: &Simulator<Vercel>) {
    let provider = &provider(simulator, |settings| {
        settings.team_slug = Some("acme".to_owned());
        "foreshow-each".clone_into(&mut settings.project);
        settings.project_per_context = true;
        settings.protection = Protection::Bypass;
        settings.protection_secret = Some(Secret::new("a1".repeat(16)));
        settings.build_machine = Some(BuildMachine::Enhanced);
        settings.target = Some("staging".to_owned());
    });
    provider.check().await.expect("a look");
    let only = Order::new("alone", 1).deploy(provider).await;
    // Its project goes with it.
    provider.delete(&only.id).await.expect("it is deleted");
}

async fn a_personal_account(simulator: &Simulator<Vercel>) {
    let provider = &provider(simulator, |_| {});
    provider.check().await.expect("a look");
    let only = Order::new("own", 1).deploy(provider).await;
    provider.delete(&only.id).await.expect("it is deleted");
}
