//! What every adapter of the ports Broker, Store and Provider must keep, as claims that its tests run.

pub mod broker;
pub mod provider;
pub mod store;
