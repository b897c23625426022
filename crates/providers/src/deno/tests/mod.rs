//! The Deno provider against the simulator of Deno Deploy.

mod aliases;
mod builds;
mod creating;
mod domains;
mod limits;
mod listing;
mod removing;
mod world;
