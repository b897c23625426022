//! The outside, simulated: each port twice, as the one thing that everybody shares, and as a worker's link to it.

pub(crate) mod broker;
pub(crate) mod provider;
pub(crate) mod store;
