//! What is refused, in two texts: one for whoever gave the URL, one for the log.

use std::error::Error;
use std::fmt;
use std::net::IpAddr;

use crate::ranges::Range;

/// A request that is not made. Final: it is never worth a retry.
///
/// `Display` is what a tenant may hear. It is the same text for every address, whether a name led there or it stood in the URL.
/// [`detail`](Self::detail) is for the log alone, and so is `Debug`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(Box<Why>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Why {
    Address {
        host: String,
        address: IpAddr,
        range: &'static Range,
    },
    Url(Fault),
}

/// What is wrong with a URL, as far as that needs no network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It can't be read.
    Unreadable,
    /// It is longer than anybody's.
    TooLong {
        /// The bound.
        limit_bytes: usize,
    },
    /// Neither `https` nor, where that is taken, `http`.
    Scheme {
        /// Whether `http` is taken.
        http: bool,
    },
    /// A user or a password stands in it.
    Credentials,
    /// Another port.
    Port {
        /// Those that are let through.
        allowed: Vec<u16>,
    },
    /// A redirect from `https` to `http`.
    Downgrade,
    /// A redirect to what is no URL.
    Location,
}

impl Refused {
    pub(crate) fn address(host: &str, address: IpAddr, range: &'static Range) -> Self {
        Self(Box::new(Why::Address {
            host: host.to_owned(),
            address,
            range,
        }))
    }

    pub(crate) fn url(fault: Fault) -> Self {
        Self(Box::new(Why::Url(fault)))
    }

    /// A stable code: `address_not_allowed` where the host leads to what is not public, `url_not_allowed` for scheme, port,
    /// credentials and syntax.
    pub fn code(&self) -> &'static str {
        match *self.0 {
            Why::Address { .. } => "address_not_allowed",
            Why::Url(_) => "url_not_allowed",
        }
    }

    /// What the log may have and a tenant may not: host, address and range, and the setting that decides. Never path, query or credentials.
    pub fn detail(&self) -> String {
        match &*self.0 {
            Why::Address {
                host,
                address,
                range,
            } => format!("{host} leads to {address}, in {range}; egress.allow lets ranges through"),
            Why::Url(fault) => match fault.opened_by() {
                Some(key) => format!("{fault}; {key} decides"),
                None => fault.to_string(),
            },
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Why::Address { .. } => f.write_str(
                "the address is not allowed: the host leads to a network that is not public; give the URL of a public host",
            ),
            Why::Url(fault) => write!(f, "the URL is not allowed: {fault}"),
        }
    }
}

impl Error for Refused {}

impl Fault {
    /// The setting that would let it through, where there is one.
    fn opened_by(&self) -> Option<&'static str> {
        match self {
            Self::Scheme { http: false } => Some("egress.http"),
            Self::Port { .. } => Some("egress.ports"),
            Self::Scheme { http: true }
            | Self::Unreadable
            | Self::TooLong { .. }
            | Self::Credentials
            | Self::Downgrade
            | Self::Location => None,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable => {
                f.write_str("it can't be read; give an absolute one, as https://HOST/PATH")
            }
            Self::TooLong { limit_bytes } => write!(
                f,
                "it is longer than {limit_bytes} bytes; give a shorter one"
            ),
            Self::Scheme { http: false } => f.write_str("it must begin with https://"),
            Self::Scheme { http: true } => f.write_str("it must begin with https:// or http://"),
            Self::Credentials => f.write_str(
                "it has a user or a password in it; give it without, or sign it in its query",
            ),
            Self::Port { allowed } => {
                f.write_str("its port is not one that is let through (")?;
                for (index, port) in allowed.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{port}")?;
                }
                f.write_str("); serve it there")
            }
            Self::Downgrade => f.write_str(
                "the server redirects from https to http; give the https URL it leads to",
            ),
            Self::Location => f.write_str(
                "the server redirects to what is no URL; give the URL it should lead to",
            ),
        }
    }
}
