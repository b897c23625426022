//! What can go wrong with the server itself.

use std::io;
use std::net::SocketAddr;

/// The gateway cannot listen or serve.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// Another program listens there.
    #[error(
        "cannot listen on {address}: another program already does (another `foreshow`?). Stop it, or choose another address with {option}; port 0 picks a free one"
    )]
    InUse {
        /// The address.
        address: SocketAddr,
        /// Where it was chosen.
        option: &'static str,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
    /// The system does not let this user listen there.
    #[error(
        "cannot listen on {address}: this user may not use that port. Choose one above 1023 with {option}"
    )]
    NotAllowed {
        /// The address.
        address: SocketAddr,
        /// Where it was chosen.
        option: &'static str,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
    /// Any other reason why nothing can listen there.
    #[error(
        "cannot listen on {address}: check that it is an address of this machine, or choose another with {option}"
    )]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Where it was chosen.
        option: &'static str,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
    /// The listener broke while serving.
    #[error("the server at {address} stopped serving: start it again")]
    Serve {
        /// The address.
        address: SocketAddr,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
}

impl GatewayError {
    /// `option` is where the user chose the address.
    pub(crate) fn bind(address: SocketAddr, option: &'static str, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::InUse {
                address,
                option,
                source,
            },
            io::ErrorKind::PermissionDenied => Self::NotAllowed {
                address,
                option,
                source,
            },
            _ => Self::Bind {
                address,
                option,
                source,
            },
        }
    }
}
