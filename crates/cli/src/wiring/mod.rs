//! Ports and adapters put together. The only place that knows which adapter a URL's scheme means.
//!
//! | room | idea |
//! | --- | --- |
//! | `backends` | broker, store and bundles |
//! | `fetching` | bundles by their URLs |
//! | `fleet` | RabbitMQ and Redis, as configured |
//! | `client` | what a command needs that asks for one thing |
//! | `leases` | the thread on which they are renewed |
//! | `naming` | what a worker is called |
//! | `failing` | points at which a chaos run has a worker die; not in a user's build |
//! | `service` | worker and gateway, from start to drain |
//! | `admin`, `metrics` | what the admin port tells of them |

mod admin;
mod backends;
mod client;
#[cfg(feature = "failure-points")]
pub(crate) mod failing;
pub(crate) mod fetching;
pub(crate) mod fleet;
mod leases;
mod metrics;
mod naming;
pub(crate) mod providers;
mod service;
mod urls;

pub(crate) use admin::{agree, chain};
pub(crate) use backends::{Backends, backend};
pub(crate) use client::Client;
pub(crate) use service::{Idle, Roles, Service};
pub(crate) use urls::PreviewUrls;

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
