//! Conversations with the simulator of Deno Deploy over HTTP, as a client would hold them.

#![expect(clippy::unwrap_used, reason = "test helpers")]

mod deploying;
mod domains;
mod hosts;
mod limits;
mod lists;
mod streams;
mod world;
