//! The broker in one SQLite file, for everything that one machine runs.
//!
//! What it keeps true, beside the port's promises:
//!
//! - **One row, one transaction.** Each move of a message is one synced update (`messages`); a crash finds it before or
//!   after, never twice and never gone.
//! - **A dead process's deliveries come back at once**, and a living one's never do, however slow it is: the operating
//!   system says who lives (`session`).
//! - **In order of arrival** within a queue; what is given back goes to its old place, what was delayed joins the end when it
//!   is due. Never early by the wall clock; where that steps forward, by as much earlier.
//! - **Idle costs nothing.** Consumers sleep until there is something for them (`bells`, `lookout`).
//!
//! Who races: the tasks of this process, through the one writer of the [`Database`](foreshow_sqlite::Database); other processes on the same file,
//! through SQLite's lock. A full disk or a failing one is [`Unavailable`](foreshow_engine::BrokerError::Unavailable) to whoever asked; nothing is lost
//! and nothing needs to be restarted when it is mended.

mod bells;
mod consumer;
mod dead_letters;
mod depth;
mod error;
mod handle;
mod inner;
mod lookout;
mod messages;
mod pull;
mod reaper;
mod results;
mod schema;
mod session;

pub use self::{depth::Depth, handle::EmbeddedBroker};
