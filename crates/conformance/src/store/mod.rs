//! The contract of the port [`Store`], as claims that every adapter meets, and a model that it is compared with.
//!
//! A claim knows the port alone, and says no more than the port promises: among what happened at one and the same
//! instant a listing has no particular order. What an adapter promises beyond that is tested beside it.
//!
//! The [model](run_model) is the sharper half: any sequence of steps, on the adapter and on the store in memory, which
//! applies the transitions of [`foreshow_engine::record`] to a map. Both must answer the same at every step.
//!
//! An adapter runs on a clock that is moved by hand, implements [`Adapter`], and names a constructor twice:
//!
//! ```ignore
//! foreshow_conformance::store_contract!(embedded: Sqlite::new().await);
//! foreshow_conformance::store_model!(embedded_answers_as_memory_does, 48 cases: Sqlite::new().await);
//! ```

#![expect(
    clippy::unwrap_used,
    reason = "a claim that does not hold ends its test"
)]

mod claiming;
mod clock;
mod ending;
mod fixtures;
mod gates;
mod judging;
mod listings;
mod living;
mod memory;
mod model;
mod pacing;
mod quotas;
mod rebuilding;
mod repeats;
mod retention;
mod seeding;
mod waiting;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use foreshow_contract::Timestamp;
use foreshow_engine::{Clock, Store};

pub use claiming::*;
pub use clock::HandClock;
pub use ending::*;
pub use fixtures::*;
pub use gates::*;
pub use judging::*;
pub use listings::*;
pub use living::*;
pub use memory::Memory;
pub use model::run_model;
pub use pacing::*;
pub use quotas::*;
pub use rebuilding::*;
pub use repeats::*;
pub use retention::*;
pub use seeding::*;
pub use waiting::*;

/// An adapter that knows no context, on a clock that is moved by hand.
#[async_trait]
pub trait Adapter: Send + Sync {
    /// A handle. Every call answers one to the same store.
    fn store(&self) -> Arc<dyn Store>;

    /// The clock that the store goes by.
    fn clock(&self) -> &HandClock;

    /// A second handle to the same store, as another process has.
    async fn another(&self) -> Arc<dyn Store>;

    /// A store on the same clock that has lost everything: with each call another.
    async fn wiped(&self) -> Arc<dyn Store>;

    /// Clears up after a claim that held.
    async fn close(&self) {}

    /// The time now, as the store has it.
    fn now(&self) -> Timestamp {
        self.clock().now()
    }

    /// Lets time pass.
    fn advance(&self, by: Duration) {
        self.clock().advance(by);
    }
}

