//! What a product stands on: the port it was given, the time, and room for work in the background that ends with the simulator.

use std::net::SocketAddr;

use tokio_util::sync::CancellationToken;

use super::Clock;

/// What a product stands on.
#[derive(Clone, Debug)]
pub struct Ground {
    address: SocketAddr,
    clock: Clock,
    stopping: CancellationToken,
}

impl Ground {
    pub(crate) fn new(address: SocketAddr, clock: Clock, stopping: CancellationToken) -> Self {
        Self {
            address,
            clock,
            stopping,
        }
    }

    /// The time.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// The address that is listened on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of the API, without a slash at its end.
    pub fn api_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The host of a site, with the port that a client needs to reach it: `<label>.localhost:<port>`.
    pub fn host(&self, label: &str) -> String {
        format!("{label}.localhost:{}", self.address.port())
    }

    /// Runs something until it ends or the simulator stops.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let stopping = self.stopping.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = stopping.cancelled() => {}
                () = work => {}
            }
        });
    }

    /// Ends when the simulator stops: for answers that would never end by themselves.
    pub async fn stopped(&self) {
        self.stopping.cancelled().await;
    }
}
