//! Ports and adapters put together. The only place that knows which adapter a URL's scheme means.
//!
//! | room | idea |
//! | --- | --- |
//! | `backends` | broker, store and bundles |
//! | `client` | what a command needs that asks for one thing |
//! | `service` | worker and gateway, from start to drain |

mod backends;
mod client;
mod service;

pub(crate) use backends::Backends;
pub(crate) use client::Client;
pub(crate) use service::Service;

use foreshow_contract::Timestamp;
use foreshow_engine::Clock;

/// The machine's clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
