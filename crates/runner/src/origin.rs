//! Labels, host names and URLs of previews.
//!
//! Each preview has an origin of its own, `http://<label>.localhost:<port>`. Browsers and curl resolve every name below
//! `localhost` to the loopback interface (RFC 6761, section 6.3), and browsers treat labels as different *sites*:
//! `localhost` is a public suffix to them, so no cookie reaches from one preview to another.

use std::fmt;

use foreshow_contract::HostLabel;

/// What stands behind the labels.
const SUFFIX: &str = "localhost";

/// Where previews are reached from outside: `http://<label>.localhost:<port>/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreviewOrigin {
    port: u16,
}

/// What a request's host names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Addressed {
    /// The suffix itself.
    Suffix,
    /// A preview, by its label.
    Preview(HostLabel),
    /// Something below the suffix that can't be a label.
    NoLabel,
    /// Anything else.
    Elsewhere,
}

impl PreviewOrigin {
    /// Previews at `<label>.localhost`.
    pub fn localhost(port: u16) -> Self {
        Self { port }
    }

    /// The value of the `Host` header for a label.
    pub fn host(&self, label: impl fmt::Display) -> String {
        match self.port {
            80 => format!("{label}.{SUFFIX}"),
            port => format!("{label}.{SUFFIX}:{port}"),
        }
    }

    /// The URL of a label, with a slash at the end.
    pub fn url(&self, label: impl fmt::Display) -> String {
        format!("http://{}/", self.host(label))
    }

    /// What a host names. Without a port; letters in any case, and a dot at the end passes.
    pub fn addressed(&self, host: &str) -> Addressed {
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        if host == SUFFIX {
            return Addressed::Suffix;
        }
        match host
            .strip_suffix(SUFFIX)
            .and_then(|below| below.strip_suffix('.'))
        {
            Some(label) => HostLabel::try_new(label).map_or(Addressed::NoLabel, Addressed::Preview),
            None => Addressed::Elsewhere,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_names_its_label_in_any_case() {
        let origin = PreviewOrigin::localhost(8080);
        let label = HostLabel::try_new("demo-abc").unwrap();
        assert_eq!(
            origin.addressed("Demo-ABC.LOCALHOST"),
            Addressed::Preview(label.clone())
        );
        assert_eq!(
            origin.addressed("demo-abc.localhost."),
            Addressed::Preview(label.clone())
        );
        assert_eq!(origin.addressed("localhost"), Addressed::Suffix);
        assert_eq!(origin.addressed("a.b.localhost"), Addressed::NoLabel);
        assert_eq!(origin.addressed(".localhost"), Addressed::NoLabel);
        assert_eq!(origin.addressed("evillocalhost"), Addressed::Elsewhere);
        assert_eq!(origin.addressed("example.com"), Addressed::Elsewhere);
        assert_eq!(origin.url(&label), "http://demo-abc.localhost:8080/");
    }

    #[test]
    fn the_default_port_is_left_out() {
        assert_eq!(PreviewOrigin::localhost(80).url("a"), "http://a.localhost/");
    }
}
