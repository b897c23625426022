//! The broker in RabbitMQ, 3.10 to 4.x: any number of workers, gateways and publishers on one vhost.
//!
//! What it keeps true, beside the port's promises:
//!
//! - **Two connections** (`link.rs`): one only consumes, one only publishes. A broker that is short of memory or disk
//!   stops reading from who publishes; acknowledgements go on, for they free what it is short of.
//! - **Published means confirmed and not returned** (`publisher.rs`). Each publish has a deadline; past it the message may
//!   or may not be there, and the caller is told so.
//! - **What cannot publish does not claim** (`consumer.rs`): while the publishing connection is blocked or away, no
//!   delivery is handed out, since its outcome could not be told.
//! - **What we count travels with the message** (`stamp.rs`): attempt, history, time of acceptance, in headers of our own.
//!   The broker's own counts differ between versions, and none of them means an attempt.
//! - **The backlog is asked, and sends nothing** (`pull.rs`): a worker whose slots are busy holds none of it.
//! - **One hop per delay** (`octave.rs`): queues whose messages wait at most 1 s, 2 s, 4 s … so that a message waits behind
//!   none that waits much longer.
//! - **No message ends a connection** (`frames.rs`): what the client library can't parse is made readable before it gets there.
//!
//! lapin's own recovery is not used. It redials one address, and replays consumers whose deliveries the engine still
//! holds receipts of; here a lost connection ends its channels at once, receipts of them count for nothing, and a
//! supervisor per connection dials every address in turn. Nobody has to ask what survived.
//!
//! If this process dies at any point, the broker gives what it held to others; the order "copy first, then acknowledge"
//! makes the worst case a copy too many.

mod app_properties;
mod broker;
mod consumer;
mod dead_letters;
mod error;
mod frames;
mod incoming;
mod inner;
mod link;
pub mod metrics;
mod octave;
mod options;
mod outgoing;
mod pool;
mod properties;
mod publisher;
mod pull;
mod registry;
mod stamp;
mod stream;
mod subscription;
mod supervisor;
mod table;
pub mod topology;
mod url;

pub use broker::RabbitMqBroker;
pub use error::RabbitMqError;
pub use options::{OptionsError, RabbitMqOptions, ResultsMode};
pub use topology::{Drift, Topology};
pub use url::{AmqpUrl, AmqpUrlError};
