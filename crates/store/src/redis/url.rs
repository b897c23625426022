//! Where a Redis is: the URL, parsed once, with errors that never repeat a password.

use std::fmt;

/// A URL of a Redis, a Redis Cluster, or a Redis behind Sentinels.
///
/// | scheme | meaning |
/// | --- | --- |
/// | `redis://[user:password@]host[:6379][/database]` | one server |
/// | `redis+cluster://[user:password@]host[:6379],host…` | a Redis Cluster; the hosts are where to begin |
/// | `redis+sentinel://[user:password@]host[:26379],host…/name[/database]` | the master of that name; user and password are for the Redis servers, Sentinels are asked without |
///
/// `rediss` in place of `redis` is the same over TLS. User and password are percent-encoded; the user alone may be empty.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl {
    pub(super) kind: Kind,
    pub(super) hosts: Vec<Host>,
    pub(super) tls: bool,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    pub(super) database: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Single,
    Cluster,
    Sentinel { master: String },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Host {
    pub(super) name: String,
    pub(super) port: u16,
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.contains(':') {
            write!(f, "[{}]:{}", self.name, self.port)
        } else {
            write!(f, "{}:{}", self.name, self.port)
        }
    }
}

/// Why a text is no URL of a Redis.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedisUrlError {
    /// Another scheme, or none.
    #[error(
        "the store's URL begins with {found:?}; known are redis://, redis+cluster://, redis+sentinel:// and the same with \
         rediss for TLS"
    )]
    Scheme {
        /// What stands before `://`.
        found: String,
    },
    /// Before the `@`.
    #[error(
        "the user or password in the store's URL is not percent-encoded UTF-8: write %40 for @, %3A for :, %2F for / and %25 for %"
    )]
    Credentials,
    /// A host is missing, or is none.
    #[error(
        "the store's URL has a host that is none: {host:?}; write host, host:port or [IPv6]:port"
    )]
    Host {
        /// What stands there.
        host: String,
    },
    /// One server has one host.
    #[error(
        "the store's URL names several hosts; for a cluster write redis+cluster://, for Sentinels redis+sentinel://"
    )]
    SeveralHosts,
    /// Behind the hosts.
    #[error("the store's URL ends with {path:?}; {expected}")]
    Path {
        /// What stands there.
        path: String,
        /// What may stand there.
        expected: &'static str,
    },
}

impl RedisUrl {
    /// Whether a URL is one for this adapter, by its scheme.
    pub fn is_scheme(scheme: &str) -> bool {
        kind_of(scheme).is_some()
    }

    /// Parses a URL.
    ///
    /// # Errors
    /// [`RedisUrlError`], which repeats no part of it that may hold a password.
    pub fn parse(url: &str) -> Result<Self, RedisUrlError> {
        let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
        let Some((tls, which)) = kind_of(scheme) else {
            return Err(RedisUrlError::Scheme {
                found: scheme.to_owned(),
            });
        };
        // A password may hold a slash that was not encoded; the last @ ends it.
        let (credentials, rest) = match rest.rsplit_once('@') {
            Some((credentials, rest)) => (Some(credentials), rest),
            None => (None, rest),
        };
        let (user, password) = credentials.map_or(Ok((None, None)), split_credentials)?;
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        let port = match which {
            Which::Single | Which::Cluster => 6_379,
            Which::Sentinel => 26_379,
        };
        let hosts: Vec<Host> = hosts
            .split(',')
            .map(|host| parse_host(host, port))
            .collect::<Result<_, _>>()?;
        let (kind, database) = match which {
            Which::Single if hosts.len() > 1 => return Err(RedisUrlError::SeveralHosts),
            Which::Single => (Kind::Single, parse_database(path)?),
            Which::Cluster if path.is_empty() => (Kind::Cluster, 0),
            Which::Cluster => {
                return Err(RedisUrlError::Path {
                    path: path.to_owned(),
                    expected: "a cluster has one database, so nothing follows its hosts",
                });
            }
            Which::Sentinel => {
                let (master, database) = path.split_once('/').unwrap_or((path, ""));
                if master.is_empty() {
                    return Err(RedisUrlError::Path {
                        path: path.to_owned(),
                        expected: "behind the Sentinels comes the name of the master that they watch, such as /mymaster",
                    });
                }
                let master = master.to_owned();
                (Kind::Sentinel { master }, parse_database(database)?)
            }
        };
        Ok(Self {
            kind,
            hosts,
            tls,
            user,
            password,
            database,
        })
    }

    /// Its hosts, for messages.
    pub(super) fn server(&self) -> String {
        let hosts: Vec<_> = self.hosts.iter().map(Host::to_string).collect();
        hosts.join(",")
    }
}

/// Without user and password.
impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "rediss" } else { "redis" };
        let hosts = self.server();
        match &self.kind {
            Kind::Single => write!(f, "{scheme}://{hosts}/{}", self.database),
            Kind::Cluster => write!(f, "{scheme}+cluster://{hosts}"),
            Kind::Sentinel { master } => {
                write!(f, "{scheme}+sentinel://{hosts}/{master}/{}", self.database)
            }
        }
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[derive(Clone, Copy)]
enum Which {
    Single,
    Cluster,
    Sentinel,
}

fn kind_of(scheme: &str) -> Option<(bool, Which)> {
    let (base, which) = match scheme.split_once('+') {
        None => (scheme, Which::Single),
        Some((base, "cluster")) => (base, Which::Cluster),
        Some((base, "sentinel")) => (base, Which::Sentinel),
        Some(_) => return None,
    };
    match base {
        "redis" => Some((false, which)),
        "rediss" => Some((true, which)),
        _ => None,
    }
}

type Credentials = (Option<String>, Option<String>);

