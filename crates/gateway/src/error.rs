//! What can go wrong with the server itself.

use std::io;
use std::net::SocketAddr;

/// The gateway cannot listen or serve.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// Another program listens there.
    #[error(
        "cannot listen on {address}: another program already does (another `foreshow up`?). Stop it, or choose another address with --listen; port 0 picks a free one"
    )]
    InUse {
        /// The address.
        address: SocketAddr,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
    /// The system does not let this user listen there.
    #[error(
        "cannot listen on {address}: this user may not use that port. Choose one above 1023 with --listen"
    )]
    NotAllowed {
        /// The address.
        address: SocketAddr,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
    /// Any other reason why nothing can listen there.
    #[error(
        "cannot listen on {address}: check that it is an address of this machine, or choose another with --listen"
    )]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
    /// The listener broke while serving.
    #[error("the gateway at {address} stopped serving: start it again")]
    Serve {
        /// The address.
        address: SocketAddr,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
}

impl GatewayError {
    pub(crate) fn bind(address: SocketAddr, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::InUse { address, source },
            io::ErrorKind::PermissionDenied => Self::NotAllowed { address, source },
            _ => Self::Bind { address, source },
        }
    }
}
