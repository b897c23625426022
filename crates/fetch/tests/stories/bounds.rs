//! Servers that take their time, or send too much of everything.

use std::time::Duration;

use foreshow_fetch::BundlesOptions;

use crate::origin::Answer;
use crate::world::{MAX_BYTES, World, assert_permanent, assert_retryable, content, options, told};

#[tokio::test]
async fn too_large_a_bundle_is_refused_before_a_byte_of_it() {
    let world = World::start().await;
    // Nothing comes after the head: whoever waits for the body waits for ever.
    world.origin.tells(|_| {
        Answer::status(200)
            .header("content-length", MAX_BYTES + 1)
            .then_silence()
    });
    let error = world.fails(b"site").await;
    assert_permanent(&error, "bundle_too_large");
    assert!(told(&error).contains("bundle.total_bytes"), "{error}");
}

#[tokio::test]
async fn an_endless_body_is_cut_off_where_the_bound_is() {
    let world = World::start().await;
    world.origin.tells(|_| Answer::status(200).then_endless());
    assert_permanent(&world.fails(b"site").await, "bundle_too_large");
    assert_eq!(world.origin.asked().len(), 1);
}

#[tokio::test]
async fn what_is_as_large_as_may_be_arrives() {
    let world = World::start().await;
    let site = content(usize::try_from(MAX_BYTES).unwrap());
    let sent = site.clone();
    world
        .origin
        .tells(move |_| Answer::whole(&sent).without("content-length"));
    world.arrives(&site).await;
}

#[tokio::test]
async fn no_part_makes_it_larger_than_may_be() {
    let world = World::start().await;
    world.origin.tells(|asked| match asked.first_byte() {
        None => Answer::versioned(&content(900_000), "\"a\"").cut_after(800_000),
        Some(first) => Answer::status(206)
            .header("content-range", format!("bytes {first}-1299999/*"))
            .header("content-length", 1_300_000 - first)
            .then_endless(),
    });
    let error = world.fails(&content(900_000)).await;
    assert_permanent(&error, "bundle_too_large");
    assert_eq!(world.origin.asked().len(), 2);
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let world = World::with(BundlesOptions {
        answer_timeout_ms: 200,
        ..options()
    })
    .await;
    world.origin.tells(|_| Answer::nothing());
    let error = world.fails(b"site").await;
    assert_retryable(&error, None);
    assert!(told(&error).contains("did not begin to answer"), "{error}");
    assert_eq!(world.origin.asked().len(), 1);
}

#[tokio::test]
async fn a_server_that_falls_silent_is_given_up() {
    let world = World::with(BundlesOptions {
        stall_timeout_ms: 200,
        ..options()
    })
    .await;
    world
        .origin
        .tells(|_| Answer::whole(&content(1_000)).cut_after(10).then_silence());
    let error = world.fails(&content(1_000)).await;
    assert_retryable(&error, None);
    assert!(told(&error).contains("nothing came for 200ms"), "{error}");
}

#[tokio::test]
async fn a_byte_at_a_time_is_no_progress_for_ever() {
    let world = World::with(BundlesOptions {
        fetch_timeout_seconds: 1,
        ..options()
    })
    .await;
    world
        .origin
        .tells(|_| Answer::status(200).then_drip(Duration::from_millis(20)));
    let error = world.fails(b"site").await;
    assert_retryable(&error, None);
    assert!(
        told(&error).contains("bundles.fetch_timeout_seconds"),
        "{error}"
    );
    assert_eq!(world.origin.asked().len(), 1);
}

#[tokio::test]
async fn waiting_for_somebody_elses_slow_transfer_is_bounded_as_well() {
    let world = World::with(BundlesOptions {
        fetch_timeout_seconds: 1,
        ..options()
    })
    .await;
    world
        .origin
        .tells(|_| Answer::status(200).then_drip(Duration::from_millis(20)));
    let (one, two) = tokio::join!(world.fetch(b"site"), world.fetch(b"site"));
    for error in [one, two] {
        assert_retryable(&error.unwrap_err(), None);
    }
    world.leaves_nothing().await;
}
