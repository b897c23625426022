//! Deno Deploy.

use std::sync::Arc;

use foreshow_conformance::provider::{alias, installation, key};
use foreshow_contract::Secret;
use foreshow_engine::Provider as _;
use foreshow_providers::{DenoProvider, DenoSettings};
use foreshow_simulators::{
    Deno, DenoOptions, Simulator,
    core::{BuildOutcome, Call},
};

use super::{Order, SystemClock, bound, every_framework, every_page, failed};

/// Contexts that need a second page of apps, beside the others.
const MANY: [&str; 25] = [
    "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s",
    "t", "u", "v", "w", "x", "y",
];

/// Everything that was asked.
pub(crate) async fn drive() -> Vec<Call> {
    let options = DenoOptions::default();
    let token = Secret::from(options.token.as_str());
    let simulator = Simulator::<Deno>::start_anywhere(options)
        .await
        .expect("a free port");
    let settings = DenoSettings {
        api_url: simulator.api_url(),
        ..DenoSettings::new(token)
    };
    let provider = DenoProvider::try_new(settings, installation(), Arc::new(SystemClock));
    let provider = &provider.expect("good settings");
    let next = |outcome| simulator.turn(|knobs| knobs.builds.next.push_back(outcome));
    provider
        .check()
        .await
        .expect("a look before anything is there");

    let first = Order::new("ctx", 1)
        .with_env(&["TOKEN", "OTHER"])
        .deploy(provider)
        .await;
    // One variable goes, one is set again, one comes.
    let second = Order::new("ctx", 2)
        .with_env(&["TOKEN", "NEW"])
        .deploy(provider)
        .await;
    every_framework(provider).await;
    provider.check().await.expect("a look at what is there");

    for context in MANY {
        Order::new(context, 1)
            .with_files(&["index.html"])
            .create(provider)
            .await;
    }
    every_page(provider).await;
    assert_eq!(provider.list(&key("ctx")).await.expect("a list").len(), 2);

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
    // The last takes the app with it.
    for deployment in [broken, second, first] {
        provider
            .delete(&deployment.id)
            .await
            .expect("it is deleted");
    }
    let calls = simulator.ledger();
    simulator.stop().await;
    calls
}
