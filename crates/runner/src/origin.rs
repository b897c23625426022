//! Labels, host names and URLs of previews.
//!
//! Each preview has an origin of its own, `http://<label>.localhost:<port>`. Browsers and curl resolve every name below
//! `localhost` to the loopback interface (RFC 6761, section 6.3), and browsers treat labels as different *sites*:
//! `localhost` is a public suffix to them, so no cookie reaches from one preview to another. A domain of one's own does
//! the same job behind a wildcard record, but labels below it are one site to browsers, unless it is on the public
//! suffix list: give it to previews alone.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use foreshow_contract::HostLabel;

/// Where previews are reached from outside: `http://<label>.localhost:<port>/`, or below another domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreviewOrigin {
    scheme: Scheme,
    /// What stands behind the labels.
    suffix: Arc<str>,
    port: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
}

/// The text names no origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "it is no http:// or https:// followed by a domain, and a port where it is not the usual one"
)]
pub struct PreviewOriginError;

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
            scheme: Scheme::Http,
            suffix: "localhost".into(),
            port,
        }
    }

    /// The value of the `Host` header for a label.
    pub fn host(&self, label: impl fmt::Display) -> String {
        format!("{label}.{}", self.authority())
    }

    /// The URL of a label, with a slash at the end.
    pub fn url(&self, label: impl fmt::Display) -> String {
        format!("{}://{}/", self.scheme.word(), self.host(label))
    }

    fn authority(&self) -> String {
        if self.port == self.scheme.usual_port() {
            self.suffix.to_string()
        } else {
            format!("{}:{}", self.suffix, self.port)
        }
    }

    /// What a host names. Without a port; letters in any case, and a dot at the end passes.
    pub fn addressed(&self, host: &str) -> Addressed {
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        if host == *self.suffix {
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

impl Scheme {
    fn word(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    fn usual_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// The origin without a label: `http://localhost:8080`.
impl fmt::Display for PreviewOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.word(), self.authority())
    }
}

/// Reads what [`Display`](fmt::Display) writes; a slash at the end passes.
impl FromStr for PreviewOrigin {
    type Err = PreviewOriginError;

    fn from_str(text: &str) -> Result<Self, PreviewOriginError> {
        let text = text.trim().to_ascii_lowercase();
        let (scheme, rest) = match text.split_once("://") {
            Some(("http", rest)) => (Scheme::Http, rest),
            Some(("https", rest)) => (Scheme::Https, rest),
            _ => return Err(PreviewOriginError),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        let (suffix, port) = match authority.split_once(':') {
            Some((suffix, port)) => (suffix, port.parse().map_err(|_| PreviewOriginError)?),
            None => (authority, scheme.usual_port()),
        };
        let is_label = |label: &str| {
            !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        // A label of ours has up to 51 characters and a dot, and a name 253 in all.
        let is_domain = suffix.len() <= 200 && suffix.split('.').all(is_label);
        let is_address = suffix
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.');
        if !is_domain || is_address || port == 0 {
            return Err(PreviewOriginError);
        }
        Ok(Self {
            scheme,
            suffix: suffix.into(),
            port,
        })
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
    fn an_origin_is_read_as_it_is_written() {
        for (text, host) in [
            ("http://localhost:8080", "a.localhost:8080"),
            ("http://localhost", "a.localhost"),
            ("https://Previews.Example.com/", "a.previews.example.com"),
            ("https://p.example.com:8443", "a.p.example.com:8443"),
        ] {
            let origin: PreviewOrigin = text.parse().unwrap();
            assert_eq!(origin.host("a"), host);
            assert_eq!(origin.to_string().parse::<PreviewOrigin>().unwrap(), origin);
            assert_eq!(
                origin.addressed(host.split(':').next().unwrap()),
                Addressed::Preview(HostLabel::try_new("a").unwrap())
            );
        }
    }

    #[test]
    fn what_has_no_room_for_labels_is_no_origin() {
        for bad in [
            "localhost:8080",
            "ftp://localhost",
            "http://",
            "http://127.0.0.1:8080",
            "http://[::1]:8080",
            "http://user:secret@host",
            "http://host/path",
            "http://ho st",
            "http://.localhost",
            "http://localhost:99999",
            "http://localhost:0",
        ] {
            assert_eq!(
                bad.parse::<PreviewOrigin>(),
                Err(PreviewOriginError),
                "{bad}"
            );
        }
    }
}
