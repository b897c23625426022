//! What every adapter of the ports Broker and Store must keep, as claims that its tests run.

pub mod broker;
pub mod store;
