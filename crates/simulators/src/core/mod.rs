//! What every simulator is made of. A vendor is a [`Product`]; [`Simulator::start`] puts it on a port.
//!
//! The path of a request: [`wire`] (a connection that can be cut) → [`serving`] (which face is meant; for the API: ledger,
//! fault, product, ledger) → the product, or [`control`].

mod clock;
mod control;
mod fault;
mod faults;
mod ground;
mod knobs;
mod ledger;
mod product;
mod request;
mod routes;
mod server;
mod serving;
pub mod site;
mod wire;

pub use clock::Clock;
pub use fault::{Fault, FaultKind, RateHint, RateLimit};
pub use faults::{FaultId, StandingFault};
pub use ground::Ground;
pub use knobs::{BuildKnobs, BuildOutcome, Dial, SiteAnswer, SiteDelay};
pub use ledger::{Call, CallBody};
pub(crate) use product::operations;
pub use product::{Operation, Product, Refusal};
pub use request::{ApiCall, Query, json, no_content, text};
pub use routes::{Matched, Params, Route, find_route};
pub use server::{Simulator, SimulatorError};
pub use wire::Line;
