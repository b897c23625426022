//! The contract of the broker port, as claims that every adapter has to meet, and what the embedded one promises beside it.

#![expect(clippy::unwrap_used, reason = "test helpers")]

mod embedded;
mod processes;
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
            events_come_in_the_order_of_their_publishing
            ends_do_not_wait_behind_updates
            a_key_that_nothing_takes_is_refused
            no_more_than_the_prefetch_is_out
            what_is_acknowledged_does_not_come_again
            what_is_given_back_comes_first_and_is_marked
            a_consumer_that_goes_away_gives_back_what_it_had
            two_consumers_share_a_queue
            a_receipt_that_is_no_longer_held_changes_nothing
            a_delayed_delivery_comes_back_in_time_and_never_early
            a_delayed_delivery_keeps_nobody_waiting
            a_dead_letter_keeps_everything
            a_subscriber_hears_what_it_asked_for_in_order
            a_subscriber_hears_nothing_of_the_past
            waiting_for_a_delivery_may_be_given_up
            it_is_known_whether_anybody_consumes
        })*
    };
}

contract_for! { memory sqlite }
