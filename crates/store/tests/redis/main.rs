//! The contract of the store port on Redis, and what that adapter promises beside it.
//!
//! Needs the Redis of the test run; `cargo xtask test` starts it. What kills, stops or configures its server starts a
//! private one.

#![expect(clippy::unwrap_used, reason = "test helpers")]

mod cluster;
mod faults;
mod memory;
mod round_trips;
mod sentinel;
mod steps;
mod support;
mod tls;
mod users;
mod watching;
mod wipes;

use foreshow_conformance::{store_contract, store_model};

use crate::support::Remote;

store_contract!(redis_keeps_the_contract: Remote::shared().await);
store_model!(redis_answers_as_memory_does, 12 cases: Remote::shared().await);
