//! The vendor does not answer, or not in words. Whether it did what it was asked is not known then, so it is looked up, by the tags,
//! before anything is asked for again.

use std::num::NonZeroU32;

use foreshow_engine::{EngineOptions, code};
use foreshow_simulators::core::{Fault, FaultKind};

use crate::{
    vendor::Vendor,
    world::{ATTEMPTS, World},
};

const BAD_GATEWAY: FaultKind = FaultKind::Html {
    status: 502,
    is_done: false,
};

/// It happens to the first create; the event is ready at the second attempt, after so many creates.
async fn happens_once<V: Vendor>(what: FaultKind, creates: usize) {
    happens_once_in(World::<V>::alone().await, what, creates).await;
}

async fn happens_once_in<V: Vendor>(world: World<V>, what: FaultKind, creates: usize) {
    world.fault_creates(Fault::new(what).times(1));
    world.update(1, "page").await;
    let ready = world.ready(1).await;
    assert_eq!(ready.attempts, 2);
    assert_eq!(world.creates(), creates);
    assert_eq!(world.deployments(), [V::own_id(&ready.deployment_id)]);
    world.finish(1).await;
}

pub(crate) async fn a_bad_gateway_is_tried_again<V: Vendor>() {
    happens_once::<V>(BAD_GATEWAY, 2).await;
}

pub(crate) async fn a_bad_gateway_that_stays_ends_the_event<V: Vendor>() {
    // Below the number that closes the gate, behind which it would be waited for instead.
    let few = |options: &mut EngineOptions| {
        options.routing.health.failures = NonZeroU32::new(100).unwrap();
    };
    let world = World::<V>::with(false, few).await;
    world.fault_creates(Fault::new(BAD_GATEWAY));
    world.update(1, "page").await;
    let error = world.failed(1).await.error;
    assert_eq!(
        error.code.as_str(),
        code::PROVIDER_UNAVAILABLE,
        "{error:#?}"
    );
    assert_eq!(error.attempts.len(), ATTEMPTS);
    assert!(!error.message.contains("<html>"), "{}", error.message);
    assert_eq!(world.creates(), ATTEMPTS);
    world.finish(0).await;
}

/// Within the same attempt.
pub(crate) async fn a_bad_gateway_that_stays_is_another_providers_chance<V: Vendor>() {
    let world = World::<V>::with_second().await;
    world.fault_creates(Fault::new(BAD_GATEWAY));
    world.update(1, "page").await;
    let ready = world.ready(1).await;
    assert_eq!((ready.provider.as_str(), ready.attempts), ("second", 1));
    assert_eq!(world.creates(), 1);
    world.finish(0).await;
}

pub(crate) async fn an_error_about_something_that_was_done_is_not_believed<V: Vendor>() {
    happens_once::<V>(
        FaultKind::Html {
            status: 502,
            is_done: true,
        },
        1,
    )
    .await;
}

pub(crate) async fn a_call_that_hangs_is_given_up_and_tried_again<V: Vendor>() {
    happens_once_in(World::<V>::impatient().await, FaultKind::Hang, 2).await;
}

pub(crate) async fn a_connection_that_breaks_before_is_tried_again<V: Vendor>() {
    happens_once::<V>(FaultKind::ResetBefore, 2).await;
}

pub(crate) async fn a_connection_that_breaks_after_is_looked_into<V: Vendor>() {
    happens_once::<V>(FaultKind::ResetAfter, 1).await;
}

pub(crate) async fn an_answer_that_breaks_off_is_looked_into<V: Vendor>() {
    happens_once::<V>(FaultKind::MalformedJson, 1).await;
}

pub(crate) async fn an_answer_without_end_is_looked_into<V: Vendor>() {
    happens_once::<V>(FaultKind::HugeBody { bytes: 64 << 20 }, 1).await;
}

/// A build goes on whether or not somebody can ask after it.
pub(crate) async fn a_question_that_fails_is_asked_again<V: Vendor>() {
    let world = World::<V>::alone().await;
    for what in [
        BAD_GATEWAY,
        FaultKind::ResetBefore,
        FaultKind::MalformedJson,
    ] {
        world.simulator.fault(Fault::new(what).on(V::LOOK).times(1));
    }
    world.update(1, "page").await;
    let ready = world.ready(1).await;
    assert_eq!(ready.attempts, 1);
    assert_eq!(world.creates(), 1);
    let faults = world.simulator.faults();
    assert!(faults.iter().all(|fault| fault.applied == 1), "{faults:?}");
    world.finish(1).await;
}

/// A record is dropped on the vendor's word that its deployment is gone, and on nobody else's.
pub(crate) async fn a_strange_page_that_says_not_found_drops_nothing<V: Vendor>() {
    let world = World::<V>::alone().await;
    world.update(1, "page").await;
    let ready = world.ready(1).await;
    for status in [404, 410] {
        let page = FaultKind::Html {
            status,
            is_done: false,
        };
        world.simulator.fault(Fault::new(page));
        world.engine.sweep().await.unwrap_err();
        world.simulator.clear_faults();
        assert_eq!(world.live().await, Some(ready.deployment_id.clone()));
    }
    world.finish(1).await;
}
