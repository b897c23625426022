//! Claims about what is kept: the environment of an app, and the account's token.

use std::{collections::BTreeMap, error::Error, iter};

use foreshow_contract::Secret;
use foreshow_engine::{Failure, ProviderError, code};

use super::{Build, Hosted, create, inventory, key, site, try_create};

const SECRET: &str = "hunter2-of-the-tenant";

fn environment() -> BTreeMap<String, Secret> {
    let word = |name: &str, value: &str| (name.to_owned(), Secret::new(value));
    BTreeMap::from([
        word("API_KEY", SECRET),
        word("MODE", "preview"),
        word("QUOTED", "a\"b=c\n"),
    ])
}

/// Everything that anybody could see of an error.
fn told(error: &ProviderError) -> String {
    let first: &dyn Error = error;
    let chain: Vec<_> = iter::successors(Some(first), |error: &&dyn Error| (*error).source())
        .map(|error| format!("{error} {error:?}"))
        .collect();
    chain.join("\n")
}

/// To the provider, for the app; and to nobody who looks at what was deployed.
pub async fn the_environment_arrives_and_is_told_nowhere(adapter: &(impl Hosted + ?Sized)) {
    let (provider, key) = (adapter.provider(), key("ctx"));
    adapter.set_build(Build::Quick);
    let env = environment();
    let made = try_create(&*provider, &key, 1, &site("page"), &env)
        .await
        .unwrap();
    let arrived = adapter.environment(&key);
    let sent: BTreeMap<_, _> = env
        .iter()
        .map(|(name, value)| (name.clone(), value.expose().to_owned()))
        .collect();
    assert_eq!(arrived, sent);
    let seen = format!(
        "{made:?} {:?} {:?} {:?}",
        provider.list(&key).await.unwrap(),
        inventory(&*provider).await,
        provider.status(&made.deployment.id).await.unwrap(),
    );
    assert!(!seen.contains(SECRET), "{seen}");

    // What a later revision does not bring is not there any more.
    let fewer = BTreeMap::from([("MODE".to_owned(), Secret::new("other"))]);
    try_create(&*provider, &key, 2, &site("page"), &fewer)
        .await
        .unwrap();
    let expected = BTreeMap::from([("MODE".to_owned(), "other".to_owned())]);
    assert_eq!(adapter.environment(&key), expected);
}

/// Though the provider does.
pub async fn a_refusal_does_not_repeat_secrets(adapter: &(impl Hosted + ?Sized)) {
    let (provider, key) = (adapter.provider(), key("ctx"));
    let token = adapter.token();
    adapter.refuse_creates(&format!(
        "The value {SECRET} of API_KEY is bad, says {token}"
    ));
    let made = try_create(&*provider, &key, 1, &site("page"), &environment()).await;
    let error = made.unwrap_err();
    assert_eq!(
        error.failure,
        Failure::Permanent(code::PROVIDER_REFUSED),
        "{error:?}"
    );
    let told = told(&error);
    assert!(
        told.contains("API_KEY"),
        "the tenant can mend it, and hears how: {told}"
    );
    assert!(!told.contains(SECRET) && !told.contains(token), "{told}");
}

/// It needs an operator, and trying again does not help.
pub async fn a_wrong_token_is_told_without_telling_it(adapter: &(impl Hosted + ?Sized)) {
    const WRONG: &str = "ddo_wrong-token-of-the-operator";
    let (provider, key) = (adapter.with_token(WRONG), key("ctx"));
    let error = provider.list(&key).await.unwrap_err();
    assert_eq!(
        error.failure,
        Failure::Permanent(code::PROVIDER_UNAUTHORIZED),
        "{error:?}"
    );
    let told = told(&error);
    assert!(!told.contains(WRONG), "{told}");
    let checks = provider.check().await.unwrap();
    assert!(checks.iter().any(|check| !check.is_well), "{checks:?}");
    assert!(!format!("{checks:?}").contains(WRONG), "{checks:?}");
}

/// And it tells something: silence would pass for well.
pub async fn checking_finds_the_right_token_well_and_changes_nothing(
    adapter: &(impl Hosted + ?Sized),
) {
    let provider = adapter.provider();
    let deployment = create(adapter, Build::Never, &key("ctx"), 1, "page").await;
    let checks = provider.check().await.unwrap();
    assert!(!checks.is_empty());
    assert!(checks.iter().all(|check| check.is_well), "{checks:?}");
    assert!(
        !format!("{checks:?}").contains(adapter.token()),
        "{checks:?}"
    );
    assert_eq!(inventory(&*provider).await, [deployment]);
}
