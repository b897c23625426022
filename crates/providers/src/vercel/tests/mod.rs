//! The Vercel provider against the simulator of Vercel.

mod aliases;
mod checking;
mod creating;
mod ending;
mod listing;
mod reaching;
mod refused;
mod world;
