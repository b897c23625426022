//! The contract of the store port, as claims that every adapter has to meet, and what the embedded one promises beside it.

#![expect(clippy::unwrap_used, reason = "test helpers")]

mod bundles;
mod embedded;
mod model;
mod suite;
mod support;

/// Runs every claim of the suite against one adapter.
macro_rules! contract {
    ($adapter:ident: $($claim:ident)*) => {
        mod $adapter {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $claim() {
                    crate::suite::$claim(&crate::support::$adapter().await).await;
                }
            )*
        }
    };
}

macro_rules! contract_for {
    ($($adapter:ident)*) => {
        $(contract! { $adapter:
            one_claim_is_granted_and_the_next_is_held_until_it_runs_out
            of_a_hundred_claims_at_once_one_is_granted
            a_newer_event_makes_the_older_one_stale
            the_event_under_the_lease_is_held_and_never_stale
            the_same_revision_with_other_content_conflicts
            how_an_event_ended_is_said_again
            an_end_stops_what_it_covers_when_it_is_accepted
            a_lost_lease_writes_nothing
            a_release_opens_the_context_and_decides_nothing
            a_fence_is_above_those_of_a_store_that_was_lost
            going_live_is_recorded_and_prolongs_the_lease
            announced_revisions_that_nothing_kept_serves_are_told_once
            an_end_takes_the_preview_away
            a_touch_prolongs_and_never_shortens
            the_largest_numbers_survive
            a_quota_counts_members_until_their_deadlines
            admission_is_idempotent_and_all_or_nothing
            a_live_context_is_not_stopped_by_the_cap_on_live_ones
            expired_previews_are_listed_oldest_first
            contexts_are_listed_newest_change_first
            history_is_newest_first
            those_who_wait_hear_of_a_release_and_of_something_newer
        })*
    };
}

contract_for! { memory sqlite }