/// Makes a module with one test per claim. The expression makes an [`Adapter`], and may await.
///
/// `one test` makes a single one, for an adapter whose surroundings are dear: the expression before the colon makes those,
/// once, and the closure an adapter in them for each claim.
#[macro_export]
macro_rules! store_contract {
    ($name:ident: $adapter:expr) => {
        $crate::store_contract! { @claims each $name: $adapter }
    };
    (one test $name:ident: $world:expr, $make:expr) => {
        $crate::store_contract! { @claims one $name: ($world, $make) }
    };
    (@claims $way:ident $name:ident: $($adapter:tt)*) => {
        $crate::store_contract! { @$way $name: [$($adapter)*];
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
            replaced_revisions_are_told_in_their_order
            what_an_end_took_away_is_not_told_as_replaced
            an_end_takes_the_preview_away
            a_touch_prolongs_and_never_shortens
            a_touch_meanwhile_is_not_taken_back
            a_touch_never_lowers_the_deadline_of_a_live_place
            the_largest_numbers_survive
            long_and_strange_words_survive
            a_quota_counts_members_until_their_deadlines
            admission_is_idempotent_and_all_or_nothing
            a_live_context_is_not_stopped_by_the_cap_on_live_ones
            expired_previews_are_listed_oldest_first
            contexts_are_listed_newest_change_first
            history_is_newest_first
            listings_are_not_cut_short
            those_who_wait_hear_of_a_release_and_of_something_newer
            a_claim_whose_answer_was_lost_is_granted_again
            a_settlement_whose_answer_was_lost_is_found_by_the_next_claim
            a_failed_event_that_is_replayed_has_a_new_life
            what_is_written_under_a_lease_may_be_written_twice
            a_new_store_does_not_remember_until_it_is_rebuilt
            a_rebuild_that_a_wipe_overtook_does_not_count
            a_rebuild_that_another_overtook_does_not_count
            a_first_claim_is_unknown_to_a_store_that_forgot
            a_record_is_proven_by_what_its_holder_writes
            one_sweeper_leads_until_its_time_is_over
            a_late_old_revision_is_stale_once_its_context_is_seeded
            a_context_that_nothing_tells_of_is_proven_by_that
            a_seed_only_raises
            a_seed_brings_nothing_back_that_was_ended_or_condemned
            what_a_seed_left_open_the_first_claim_fills_in
            a_seeded_context_is_listed_and_expires
            what_is_newer_than_an_admitted_revision_stops_it
            what_the_record_names_is_known
            what_may_still_come_is_adopted_until_its_time_is_over
            what_nobody_can_want_is_condemned_until_it_is_gone
            a_condemned_deployment_is_neither_recorded_nor_goes_live
            kept_revisions_are_spared_until_they_are_ended
            an_end_forgets_what_was_condemned_and_adopted
            what_is_gone_at_its_provider_is_no_longer_live
            what_an_event_waits_for_is_there_until_it_is_granted
            a_long_reason_to_wait_is_told_in_part
            cancelled_builds_are_counted_until_one_comes_to_its_end
            a_context_is_stale_from_what_is_newer_until_it_is_shown
            the_usual_length_of_a_build_moves_slowly
            history_tells_who_held_the_lease
            a_gate_is_open_until_something_closes_it
            a_limited_gate_opens_by_a_trial_alone
            of_many_at_a_closed_gate_one_is_on_trial
            one_on_trial_who_tells_nothing_is_followed_by_another
            an_answer_to_an_older_call_opens_no_gate
            a_limit_told_late_shortens_nothing
            failures_in_a_row_close_a_gate_for_times_that_double
            the_longest_waits_end_at_the_last_instant
            entries_under_a_limit_are_counted_once_and_by_all
            of_many_entries_at_once_no_more_than_the_limit_are_let_in
            gates_of_other_accounts_and_lanes_stay_open
            a_nudge_wakes_who_watches_through_another_handle
            previews_that_expired_since_are_listed
            an_expiry_is_accepted_only_while_it_is_due
            an_update_on_its_way_keeps_what_is_live
            an_accepted_expiry_is_gone_through_with
            every_announced_revision_that_expires_is_told
            an_end_and_an_expiry_of_one_revision_are_settled_once
            an_expiry_passed_by_an_update_is_moot
            a_reset_opens_a_context_for_any_revision
            a_reset_tells_every_announced_revision
            a_reset_waits_for_the_holder_who_steps_down
            a_reset_is_done_once
            a_reset_is_done_with_another_that_ended_after_it_was_asked_for
            a_reset_goes_over_an_end_of_the_greatest_revision
            resets_are_of_contexts_that_nobody_knows_too
            only_a_reset_can_be_settled_as_one
        }
    };
    (@each $name:ident: [$adapter:expr]; $($claim:ident)*) => {
        mod $name {
            #[allow(unused_imports, reason = "the expression may need what is around it")]
            use super::*;

            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $claim() {
                    let adapter = $adapter;
                    $crate::store::$claim(&adapter).await;
                    $crate::store::Adapter::close(&adapter).await;
                }
            )*
        }
    };
    (@one $name:ident: [($world:expr, $make:expr)]; $($claim:ident)*) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let world = $world;
            let make = $make;
            $({
                let adapter = make(&world).await;
                $crate::store::$claim(&adapter).await;
                $crate::store::Adapter::close(&adapter).await;
            })*
        }
    };
}

/// Makes one test that compares an adapter with the store in memory, as often as it says. The expression makes an
/// [`Adapter`], and may await.
#[macro_export]
macro_rules! store_model {
    ($name:ident, $cases:literal cases: $adapter:expr) => {
        #[test]
        fn $name() {
            $crate::store::run_model($cases, async || $adapter);
        }
    };
}
