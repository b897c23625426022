//! An address to listen on, as people write it.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An IP address and a port; `localhost` stands for 127.0.0.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct ListenAddr(pub(crate) SocketAddr);

/// The text is no such address.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("it is no IP address with a port")]
pub(crate) struct ListenAddrError;

/// What to write.
pub(super) const LISTEN_GRAMMAR: &str =
    "write HOST:PORT, HOST an IP address or localhost, e.g. 127.0.0.1:8080; port 0 picks one";

impl Default for ListenAddr {
    fn default() -> Self {
        Self(SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)))
    }
}

impl FromStr for ListenAddr {
    type Err = ListenAddrError;

    fn from_str(text: &str) -> Result<Self, ListenAddrError> {
        let address = match text.strip_prefix("localhost:") {
            Some(port) => port
                .parse()
                .ok()
                .map(|port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
            None => text.parse().ok(),
        };
        address.map(Self).ok_or(ListenAddrError)
    }
}

impl TryFrom<String> for ListenAddr {
    type Error = ListenAddrError;

    fn try_from(text: String) -> Result<Self, ListenAddrError> {
        text.parse()
    }
}

impl From<ListenAddr> for String {
    fn from(address: ListenAddr) -> Self {
        address.to_string()
    }
}

impl fmt::Display for ListenAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn localhost_is_the_loopback_address() {
        assert_eq!(
            "localhost:0".parse::<ListenAddr>().unwrap().to_string(),
            "127.0.0.1:0"
        );
        assert_eq!(
            "[::1]:80".parse::<ListenAddr>().unwrap().to_string(),
            "[::1]:80"
        );
    }

    #[test]
    fn an_address_needs_a_port() {
        for bad in [
            "8080",
            "127.0.0.1",
            "localhost",
            "example.com:80",
            "127.0.0.1:99999",
            "",
        ] {
            assert!(bad.parse::<ListenAddr>().is_err(), "{bad}");
        }
    }
}
