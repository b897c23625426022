//! Bundles fetched from servers that do as they please. Each story has a server, a folder and a port of its own.
#![expect(clippy::unwrap_used, reason = "tests, told from several files")]

mod bounds;
mod cached;
mod guarded;
mod origin;
mod outcomes;
mod resumed;
mod world;
