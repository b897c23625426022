//! What becomes of an event when its provider fails: the whole engine, with the real adapters against simulators of their vendors.
//!
//! Each story switches one failure on, and tells how the event ended: with which word and code, after how many attempts, and how
//! often a deployment was really asked for. [`World::finish`](world::World::finish) then proves what holds for all of them: after one
//! sweep nothing is there twice, nothing is there that failed, and after the context's end nothing is there at all.

#![expect(clippy::unwrap_used, reason = "test helpers")]

mod broken;
mod builds;
mod limits;
mod refusals;
#[path = "../simulated/mod.rs"]
mod simulated;
mod vendor;
mod world;

/// One test per story and vendor: `deno::a_refused_token_…`.
macro_rules! stories {
    ([$($vendor:ident is $type:ty;)+] each $stories:tt) => {
        $(stories! { @of $vendor $type, $stories })+
    };
    (@of $vendor:ident $type:ty, { $($room:ident: $($story:ident)+;)+ }) => {
        mod $vendor {
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $story() {
                    crate::$room::$story::<$type>().await;
                }
            )+)+
        }
    };
}

stories! {
    [deno is foreshow_simulators::Deno; vercel is foreshow_simulators::Vercel;]
    each {
        refusals:
            a_token_that_is_refused_ends_the_event
            a_token_without_the_right_ends_the_event
            an_unpaid_account_ends_the_event
            something_that_is_not_there_ends_the_event
            something_that_was_not_there_for_a_moment_is_asked_for_again
            a_conflict_ends_the_event
            files_that_are_too_large_end_the_event
            what_the_vendor_minds_is_told_in_its_words;
        limits:
            a_limit_is_waited_out_as_long_as_it_says
            a_limit_until_a_date_is_waited_out
            a_limit_told_in_the_vendors_own_way_is_waited_out
            a_limit_without_a_hint_is_waited_out
            a_limit_for_a_day_is_not_believed
            a_limit_beyond_patience_is_another_providers_chance;
        broken:
            a_bad_gateway_is_tried_again
            a_bad_gateway_that_stays_ends_the_event
            a_bad_gateway_that_stays_is_another_providers_chance
            an_error_about_something_that_was_done_is_not_believed
            a_call_that_hangs_is_given_up_and_tried_again
            a_connection_that_breaks_before_is_tried_again
            a_connection_that_breaks_after_is_looked_into
            an_answer_that_breaks_off_is_looked_into
            an_answer_without_end_is_looked_into
            a_strange_page_that_says_not_found_drops_nothing
            a_question_that_fails_is_asked_again;
        builds:
            a_build_that_fails_ends_the_event_with_its_log
            a_build_that_never_ends_is_cancelled
            a_build_that_vanishes_is_begun_anew
            what_vanished_is_deployed_anew
            a_preview_that_never_answers_ends_the_event
            a_state_that_nobody_knows_ends_in_time;
    }
}

/// States that one vendor alone has.
mod vendors_own_states {
    use foreshow_simulators::{Deno, Vercel};

    use crate::builds::ends_as_failed_in;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn deno_timed_out() {
        ends_as_failed_in::<Deno>("timed_out", "longer than Deno Deploy allows").await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn deno_boot_failed() {
        ends_as_failed_in::<Deno>("boot_failed", "boot_failed").await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn deno_cancelled() {
        ends_as_failed_in::<Deno>("cancelled", "cancelled").await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn deno_skipped() {
        ends_as_failed_in::<Deno>("skipped", "skipped").await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn vercel_blocked() {
        ends_as_failed_in::<Vercel>("BLOCKED", "COMMIT_AUTHOR_REQUIRED").await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn vercel_canceled() {
        ends_as_failed_in::<Vercel>("CANCELED", "canceled").await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn vercel_some_error() {
        ends_as_failed_in::<Vercel>("LAMBDA_ERROR", "LAMBDA_ERROR").await;
    }
}
