//! Binding, handling, stopping.
//!
//! A simulator that is dropped stops: what hangs is cut, background work ends, the port is free again as soon as the executor
//! has come round. [`Simulator::stop`] waits for that.

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use axum::{Router, routing::any};
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::{
    Call, Clock, Fault, FaultId, Ground, Line, Operation, Product, StandingFault,
    faults::Faults,
    ledger::Ledger,
    serving,
    wire::{CuttableListener, Lines},
};

/// Why a simulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    /// The address cannot be listened on.
    #[error(
        "the {product} simulator cannot listen on {address}: choose another address, or port 0 for a free one"
    )]
    Bind {
        /// Which simulator.
        product: &'static str,
        /// The address.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// What a running simulator consists of.
pub(crate) struct Desk<P: Product> {
    pub(crate) product: Arc<P>,
    pub(crate) ground: Ground,
    pub(crate) ledger: Ledger,
    pub(crate) faults: Faults,
}

/// A simulator that runs.
#[must_use = "a simulator stops when it is dropped"]
pub struct Simulator<P: Product> {
    desk: Arc<Desk<P>>,
    stopping: CancellationToken,
    lines: Lines,
    serving: Option<JoinHandle<()>>,
}

impl<P: Product> fmt::Debug for Simulator<P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} simulator at {}", P::NAME, self.api_url())
    }
}

impl<P: Product> Simulator<P> {
    /// Listens on `address` (port 0 picks a free one) and answers until it is stopped or dropped. Needs a Tokio runtime.
    ///
    /// # Errors
    /// [`SimulatorError::Bind`] where the address is taken.
    pub async fn start(address: SocketAddr, options: P::Options) -> Result<Self, SimulatorError> {
        let failed = |source| SimulatorError::Bind {
            product: P::NAME,
            address,
            source,
        };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let bound = reachable(listener.local_addr().map_err(failed)?);

        let clock = Clock::start();
        let stopping = CancellationToken::new();
        let ground = Ground::new(bound, clock, stopping.clone());
        let desk = Arc::new(Desk {
            product: Arc::new(P::open(options, ground.clone())),
            ground,
            ledger: Ledger::new(clock),
            faults: Faults::default(),
        });

        let lines = Lines::default();
        let listener = CuttableListener {
            listener,
            lines: lines.clone(),
        };
        let router = Router::new()
            .fallback(any(serving::serve::<P>))
            .with_state(Arc::clone(&desk))
            .into_make_service_with_connect_info::<Line>();
        let until = stopping.clone();
        let serving = tokio::spawn(async move {
            tokio::select! {
                () = until.cancelled() => {}
                served = axum::serve(listener, router) => {
                    if let Err(error) = served {
                        tracing::warn!(%error, "the {} simulator serves no longer", P::NAME);
                    }
                }
            }
        });
        Ok(Self {
            desk,
            stopping,
            lines,
            serving: Some(serving),
        })
    }

    /// Starts on a free port of the loopback interface.
    pub async fn start_anywhere(options: P::Options) -> Result<Self, SimulatorError> {
        Self::start((Ipv4Addr::LOCALHOST, 0).into(), options).await
    }

    /// The URL of its API, without a slash at its end: `http://127.0.0.1:4001`.
    pub fn api_url(&self) -> String {
        self.desk.ground.api_url()
    }

    /// The address that is listened on, with its real port.
    pub fn address(&self) -> SocketAddr {
        self.desk.ground.address()
    }

    /// The product itself.
    pub fn product(&self) -> &Arc<P> {
        &self.desk.product
    }

    /// Every call of the API so far, in order.
    pub fn ledger(&self) -> Vec<Call> {
        self.desk.ledger.calls()
    }

    /// The calls of one operation.
    pub fn calls_of(&self, operation: P::Operation) -> Vec<Call> {
        self.desk.ledger.calls_of(operation.name())
    }

    /// Forgets the calls so far.
    pub fn clear_ledger(&self) {
        self.desk.ledger.clear();
    }

    /// Switches a fault on.
    pub fn fault(&self, fault: Fault) -> FaultId {
        self.desk.faults.add(fault)
    }

    /// The faults that are switched on, and how often each was applied.
    pub fn faults(&self) -> Vec<StandingFault> {
        self.desk.faults.standing()
    }

    /// Switches one fault off; `false` where it was not on.
    pub fn clear_fault(&self, id: FaultId) -> bool {
        self.desk.faults.remove(id)
    }

    /// Switches all faults off. What hangs goes on hanging.
    pub fn clear_faults(&self) {
        self.desk.faults.clear();
    }

    /// The knobs as they stand.
    pub fn knobs(&self) -> P::Knobs {
        self.desk.product.knobs().get()
    }

    /// Turns knobs.
    pub fn turn<R>(&self, change: impl FnOnce(&mut P::Knobs) -> R) -> R {
        self.desk.product.knobs().turn(change)
    }

    /// Turns knobs as `PUT /_simulator/knobs` does: JSON is merged into theirs.
    ///
    /// # Errors
    /// Where it names a knob that there is not, or a position that it does not have.
    pub fn put_knobs(&self, patch: Value) -> Result<(), serde_json::Error> {
        self.desk.product.knobs().merge(patch).map(drop)
    }

    /// What there is: deployments, aliases or domains, projects or apps.
    pub fn state(&self) -> Value {
        self.desk.product.state()
    }

    /// Removes a deployment as the vendor's retention would; `false` where there is none.
    pub fn vanish(&self, id: &str) -> bool {
        self.desk.product.vanish(id)
    }

    /// The DNS records of a domain are there from now on; `false` where nobody asked for that domain.
    pub fn verify_domain(&self, domain: &str) -> bool {
        self.desk.product.verify_domain(domain)
    }

    /// Stops, and returns once the port is free.
    pub async fn stop(mut self) {
        self.stopping.cancel();
        self.lines.cut_all();
        if let Some(serving) = self.serving.take()
            && let Err(error) = serving.await
        {
            tracing::warn!(%error, "the {} simulator broke", P::NAME);
        }
        // Accepted while the others were being cut.
        self.lines.cut_all();
    }
}

impl<P: Product> Drop for Simulator<P> {
    fn drop(&mut self) {
        self.stopping.cancel();
        self.lines.cut_all();
    }
}

/// An address at which this machine reaches what listens on all interfaces.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
