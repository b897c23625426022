//! The contract of the store port on every adapter, and what each promises beside it.

#![expect(clippy::unwrap_used, reason = "test helpers")]

mod bundles;
mod embedded;
mod support;

use foreshow_conformance::{store::Memory, store_contract, store_model};

use crate::support::Sqlite;

store_contract!(memory_keeps_the_contract: Memory::new());
store_contract!(embedded_keeps_the_contract: Sqlite::new().await);
store_model!(embedded_answers_as_memory_does, 48 cases: Sqlite::new().await);
