//! The contract of the broker port, run against the in-memory and the embedded adapter, and what the embedded one
//! promises beside it.

#![expect(clippy::unwrap_used, reason = "test helpers")]

mod embedded;
mod processes;
mod support;

foreshow_conformance::broker_contract!(memory: crate::support::memory());
foreshow_conformance::broker_contract!(sqlite: crate::support::sqlite().await);
