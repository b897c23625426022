//! The contract of the broker port on a real RabbitMQ, and what its adapter promises beside it.

#![expect(clippy::unwrap_used, reason = "test helpers")]

mod support;

foreshow_conformance::broker_contract!(contract: crate::support::World::new().await);
