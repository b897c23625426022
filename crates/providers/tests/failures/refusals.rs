//! The vendor says no. Trying again does not help. Where it is this vendor that does not want it (the token, the bill, the size), another
//! provider may; where it is the request, nobody else is asked, and the tenant has to know.

use foreshow_contract::Failed;
use foreshow_engine::code;
use foreshow_simulators::core::{Fault, FaultKind};

use crate::{
    vendor::{Ending, Vendor},
    world::World,
};

const WORDS: &str = "the vendor's own words";

fn refusal(status: u16) -> Fault {
    Fault::new(FaultKind::Status {
        status,
        code: None,
        message: Some(WORDS.to_owned()),
        is_done: false,
    })
}

/// Refuses every create with this status, until the event has ended.
async fn refused<V: Vendor>(status: u16, expected: Ending) -> Failed {
    refused_in(World::<V>::with_second().await, status, expected).await
}

/// The same where another provider would take it.
async fn refused_alone<V: Vendor>(status: u16, code: &'static str) -> Failed {
    let world = World::<V>::with_second().await;
    world.fault_creates(refusal(status));
    world.update(1, "page").await;
    let ready = world.ready(1).await;
    assert_eq!((ready.provider.as_str(), ready.attempts), ("second", 1));
    assert_eq!(world.creates(), 1);
    world.finish(0).await;
    refused_in(World::<V>::alone().await, status, at_once(code)).await
}

async fn refused_in<V: Vendor>(world: World<V>, status: u16, expected: Ending) -> Failed {
    world.fault_creates(refusal(status));
    world.update(1, "page").await;
    let failed = world.failed(1).await;
    let error = &failed.error;
    assert_eq!(error.code.as_str(), expected.code, "{error:#?}");
    assert_eq!(error.attempts.len(), expected.attempts, "{error:#?}");
    assert_eq!(error.provider.as_ref().unwrap().as_str(), V::NAME);
    assert_eq!(world.creates(), expected.creates);
    assert_eq!(world.second.created(), []);
    world.finish(0).await;
    failed
}

fn at_once(code: &'static str) -> Ending {
    Ending {
        code,
        attempts: 1,
        creates: 1,
    }
}

/// Whatever is asked.
pub(crate) async fn a_token_that_is_refused_ends_the_event<V: Vendor>() {
    let world = World::<V>::alone().await;
    world.simulator.fault(refusal(401));
    world.update(1, "page").await;
    let error = world.failed(1).await.error;
    assert_eq!(
        error.code.as_str(),
        code::PROVIDER_UNAUTHORIZED,
        "{error:#?}"
    );
    assert_eq!(error.attempts.len(), 1);
    assert!(
        !error.message.contains(WORDS),
        "it is the operator's: {}",
        error.message
    );
    assert_eq!(world.creates(), 0);
    assert_eq!(world.second.created(), []);
    world.finish(0).await;
}

pub(crate) async fn a_token_without_the_right_ends_the_event<V: Vendor>() {
    let failed = refused_alone::<V>(403, code::PROVIDER_UNAUTHORIZED).await;
    let message = failed.error.message;
    assert!(!message.contains(WORDS), "it is the operator's: {message}");
}

pub(crate) async fn an_unpaid_account_ends_the_event<V: Vendor>() {
    let failed = refused_alone::<V>(402, code::PROVIDER_PAYMENT_REQUIRED).await;
    let message = failed.error.message;
    assert!(!message.contains(WORDS), "it is the operator's: {message}");
}

pub(crate) async fn something_that_is_not_there_ends_the_event<V: Vendor>() {
    refused::<V>(404, V::NOT_THERE).await;
}

pub(crate) async fn something_that_was_not_there_for_a_moment_is_asked_for_again<V: Vendor>() {
    let world = World::<V>::with_second().await;
    world.fault_creates(refusal(404).times(1));
    world.update(1, "page").await;
    let ready = world.ready(1).await;
    assert_eq!(ready.provider.as_str(), V::NAME);
    assert_eq!(ready.attempts, V::NOT_THERE_ONCE);
    assert_eq!(world.creates(), 2);
    world.finish(1).await;
}

pub(crate) async fn a_conflict_ends_the_event<V: Vendor>() {
    refused::<V>(409, V::CONFLICT).await;
}

pub(crate) async fn files_that_are_too_large_end_the_event<V: Vendor>() {
    refused_alone::<V>(413, code::TOO_LARGE_FOR_PROVIDER).await;
}

pub(crate) async fn what_the_vendor_minds_is_told_in_its_words<V: Vendor>() {
    let failed = refused::<V>(422, at_once(code::PROVIDER_REFUSED)).await;
    let message = failed.error.message;
    assert!(message.contains(WORDS), "the tenant can mend it: {message}");
}
