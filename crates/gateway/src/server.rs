//! Binding, serving, stopping.
//!
//! Binding and serving are two steps, because others need to know the port before there is anything to serve: the local
//! provider for its URLs, `up` for what it prints. Connections made in between wait in the listener's backlog.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use foreshow_contract::{ProviderName, Secret};
use foreshow_engine::{Clock, Store};
use foreshow_runner::{PreviewHost, PreviewOrigin};
use tokio_util::sync::CancellationToken;

use crate::bundles::{GatewayBundleService, Uploads};
use crate::guard::Guard;
use crate::hooks::ProviderHook;
use crate::serving::Listening;
use crate::{GatewayError, dispatch, pages::Pages};

/// The gateway. [`bind`](Self::bind) is where it begins.
#[derive(Clone, Copy, Debug)]
pub struct Gateway;

/// A gateway that listens, and does not answer yet.
#[derive(Debug)]
pub struct BoundGateway {
    listening: Listening,
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
    /// Where publishers put their bundles; without, the API for it says that there is none.
    pub bundles: Option<GatewayBundleService>,
    /// Providers that may call; signed, so without the token.
    pub hooks: Vec<Arc<dyn ProviderHook>>,
    /// Who has it may use the gateway's own pages and API from another machine, as `Authorization: Bearer`. Without, nobody
    /// may. Never empty.
    pub token: Option<Secret>,
}

impl Gateway {
    /// Listens on `address`; port 0 picks a free one.
    ///
    /// # Errors
    /// [`GatewayError::InUse`] and its kin, which say how to choose another address.
    pub async fn bind(address: SocketAddr) -> Result<BoundGateway, GatewayError> {
        let listening = Listening::bind(address, "--listen").await?;
        let origin = PreviewOrigin::localhost(listening.address().port());
        Ok(BoundGateway { listening, origin })
    }
}

impl BoundGateway {
    /// The address that is listened on, with its real port.
    pub fn local_addr(&self) -> SocketAddr {
        self.listening.address()
    }

    /// An address at which this machine reaches it: the same, or the loopback interface where it listens on all.
    pub fn probe_addr(&self) -> SocketAddr {
        let address = self.listening.address();
        let ip = match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            ip => ip,
        };
        SocketAddr::new(ip, address.port())
    }

    /// The same gateway behind another origin: a domain that leads to it.
    pub fn reached_at(mut self, origin: PreviewOrigin) -> Self {
        self.origin = origin;
        self
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
        let Self { listening, origin } = self;
        let uploads = Uploads::open(services.bundles.as_ref()).await;
        let gate = dispatch::Gate {
            guard: Guard::new(listening.address().ip(), services.token.clone()),
            services,
            origin,
            pages: Pages::new(),
            uploads,
        };
        listening.serve(dispatch::router(gate), shutdown).await
    }
}
