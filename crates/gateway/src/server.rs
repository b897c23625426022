//! Binding, serving, stopping.
//!
//! Binding and serving are two steps, because others need to know the port before there is anything to serve: the local
//! provider for its URLs, `up` for what it prints. Connections made in between wait in the listener's backlog.

use std::future::IntoFuture as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::serve::ListenerExt as _;
use foreshow_contract::ProviderName;
use foreshow_engine::{Clock, Store};
use foreshow_runner::{PreviewHost, PreviewOrigin};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{GatewayError, dispatch, pages::Pages};

/// How long answers under way may take to end once the gateway is told to stop.
const GRACE: Duration = Duration::from_secs(5);

/// The gateway. [`bind`](Self::bind) is where it begins.
#[derive(Clone, Copy, Debug)]
pub struct Gateway;

/// A gateway that listens, and does not answer yet.
#[derive(Debug)]
pub struct BoundGateway {
    listener: TcpListener,
    address: SocketAddr,
    origin: PreviewOrigin,
}

/// What the gateway needs.
#[derive(Clone)]
pub struct GatewayServices {
    /// The folder that it serves.
    pub previews: PreviewHost,
    /// The name under which records know that folder: `local`.
    pub provider: ProviderName,
    /// Where contexts are kept.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Gateway {
    /// Listens on `address`; port 0 picks a free one.
    ///
    /// # Errors
    /// [`GatewayError::InUse`] and its kin, which say how to choose another address.
    pub async fn bind(address: SocketAddr) -> Result<BoundGateway, GatewayError> {
        let failed = |error| GatewayError::bind(address, error);
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(BoundGateway {
            listener,
            address,
            origin: PreviewOrigin::localhost(address.port()),
        })
    }
}

impl BoundGateway {
    /// The address that is listened on, with its real port.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// An address at which this machine reaches it: the same, or the loopback interface where it listens on all.
    pub fn probe_addr(&self) -> SocketAddr {
        let ip = match self.address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            ip => ip,
        };
        SocketAddr::new(ip, self.address.port())
    }

    /// Where people reach previews.
    pub fn origin(&self) -> &PreviewOrigin {
        &self.origin
    }

    /// The gateway's own start page.
    pub fn url(&self) -> String {
        format!("http://{}/", self.probe_addr())
    }

    /// Answers requests until `shutdown` is cancelled, and then, for a few seconds, those under way.
    ///
    /// # Errors
    /// [`GatewayError::Serve`] where the listener broke.
    pub async fn serve(
        self,
        services: GatewayServices,
        shutdown: CancellationToken,
    ) -> Result<(), GatewayError> {
        let Self {
            listener,
            address,
            origin,
        } = self;
        let gateway = dispatch::Gate {
            services,
            origin,
            is_private: address.ip().is_loopback(),
            pages: Pages::new(),
        };
        let listener = listener.tap_io(|connection| {
            // Answers are small and wanted at once.
            if let Err(error) = connection.set_nodelay(true) {
                tracing::debug!(%error, "a connection stays slow");
            }
        });
        let server = axum::serve(listener, dispatch::router(gateway))
            .with_graceful_shutdown(shutdown.clone().cancelled_owned())
            .into_future();
        let out_of_patience = async {
            shutdown.cancelled().await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            served = server => served.map_err(|source| GatewayError::Serve { address, source }),
            () = out_of_patience => {
                tracing::warn!("some answers took longer than {GRACE:?} to end and were cut off");
                Ok(())
            }
        }
    }
}
