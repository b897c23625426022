//! Requests to addresses that strangers name.
//!
//! A tenant's URL is a request that *we* make, from where we stand: beside databases without passwords, metadata services that
//! hand out credentials, and our own admin port. So what strangers name is fetched by an [`Egress`] and by nothing else. It
//! lets through what the public could reach as well, by `https`, on the ports that are configured, and refuses the rest.
//!
//! What it keeps true, whoever races:
//!
//! - **A connection goes to an address that was checked, for that very connection.** An address that stands in the URL is
//!   checked by [`Egress::check`], since no resolver is asked about it. A name is resolved when a connection is made, all of its
//!   addresses are checked in the same step, and these are what is dialled. There is no second look-up, so an answer that
//!   changes in between (DNS rebinding) changes nothing; server name and `Host` stay what the URL says.
//! - **One inner address spoils a name**, however many public ones stand beside it: which one is dialled would be chance.
//! - **Nobody else is asked.** The environment's proxies are not used, redirects are not followed: where one leads is told by
//!   [`Egress::redirect`], checked like any URL, and whoever wants to go there makes another request.
//! - **A refusal is final and says nothing.** [`Refused`] tells a tenant that an address is not allowed, not which one it was,
//!   or what it is used for. The log has the address. That there is such a name at all can be told from a name that there isn't, which
//!   is no refusal and may be tried again: an installation whose inner names are secret resolves with a server that has public ones alone.
//! - **What comes back is bounded or left as it is**: headers end at 100 or 400 KiB, bodies are not decompressed (a bomb stays
//!   small), and a server that says nothing for a minute is given up. How much of a body is read, and how long it may take in
//!   all, is for the caller to say.
//!
//! Nothing is kept, so there is nothing that dying half-way could leave behind.
//!
//! For development, and for installations whose own network holds the bundles, [`EgressOptions::allow`] lets ranges through.

mod client;
mod options;
mod policy;
mod ranges;
mod refused;
mod resolver;
mod target;

pub use client::Egress;
pub use options::{EgressError, EgressOptions};
pub use refused::Refused;
/// What a resolver of one's own is made of.
pub use reqwest::dns::{Addrs, Name, Resolve, Resolving};
pub use target::Target;
