//! The configuration's section `egress`.

use std::path::PathBuf;

use foreshow_tls::TlsError;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// Where requests on behalf of tenants may go: section `egress`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct EgressOptions {
    /// Ranges that are let through although they are not public, as CIDRs (`10.20.0.0/16`, `127.0.0.1/32`). None by default.
    /// A range lets exactly its own addresses through: one of IPv4 says nothing about the same addresses carried in IPv6
    /// (`::ffff:10.20.0.1`). Every tenant can reach what is listed, so list the server that is meant and not its network.
    pub allow: Vec<IpNet>,
    /// Whether plain `http` is taken beside `https`. `false` by default: what comes by `http` can be read and changed on its
    /// way. Port 80 is then let through for `http` without being listed; a redirect still never leads from `https` to `http`.
    pub http: bool,
    /// The ports that are let through: 443 by default. A list replaces the default, so 443 has to stand in it to stay. With
    /// many ports, tenants can find out what listens where on public hosts in our name.
    pub ports: Vec<u16>,
    /// Certificates to trust beside the public ones: a file in PEM, such as that of an authority of one's own. None by default.
    pub ca_file: Option<PathBuf>,
}

impl Default for EgressOptions {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            http: false,
            ports: vec![443],
            ca_file: None,
        }
    }
}

impl EgressOptions {
    /// Rules across keys.
    ///
    /// # Errors
    /// [`EgressError::Ports`] where nothing could ever be reached.
    pub fn check(&self) -> Result<(), EgressError> {
        if self.ports.contains(&0) {
            return Err(EgressError::Ports("has port 0, which no server listens on"));
        }
        if self.ports.is_empty() && !self.http {
            return Err(EgressError::Ports("is empty, so nothing could be reached"));
        }
        Ok(())
    }
}

/// No guarded client can be made.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// The ports make no sense.
    #[error("egress.ports {0}: list the ports of the servers that are meant, such as [443]")]
    Ports(&'static str),
    /// The certificates can't be read.
    #[error("egress.ca_file can't be used")]
    Tls(#[from] TlsError),
    /// The client can't be made.
    #[error("no HTTP client can be made")]
    Http(#[source] reqwest::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_default_it_is_https_on_its_own_port_and_nothing_private() {
        let options: EgressOptions = serde_json::from_str("{}").unwrap();
        assert_eq!(options, EgressOptions::default());
        assert!(options.allow.is_empty() && !options.http && options.ca_file.is_none());
        assert_eq!(options.ports, [443]);
    }

    #[test]
    fn keys_are_read_and_unknown_ones_are_refused() {
        let text = r#"{"allow":["127.0.0.1/32","fd00::/8"],"http":true,"ports":[8443],"ca_file":"ca.pem"}"#;
        let options: EgressOptions = serde_json::from_str(text).unwrap();
        assert_eq!(options.allow.len(), 2);
        assert_eq!(options.ports, [8443]);
        for bad in [
            r#"{"alow":[]}"#,
            r#"{"allow":["10.0.0.0/33"]}"#,
            r#"{"ports":[65536]}"#,
        ] {
            serde_json::from_str::<EgressOptions>(bad).unwrap_err();
        }
    }

    #[test]
    fn ports_that_reach_nothing_are_told() {
        let with = |ports: &[u16], http| EgressOptions {
            ports: ports.to_vec(),
            http,
            ..EgressOptions::default()
        };
        with(&[], false).check().unwrap_err();
        with(&[443, 0], false).check().unwrap_err();
        with(&[], true).check().unwrap();
    }
}
