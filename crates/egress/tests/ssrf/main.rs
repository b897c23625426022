//! What the guard refuses, and that nobody is called when it does.
//!
//! Every case is told as an address in a URL, as a redirect to it, or as a name that leads to it, and every case sets a
//! [`Trap`](trap::Trap): a listener that would hear a call to any address of this machine. For the addresses that are not this
//! machine's, all cases run once more where every address is ([`namespace`]).

#![expect(clippy::unwrap_used, reason = "test helpers")]

mod allow;
mod answers;
mod case;
mod hostile;
mod log;
mod namespace;
mod properties;
mod proxies;
mod ranges;
mod rebinding;
mod redirects;
mod server;
mod spellings;
mod tls;
mod trap;
mod urls;
