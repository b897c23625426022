//! Adapters of the `Provider` port: a folder for each, with the same rooms every time.
//!
//! - [`local`]: static previews from a folder on this machine, served by the gateway.
//! - [`vercel`]: Vercel, through its REST API.
//! - [`deno`]: Deno Deploy, through its v2 API.
//! - [`http`]: what the providers across a network share.

pub mod deno;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub mod http;
pub mod local;
pub mod vercel;

pub use deno::{DenoError, DenoProvider, DenoSettings};
pub use local::{LocalError, LocalProvider, LocalSettings};
pub use vercel::{BuildMachine, Protection, VercelError, VercelProvider, VercelSettings};
