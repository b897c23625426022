//! The contract of the port [`Broker`], as claims that every adapter meets.
//!
//! A claim knows the port alone, and says no more than the port promises: brokers differ in how exactly a delay is kept
//! and in which order delays of different length come back, so nothing here depends on either. What an adapter promises
//! beyond that is tested beside it.
//!
//! What must happen is waited for with a generous deadline. What must not happen can only be looked for during a short
//! while; such a look never fails a sound adapter, however slow the machine is.
//!
//! An adapter implements [`Adapter`] and names a constructor once:
//!
//! ```ignore
//! foreshow_conformance::broker_contract!(embedded: Sqlite::new().await);
//! ```

#![expect(
    clippy::unwrap_used,
    reason = "a claim that does not hold ends its test"
)]

mod consuming;
mod dead_letters;
mod delays;
mod fixtures;
mod moving;
mod presence;
mod publishing;
mod receipts;
mod replays;
mod results;

use std::sync::Arc;

use async_trait::async_trait;
use foreshow_engine::Broker;

pub use consuming::*;
pub use dead_letters::*;
pub use delays::*;
pub use fixtures::*;
pub use moving::*;
pub use presence::*;
pub use publishing::*;
pub use receipts::*;
pub use replays::*;
pub use results::*;

/// A broker under test, with nothing in its queues that anybody else reads.
#[async_trait]
pub trait Adapter: Send + Sync {
    /// A handle. Every call answers one to the same broker.
    fn broker(&self) -> Arc<dyn Broker>;

    /// Clears up after a claim that held.
    async fn close(&self) {}
}

/// Makes a module with one test per claim. The expression makes an [`Adapter`], and may await.
#[macro_export]
macro_rules! broker_contract {
    ($name:ident: $adapter:expr) => {
        $crate::broker_contract! { @claims $name: $adapter;
            events_come_in_the_order_of_their_publishing
            ends_do_not_wait_behind_updates
            a_key_that_nothing_takes_is_refused
            an_event_may_be_as_large_as_the_contract_says
            an_event_is_carried_as_it_is
            no_more_than_the_prefetch_is_out
            two_consumers_share_a_queue
            a_consumer_that_goes_away_gives_back_what_it_had
            what_nobody_read_comes_again_when_its_consumer_goes_away
            a_stopped_consumer_gives_back_what_nobody_read
            waiting_for_a_delivery_may_be_given_up
            what_is_acknowledged_does_not_come_again
            what_is_given_back_comes_first_and_is_marked
            a_receipt_that_is_no_longer_held_changes_nothing
            a_delayed_delivery_comes_back_and_never_early
            a_delayed_delivery_keeps_nobody_waiting
            delays_of_any_length_come_back_once_each
            a_delay_keeps_everything_however_often
            a_delay_keeps_that_a_delivery_came_before
            a_delay_marks_a_delivery_as_its_caller_did
            a_moved_delivery_keeps_everything
            a_moved_delivery_is_marked_as_its_caller_did
            a_moved_delivery_stands_at_the_end
            moving_what_is_no_longer_held_changes_nothing
            a_delay_comes_back_to_the_queue_that_its_caller_named
            nothing_is_pulled_ahead
            what_was_pulled_goes_back_when_its_reader_is_gone
            a_reader_on_demand_is_woken
            a_dead_letter_keeps_everything
            a_dead_letter_keeps_everything_after_a_delay
            a_walk_gives_each_letter_once_and_the_oldest_first
            a_walk_ends_where_there_is_nothing_or_no_more
            what_dies_during_a_walk_is_left_for_the_next
            a_letter_that_a_walk_holds_is_seen_by_nobody_else
            a_letter_keeps_its_id
            a_dropped_letter_is_gone_and_the_others_stay
            a_letter_is_decided_about_once
            a_replay_is_exact_and_begins_a_new_life
            a_replay_may_go_on_with_the_attempts
            each_replay_is_counted_whatever_happens_between
            a_subscriber_hears_what_it_asked_for_in_order
            a_subscriber_hears_nothing_of_the_past
            a_subscriber_hears_every_kind_of_result
            names_with_special_bytes_are_heard_by_who_asked_for_them
            it_is_known_whether_anybody_consumes
            it_is_known_how_many_wait
            it_answers_when_it_is_asked
        }
    };
    (@claims $name:ident: $adapter:expr; $($claim:ident)*) => {
        mod $name {
            #[allow(unused_imports, reason = "the expression may need what is around it")]
            use super::*;

            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $claim() {
                    let adapter = $adapter;
                    $crate::broker::$claim(&adapter).await;
                    $crate::broker::Adapter::close(&adapter).await;
                }
            )*
        }
    };
}
