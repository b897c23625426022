//! Conversations with the Vercel simulator over plain HTTP.
#![expect(clippy::unwrap_used, reason = "test helpers")]

mod aliases;
mod control;
mod creating;
mod domains;
mod faults;
mod harness;
mod lifecycle;
mod lists;
mod protection;
mod webhooks;
