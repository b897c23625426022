//! Addresses of RabbitMQ, as people write them.

use std::{fmt, str::FromStr};

use lapin::uri::{AMQPScheme, AMQPUri};

/// `amqp://user:password@host:port/vhost`, or `amqps://`. Prints without user and password.
#[derive(Clone, PartialEq, Eq)]
pub struct AmqpUrl(AMQPUri);

/// Not an address of RabbitMQ. Never quotes the address, which may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmqpUrlError {
    /// It doesn't parse.
    #[error(
        "not an AMQP address: expected amqp://user:password@host:port/vhost or amqps://…, with special characters of \
         the password percent-encoded"
    )]
    Malformed,
    /// Only addresses may be listed, separated by commas.
    #[error("no address is given: expected amqp://user:password@host:port/vhost")]
    Empty,
}

impl AmqpUrl {
    /// Several addresses of one cluster, separated by commas.
    ///
    /// # Errors
    /// The first address's [`AmqpUrlError`].
    pub fn parse_list(text: &str) -> Result<Vec<Self>, AmqpUrlError> {
        let urls: Vec<Self> = text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        if urls.is_empty() {
            return Err(AmqpUrlError::Empty);
        }
        Ok(urls)
    }

    /// Whether it is to be reached by TLS.
    pub fn is_secure(&self) -> bool {
        self.0.scheme == AMQPScheme::AMQPS
    }

    /// Host and port.
    pub fn address(&self) -> String {
        let host = &self.0.authority.host;
        let port = self.0.authority.port;
        if host.contains(':') {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
        }
    }

    pub(super) fn uri(&self) -> &AMQPUri {
        &self.0
    }
}

impl FromStr for AmqpUrl {
    type Err = AmqpUrlError;

    fn from_str(text: &str) -> Result<Self, AmqpUrlError> {
        let mut uri: AMQPUri = text.parse().map_err(|_| AmqpUrlError::Malformed)?;
        // What parses the rest leaves a literal IPv6 address out, and would dial localhost instead.
        if let Some(host) = ipv6_host(text) {
            host.clone_into(&mut uri.authority.host);
        }
        // By the letter, a lone slash at the end names the vhost "". Nobody has one, and nobody means it.
        if uri.vhost.is_empty() {
            "/".clone_into(&mut uri.vhost);
        }
        Ok(Self(uri))
    }
}

/// What stands between brackets where the host is.
fn ipv6_host(text: &str) -> Option<&str> {
    let authority = text.split_once("://")?.1.split(['/', '?']).next()?;
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    host.strip_prefix('[')?
        .split_once(']')
        .map(|(address, _)| address)
}

impl fmt::Display for AmqpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_secure() { "amqps" } else { "amqp" };
        write!(f, "{scheme}://{}/", self.address())?;
        if self.0.vhost != "/" {
            write!(f, "{}", self.0.vhost)?;
        }
        Ok(())
    }
}

impl fmt::Debug for AmqpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        let url: AmqpUrl = "amqp://me:s3cr%2Ft@rabbit.example:5673/previews"
            .parse()
            .unwrap();
        assert_eq!(url.to_string(), "amqp://rabbit.example:5673/previews");
        assert_eq!(format!("{url:?}"), url.to_string());
        assert_eq!(url.uri().authority.userinfo.password, "s3cr/t");
        let error = "amqp:s3cret".parse::<AmqpUrl>().unwrap_err();
        assert!(!error.to_string().contains("s3cret"));
    }

    #[test]
    fn what_is_left_out_is_the_usual() {
        for text in [
            "amqp://localhost",
            "amqp://localhost/",
            "amqp://localhost/%2f",
        ] {
            let url: AmqpUrl = text.parse().unwrap();
            assert_eq!(
                (url.address().as_str(), url.uri().vhost.as_str()),
                ("localhost:5672", "/")
            );
        }
        let secure: AmqpUrl = "amqps://h".parse().unwrap();
        assert!(secure.is_secure());
        assert_eq!(secure.address(), "h:5671");
    }

    #[test]
    fn an_ipv6_address_is_dialled_and_not_localhost() {
        let url: AmqpUrl = "amqp://u:p@[::1]:5673/v".parse().unwrap();
        assert_eq!(url.uri().authority.host, "::1");
        assert_eq!(url.to_string(), "amqp://[::1]:5673/v");
    }

    #[test]
    fn several_are_separated_by_commas() {
        let urls = AmqpUrl::parse_list("amqp://a, amqps://b:1/v,").unwrap();
        assert_eq!(
            urls.iter().map(AmqpUrl::address).collect::<Vec<_>>(),
            ["a:5672", "b:1"]
        );
        assert_eq!(AmqpUrl::parse_list(" , "), Err(AmqpUrlError::Empty));
        assert_eq!(
            AmqpUrl::parse_list("amqp://a,http://b"),
            Err(AmqpUrlError::Malformed)
        );
    }
}