fn split_credentials(credentials: &str) -> Result<Credentials, RedisUrlError> {
    let (user, password) = credentials
        .split_once(':')
        .map_or((credentials, None), |(user, password)| {
            (user, Some(password))
        });
    let user = percent_decode(user)?;
    let password = password.map(percent_decode).transpose()?;
    Ok((Some(user).filter(|user| !user.is_empty()), password))
}

fn percent_decode(text: &str) -> Result<String, RedisUrlError> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'%' {
            let digits = rest.get(..2).and_then(|two| std::str::from_utf8(two).ok());
            let digits = digits.filter(|two| two.bytes().all(|digit| digit.is_ascii_hexdigit()));
            let value = digits.and_then(|two| u8::from_str_radix(two, 16).ok());
            decoded.push(value.ok_or(RedisUrlError::Credentials)?);
            rest = &rest[2..];
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded).map_err(|_| RedisUrlError::Credentials)
}

fn parse_host(text: &str, default_port: u16) -> Result<Host, RedisUrlError> {
    // Without what follows a colon: where the host was forgotten, that is the password.
    let wrong = || RedisUrlError::Host {
        host: match text.split_once(':') {
            Some((name, _)) if !text.starts_with('[') => format!("{name}:…"),
            _ => text.to_owned(),
        },
    };
    let (name, port) = if let Some(rest) = text.strip_prefix('[') {
        let (name, rest) = rest.split_once(']').ok_or_else(wrong)?;
        let address: std::net::Ipv6Addr = name.parse().map_err(|_| wrong())?;
        (
            address.to_string(),
            rest.strip_prefix(':').or(rest.is_empty().then_some("")),
        )
    } else {
        let (name, port) = text
            .split_once(':')
            .map_or((text, ""), |(name, port)| (name, port));
        (name.to_owned(), Some(port))
    };
    let port = match port.ok_or_else(wrong)? {
        "" => default_port,
        port => port
            .parse()
            .ok()
            .filter(|port| *port > 0)
            .ok_or_else(wrong)?,
    };
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':');
    if name.is_empty() || !name.bytes().all(fits) {
        return Err(wrong());
    }
    Ok(Host { name, port })
}

fn parse_database(text: &str) -> Result<i64, RedisUrlError> {
    if text.is_empty() {
        return Ok(0);
    }
    let number = text.parse::<u16>().ok().map(i64::from);
    number.ok_or_else(|| RedisUrlError::Path {
        path: text.to_owned(),
        expected: "behind the host comes the number of a database, such as /0, or nothing",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scheme_is_read() {
        for (url, shown) in [
            ("redis://h", "redis://h:6379/0"),
            ("redis://h/", "redis://h:6379/0"),
            ("rediss://10.0.0.1:7000/3", "rediss://10.0.0.1:7000/3"),
            ("redis://[::1]:7000", "redis://[::1]:7000/0"),
            ("redis://[::1]", "redis://[::1]:6379/0"),
            (
                "redis+cluster://a,b:7001,c",
                "redis+cluster://a:6379,b:7001,c:6379",
            ),
            ("rediss+cluster://u:p@a", "rediss+cluster://a:6379"),
            (
                "redis+sentinel://a,b:7/mymaster",
                "redis+sentinel://a:26379,b:7/mymaster/0",
            ),
            ("rediss+sentinel://a/m/2", "rediss+sentinel://a:26379/m/2"),
        ] {
            assert_eq!(RedisUrl::parse(url).unwrap().to_string(), shown, "{url}");
        }
    }

    #[test]
    fn user_and_password_are_decoded_and_never_shown() {
        let read = |url| {
            let url = RedisUrl::parse(url).unwrap();
            assert!(!format!("{url} {url:?}").contains("secret"));
            (url.user, url.password)
        };
        let word = |word: &str| Some(word.to_owned());
        assert_eq!(read("redis://me:secret@h"), (word("me"), word("secret")));
        assert_eq!(
            read("redis://:secret%40%3a%2F@h"),
            (None, word("secret@:/"))
        );
        assert_eq!(
            read("redis://me:a@secret/b:c@h:1/2"),
            (word("me"), word("a@secret/b:c"))
        );
        assert_eq!(read("redis://me@h"), (word("me"), None));
        assert_eq!(read("redis://h"), (None, None));
    }

    #[test]
    fn what_is_wrong_is_told_and_no_password_with_it() {
        for (url, told) in [
            ("secret", "begins with \"\""),
            ("http://u:secret@h", "begins with \"http\""),
            ("redis+unix://u:secret@h", "begins with \"redis+unix\""),
            ("redis://u:secret%4@h", "percent-encoded"),
            ("redis://u:secret%+4@h", "percent-encoded"),
            ("redis://u:secret%FF@h", "percent-encoded"),
            ("redis://u:secret@", "host that is none: \"\""),
            ("redis://u:secret", "host that is none: \"u:…\""),
            ("redis://u:secret@h:x", "host that is none: \"h:…\""),
            ("redis://u:secret@h:0", "host that is none: \"h:…\""),
            ("redis://u:secret@[::1", "host that is none"),
            ("redis://u:secret@[::1]x", "host that is none"),
            ("redis://u:secret@h?protocol=resp3", "host that is none"),
            ("redis://u:secret@a,b", "redis+cluster://"),
            ("redis://u:secret@h/x", "number of a database"),
            ("redis+cluster://u:secret@h/0", "one database"),
            ("redis+sentinel://u:secret@h", "name of the master"),
        ] {
            let error = RedisUrl::parse(url).unwrap_err().to_string();
            assert!(error.contains(told), "{url}: {error}");
            assert!(!error.contains("secret"), "{url}: {error}");
        }
    }
}
