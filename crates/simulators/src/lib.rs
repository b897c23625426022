//! Stand-ins on loopback for the APIs of hosting providers: for tests, for trying Foreshow without an account, and for the
//! vendors' own clients, which work against them unmodified.
//!
//! A [`Simulator`] is one port with three faces, told apart by the request's host and path:
//!
//! - a preview's host (`my-app-abc123.localhost:4001`, or a tenant's domain that was bound): the **site**, the very files that
//!   were uploaded;
//! - `/_simulator/…`: **control**: the [ledger](core::Call) of what was asked, [faults](core::Fault) to switch on,
//!   [knobs](core::BuildKnobs) to turn, a look at the state;
//! - everything else: the **API**, as strict and as lenient as the vendor's own.
//!
//! Host names that the API tells contain the simulator's port: only so can a client reach what they name.
//!
//! `core` is what all simulators share; then a folder per vendor.

pub mod core;
pub mod deno;
pub mod vercel;

pub use core::{Simulator, SimulatorError};
pub use deno::{Deno, DenoOperation, DenoOptions};
pub use vercel::{Vercel, VercelOperation, VercelOptions};
