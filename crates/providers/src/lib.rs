//! Adapters of the `Provider` port: a folder for each, with the same rooms every time.
//!
//! - [`local`]: static previews from a folder on this machine, served by the gateway.

pub mod local;

pub use local::{LocalError, LocalProvider, LocalSettings};
