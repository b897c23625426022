//! Labels, host names and URLs of previews.
//!
//! Each preview has an origin of its own, `http://<label>.<suffix>:<port>`. With the suffix `localhost` browsers and
//! curl resolve every label to the loopback interface (RFC 6761, section 6.3), and browsers treat labels as different
//! *sites*: `localhost` is a public suffix to them, so no cookie reaches from one preview to another.

use std::fmt;
use std::sync::Arc;

use foreshow_contract::HostLabel;

/// Where previews are reached from outside: `http://<label>.<suffix>:<port>/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreviewOrigin {
    suffix: Arc<str>,
    port: u16,
}

/// The suffix is not a host name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{suffix:?} is not a host name to put preview labels before: use lower-case letters, digits, hyphens and dots, such as localhost"
)]
pub struct OriginError {
    suffix: String,
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
        Self {
            suffix: "localhost".into(),
            port,
        }
    }

    /// Previews below another host name, in lower case.
    ///
    /// # Errors
    /// [`OriginError`] where a part of the suffix is no DNS label.
    pub fn try_new(suffix: &str, port: u16) -> Result<Self, OriginError> {
        if suffix.len() <= 180
            && suffix
                .split('.')
                .all(|part| HostLabel::try_new(part).is_ok())
        {
            Ok(Self {
                suffix: suffix.into(),
                port,
            })
        } else {
            Err(OriginError {
                suffix: suffix.to_owned(),
            })
        }
    }

    /// What stands behind the labels.
    pub fn suffix(&self) -> &str {
        &self.suffix
    }

    /// The port that people use.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The value of the `Host` header for a label.
    pub fn host(&self, label: impl fmt::Display) -> String {
        match self.port {
            80 => format!("{label}.{}", self.suffix),
            port => format!("{label}.{}:{port}", self.suffix),
        }
    }

    /// The URL of a label, with a slash at the end.
    pub fn url(&self, label: impl fmt::Display) -> String {
        format!("http://{}/", self.host(label))
    }

    /// What a host names. Without a port; letters in any case, and a dot at the end passes.
    pub fn addressed(&self, host: &str) -> Addressed {
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        if *host == *self.suffix {
            return Addressed::Suffix;
        }
        match host
            .strip_suffix(&*self.suffix)
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

    #[test]
    fn a_suffix_is_a_host_name() {
        assert!(PreviewOrigin::try_new("previews.example.com", 80).is_ok());
        for bad in ["", "Example.com", "a..b", "a/b", "localhost:80"] {
            assert!(PreviewOrigin::try_new(bad, 80).is_err(), "{bad}");
        }
    }
}
