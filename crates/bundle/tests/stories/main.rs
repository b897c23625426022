//! A context's files from outside: what a sender packs, what a receiver accepts.

#![expect(
    clippy::unwrap_used,
    reason = "clippy knows #[test] functions, but not their helpers"
)]

mod any_input;
mod bundle;
mod directory;
mod inline;
mod store;
mod support;
