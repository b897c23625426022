//! Where a request goes.

use std::fmt;

use reqwest::Url;

/// A URL that was checked. Only [`Egress::check`](crate::Egress::check) and [`Egress::redirect`](crate::Egress::redirect) make
/// one. `Debug` and `Display` show scheme, host and port: a path or a query may be a signature.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    url: Url,
    host: String,
}

impl Target {
    /// `url` has a host: it is `http` or `https`.
    pub(crate) fn new(mut url: Url) -> Self {
        // Never sent, and nothing to compare by.
        url.set_fragment(None);
        let mut host = url.host_str().unwrap_or_default().to_owned();
        if let Some(port) = url.port() {
            host.push(':');
            host.push_str(&port.to_string());
        }
        Self { url, host }
    }

    /// The URL, whole: what is sent. It may hold a signature, so it is not for logs.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Host, and port where it is not the scheme's own: for logs and tenants. In ASCII, an international name as `xn--…`.
    pub fn host_shown(&self) -> &str {
        &self.host
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}/…", self.url.scheme(), self.host)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_signature_is_not_shown() {
        let target = |url: &str| Target::new(url.parse().unwrap());
        let signed =
            target("HTTPS://CDN.example:8443/T000/secret-path/a.tar.gz?sig=hunter2#fragment");
        assert_eq!(signed.to_string(), "https://cdn.example:8443/…");
        assert_eq!(format!("{signed:?}"), "Target(https://cdn.example:8443/…)");
        assert_eq!(signed.host_shown(), "cdn.example:8443");
        assert_eq!(
            signed.url().as_str(),
            "https://cdn.example:8443/T000/secret-path/a.tar.gz?sig=hunter2"
        );
        assert_eq!(
            target("https://bücher.example/").host_shown(),
            "xn--bcher-kva.example"
        );
        assert_eq!(
            target("https://[2606:4700::1]:443/").host_shown(),
            "[2606:4700::1]"
        );
    }
}
