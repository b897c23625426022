//! What is let through.

use std::net::IpAddr;

use http::Uri;
use ipnet::IpNet;
use reqwest::Url;
use tracing::{debug, warn};

use crate::ranges::{self, Range};
use crate::refused::Fault;
use crate::{EgressOptions, Refused, Target};

/// Signed URLs come close to 2 KiB where a session's token stands in them.
const LONGEST_URL: usize = 8 * 1024;

/// The rules, without a network: [`EgressOptions`] as decisions.
#[derive(Debug)]
pub(crate) struct Policy {
    allow: Vec<IpNet>,
    http: bool,
    ports: Vec<u16>,
}

impl Policy {
    pub(crate) fn new(options: &EgressOptions) -> Self {
        Self {
            allow: options.allow.clone(),
            http: options.http,
            ports: options.ports.clone(),
        }
    }

    /// Checks a URL as it was given.
    pub(crate) fn check(&self, url: &str) -> Result<Target, Refused> {
        // Before it is parsed, which takes longer the longer it is.
        short(url.as_bytes())
            .and_then(|()| url.parse().map_err(|_| Fault::Unreadable))
            .and_then(|url| self.check_syntax(url))
            .map_err(told)
            .and_then(|target| self.check_literal(target))
    }

    /// Checks a URL that a redirect leads to.
    pub(crate) fn check_redirect(&self, from: &Target, location: &[u8]) -> Result<Target, Refused> {
        short(location)
            .and_then(|()| {
                let location = str::from_utf8(location).map_err(|_| Fault::Location)?;
                from.url().join(location).map_err(|_| Fault::Location)
            })
            .and_then(|url| match (from.url().scheme(), url.scheme()) {
                ("https", "http") => Err(Fault::Downgrade),
                _ => self.check_syntax(url),
            })
            .map_err(told)
            .and_then(|target| self.check_literal(target))
    }

    fn check_syntax(&self, url: Url) -> Result<Target, Fault> {
        match url.scheme() {
            "https" => {}
            "http" if self.http => {}
            _ => return Err(Fault::Scheme { http: self.http }),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Fault::Credentials);
        }
        let port = url.port_or_known_default().unwrap_or_default();
        let implied = url.scheme() == "http" && port == 80;
        if !implied && !self.ports.contains(&port) {
            return Err(Fault::Port {
                allowed: self.ports_told(),
            });
        }
        if !reads_alike(&url) {
            return Err(Fault::Unreadable);
        }
        Ok(Target::new(url))
    }

    fn check_literal(&self, target: Target) -> Result<Target, Refused> {
        self.check_addresses(target.host_shown(), literal(target.url()))?;
        Ok(target)
    }

    fn ports_told(&self) -> Vec<u16> {
        let mut ports = self.ports.clone();
        if self.http && !ports.contains(&80) {
            ports.push(80);
        }
        ports
    }

    /// Checks every address that a host has. One that is not allowed is enough to refuse them all.
    pub(crate) fn check_addresses(
        &self,
        host: &str,
        addresses: impl IntoIterator<Item = IpAddr>,
    ) -> Result<(), Refused> {
        for address in addresses {
            if let Some(range) = self.refused_range(address) {
                let refused = Refused::address(host, address, range);
                warn!(
                    code = refused.code(),
                    host,
                    address = %address,
                    "a request on behalf of a tenant is refused: {}",
                    refused.detail()
                );
                return Err(refused);
            }
        }
        Ok(())
    }

    fn refused_range(&self, address: IpAddr) -> Option<&'static Range> {
        let range = ranges::range_of(address)?;
        let allowed = self.allow.iter().any(|net| net.contains(&address));
        (!allowed).then_some(range)
    }
}

fn short(url: &[u8]) -> Result<(), Fault> {
    if url.len() > LONGEST_URL {
        return Err(Fault::TooLong {
            limit_bytes: LONGEST_URL,
        });
    }
    Ok(())
}

/// The address that stands in a URL itself, whose parser has made all spellings of it one. What can be read as an address
/// here is what the connection takes for one without asking a resolver.
fn literal(url: &Url) -> Option<IpAddr> {
    let host = url.host_str()?;
    host.strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host)
        .parse()
        .ok()
}

/// Whether the connection's own parser finds the same host and port. The two are written by different people, and what they
/// disagreed about would be checked in one way and dialled in the other.
fn reads_alike(url: &Url) -> bool {
    url.as_str().parse::<Uri>().is_ok_and(|uri| {
        uri.scheme_str() == Some(url.scheme())
            && uri.host() == url.host_str()
            && uri.port_u16() == url.port()
    })
}

/// Faults are everyday and no attack: somebody mistyped.
fn told(fault: Fault) -> Refused {
    let refused = Refused::url(fault);
    debug!(
        code = refused.code(),
        "a request on behalf of a tenant is refused: {}",
        refused.detail()
    );
    refused
}
