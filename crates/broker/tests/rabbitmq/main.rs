//! The contract of the broker port on a real RabbitMQ, and what its adapter promises beside it.
//!
//! Most tests have a vhost of the run's RabbitMQ to themselves. Those that kill, starve or configure a broker start one
//! of their own.

#![expect(clippy::unwrap_used, reason = "test helpers")]

mod consumers;
mod dead_letters;
mod definitions;
mod delays;
mod fail_over;
mod foreign;
mod limits;
mod log;
mod restart;
mod routes;
mod support;
mod topology;
mod unreadable;
mod users;
mod wire;

foreshow_conformance::broker_contract!(contract: crate::support::World::new().await);
