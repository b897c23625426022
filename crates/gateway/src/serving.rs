//! Listening and serving, for every port that this crate opens.

use std::future::IntoFuture as _;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::GatewayError;

/// How long answers under way may take to end once a server is told to stop.
const GRACE: Duration = Duration::from_secs(5);

/// A port that is listened on.
#[derive(Debug)]
pub(crate) struct Listening {
    listener: TcpListener,
    address: SocketAddr,
}

impl Listening {
    /// Listens on `address`; port 0 picks a free one. `option` is where the user chose it.
    pub(crate) async fn bind(
        address: SocketAddr,
        option: &'static str,
    ) -> Result<Self, GatewayError> {
        let failed = |error| GatewayError::bind(address, option, error);
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }

    /// The address, with its real port.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers requests until `shutdown` is cancelled, and then, for a few seconds, those under way.
    pub(crate) async fn serve(
        self,
        router: Router,
        shutdown: CancellationToken,
    ) -> Result<(), GatewayError> {
        let Self { listener, address } = self;
        let listener = listener.tap_io(|connection| {
            // Answers are small and wanted at once.
            if let Err(error) = connection.set_nodelay(true) {
                tracing::debug!(%error, "a connection stays slow");
            }
        });
        let server = axum::serve(listener, router)
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
