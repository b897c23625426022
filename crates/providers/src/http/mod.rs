//! What all providers across a network share: one way to call a vendor's HTTP API, and one way to ask a preview.
//!
//! - [`ApiClient`] sends a token to one origin and nowhere else: paths are put together from [templates](Operation), redirects
//!   are not followed, no URL out of an answer is ever called with it. Plain `http` is taken only on loopback, where simulators are.
//! - **Every call ends**: connecting, the whole call and the size of an answer are bounded.
//! - **A create is sent once.** What can be repeated harmlessly ([`Repeat::Harmless`]) is repeated here, a few times, where the
//!   connection failed, the time ran out or the vendor answered 5xx; all other waiting is the engine's, which has the fleet's gates.
//! - [`ApiError`] says what happened, and [`ApiError::failure`] is the one place that decides what follows. What a tenant may
//!   read ([`ApiError::public_message`]) is not what the log says: neither has tokens, environment values or signed URLs.
//! - Logs and metrics name operations and templates, never the ids of tenants. Headers and bodies are not logged at any level.
//!
//! A vendor's own ways (error shape, hints to wait, request ids) are functions in its [`Dialect`].

mod answer;
mod call;
mod client;
mod error;
mod hints;
mod observe;
mod operation;
mod probe;
mod url;
mod words;

#[cfg(test)]
mod tests;

pub use answer::Answer;
pub use call::Call;
pub use client::{ApiClient, ApiOptions, ClientError};
pub use error::{ApiError, Refusal, Trouble};
pub use observe::describe;
pub use operation::{Dialect, Operation, Repeat, Words};
pub use probe::{Judge, Prober, Sight};
pub use url::{ApiUrl, ApiUrlError};
