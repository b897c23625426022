//! The vendor asks to wait. That uses up no attempt, and no hint is believed beyond what the operator allows.

use std::time::Duration;

use foreshow_simulators::core::{Fault, FaultKind, RateHint, RateLimit};

use crate::{
    vendor::Vendor,
    world::{LONGEST_WAIT, World},
};

/// What is waited where there is no hint. Far longer than the hints here.
const WITHOUT_HINT: Duration = Duration::from_secs(30);

/// Refuses the first create; how long it took until the second, which is let through.
async fn waited<V: Vendor>(world: World<V>, hint: RateHint, window_ms: u64) -> Duration {
    let limit = RateLimit {
        hint,
        limit: 0,
        window_ms,
    };
    world.fault_creates(Fault::new(FaultKind::RateLimit(limit)).times(1));
    world.update(1, "page").await;
    let ready = world.ready(1).await;
    assert_eq!(ready.provider.as_str(), V::NAME);
    assert_eq!(ready.attempts, 1);
    let creates = world.simulator.calls_of(V::CREATE);
    assert_eq!(creates.len(), 2);
    assert_eq!(creates[0].fault, Some("rate_limit"));
    assert_eq!(world.second.created(), []);
    world.finish(1).await;
    Duration::from_millis(creates[1].at_ms - creates[0].at_ms)
}

/// As long as it says, and not as long as without it.
async fn waited_for_hint<V: Vendor>(hint: RateHint, window_ms: u64) {
    let world = World::<V>::with(true, |options| {
        options.routing.health.longest_wait_seconds = 300;
    });
    let waited = waited(world.await, hint, window_ms).await;
    assert!(
        (Duration::from_secs(1)..WITHOUT_HINT).contains(&waited),
        "{waited:?}"
    );
}

pub(crate) async fn a_limit_is_waited_out_as_long_as_it_says<V: Vendor>() {
    let hint = RateHint::RetryAfter {
        seconds: Some(1),
        as_date: false,
    };
    waited_for_hint::<V>(hint, 60_000).await;
}

/// Which has whole seconds.
pub(crate) async fn a_limit_until_a_date_is_waited_out<V: Vendor>() {
    let hint = RateHint::RetryAfter {
        seconds: Some(2),
        as_date: true,
    };
    waited_for_hint::<V>(hint, 60_000).await;
}

/// Where it has a way of its own.
pub(crate) async fn a_limit_told_in_the_vendors_own_way_is_waited_out<V: Vendor>() {
    if V::HAS_OWN_HINTS {
        waited_for_hint::<V>(RateHint::Vendor, 1_000).await;
    } else {
        waited_in_vain_for_hint::<V>(RateHint::Vendor).await;
    }
}

pub(crate) async fn a_limit_without_a_hint_is_waited_out<V: Vendor>() {
    waited_in_vain_for_hint::<V>(RateHint::None).await;
}

pub(crate) async fn a_limit_for_a_day_is_not_believed<V: Vendor>() {
    waited_in_vain_for_hint::<V>(RateHint::Far).await;
}

/// As long as the operator allows.
async fn waited_in_vain_for_hint<V: Vendor>(hint: RateHint) {
    let waited = waited(World::<V>::with_second().await, hint, 60_000).await;
    assert!((LONGEST_WAIT..WITHOUT_HINT).contains(&waited), "{waited:?}");
}

/// Whoever has no patience, and somewhere else to go, goes there.
pub(crate) async fn a_limit_beyond_patience_is_another_providers_chance<V: Vendor>() {
    let world = World::<V>::with(true, |options| options.routing.patience_ms = 0).await;
    world.fault_creates(Fault::rate_limit(RateHint::Far));
    world.update(1, "page").await;
    let ready = world.ready(1).await;
    assert_eq!(ready.provider.as_str(), "second");
    assert_eq!(ready.attempts, 1);
    assert_eq!(world.creates(), 1);
    world.finish(0).await;
}
