//! The vendor asks to wait. That uses up no attempt, and no hint is believed beyond what the operator allows.

use std::time::Duration;

use foreshow_simulators::core::{Fault, FaultKind, RateHint, RateLimit};

use crate::{
    vendor::Vendor,
    world::{LONGEST_WAIT, World},
};

/// The first create is one too many; the second comes after the wait, and not before.
async fn waited_out<V: Vendor>(hint: RateHint, window_ms: u64, at_least: Duration) {
    let world = World::<V>::with_second().await;
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
    let waited = Duration::from_millis(creates[1].at_ms - creates[0].at_ms);
    assert!(waited >= at_least, "{waited:?}");
    assert_eq!(world.second.created(), []);
    world.finish(1).await;
}

pub(crate) async fn a_limit_is_waited_out_as_long_as_it_says<V: Vendor>() {
    let hint = RateHint::RetryAfter {
        seconds: Some(1),
        as_date: false,
    };
    waited_out::<V>(hint, 60_000, Duration::from_secs(1)).await;
}

/// Which has whole seconds.
pub(crate) async fn a_limit_until_a_date_is_waited_out<V: Vendor>() {
    let hint = RateHint::RetryAfter {
        seconds: Some(2),
        as_date: true,
    };
    waited_out::<V>(hint, 60_000, Duration::from_secs(1)).await;
}

pub(crate) async fn a_limit_told_in_the_vendors_own_way_is_waited_out<V: Vendor>() {
    waited_out::<V>(RateHint::Vendor, 1_000, Duration::from_secs(1)).await;
}

pub(crate) async fn a_limit_without_a_hint_is_waited_out<V: Vendor>() {
    waited_out::<V>(RateHint::None, 60_000, LONGEST_WAIT).await;
}

pub(crate) async fn a_limit_for_a_day_is_not_believed<V: Vendor>() {
    waited_out::<V>(RateHint::Far, 60_000, LONGEST_WAIT).await;
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
