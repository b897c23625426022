//! A broker's or store's URL. Its scheme chooses the adapter.

use std::path::{Path, PathBuf};

/// What a URL is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Carries events and results.
    Broker,
    /// Keeps what workers agree on.
    Store,
}

impl Role {
    /// Its configuration key.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Broker => "broker",
            Self::Store => "store",
        }
    }
}

/// An adapter and what it needs. Without `Debug`: URLs may hold passwords.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Backend {
    /// A file on this machine.
    Sqlite {
        /// The file.
        file: PathBuf,
    },
    /// RabbitMQ.
    RabbitMq {
        /// Its hosts, to be tried in turn.
        urls: Vec<String>,
    },
    /// Redis, alone, as a cluster, or watched by sentinels.
    Redis {
        /// Where.
        url: String,
    },
}

/// Why a URL is none of ours. It never quotes more than the scheme: what follows may be a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BackendError {
    /// There is no scheme.
    #[error("it has no scheme")]
    NoScheme,
    /// Several URLs, not all of one kind.
    #[error("of several URLs separated by commas, each must begin with amqp:// or amqps://")]
    Mixed,
    /// Any other scheme.
    #[error("no {role} is known by the scheme `{scheme}:`")]
    Unknown {
        /// The scheme.
        scheme: String,
        /// What it was given for.
        role: &'static str,
    },
}

/// What to write instead.
pub(crate) const SUPPORTED: &str = "as a broker, write sqlite:PATH or amqp://HOST (amqps:); as a store, sqlite:PATH, \
                                    redis://HOST, redis+cluster://HOST,HOST or redis+sentinel://HOST,HOST/MASTER (rediss: …); `sqlite:` alone is foreshow.db in the data folder";

impl Backend {
    /// The adapter that a URL names. A relative path is relative to the working folder.
    ///
    /// # Errors
    /// [`BackendError`].
    pub(crate) fn parse(url: &str, role: Role, data_dir: &Path) -> Result<Self, BackendError> {
        let scheme_of = |url: &str| -> Result<String, BackendError> {
            let (scheme, _) = url.split_once(':').ok_or(BackendError::NoScheme)?;
            Ok(scheme.trim().to_ascii_lowercase())
        };
        let scheme = scheme_of(url)?;
        match (scheme.as_str(), role) {
            ("sqlite", Role::Broker | Role::Store) => {
                let path = url.trim_start()["sqlite:".len()..].trim_end();
                let path = path.strip_prefix("//").unwrap_or(path);
                let file = if path.is_empty() {
                    data_dir.join("foreshow.db")
                } else {
                    PathBuf::from(path)
                };
                Ok(Self::Sqlite { file })
            }
            ("amqp" | "amqps", Role::Broker) => {
                let urls: Vec<_> = split(url).into_iter().map(str::to_owned).collect();
                let is_amqp =
                    |url: &String| matches!(scheme_of(url).as_deref(), Ok("amqp" | "amqps"));
                if urls.iter().all(is_amqp) {
                    Ok(Self::RabbitMq { urls })
                } else {
                    Err(BackendError::Mixed)
                }
            }
            (
                "redis" | "rediss" | "redis+cluster" | "rediss+cluster" | "redis+sentinel"
                | "rediss+sentinel",
                Role::Store,
            ) => Ok(Self::Redis {
                url: url.trim().to_owned(),
            }),
            _ => Err(BackendError::Unknown {
                scheme,
                role: role.key(),
            }),
        }
    }
}

/// A URL, or several, without their passwords.
pub(crate) fn redacted(urls: &str) -> String {
    let one = |url: &str| {
        let Some((scheme, rest)) = url.split_once("://") else {
            return url.to_owned();
        };
        // A password may hold anything but an `@` that is not escaped; the last one ends it.
        match rest.rsplit_once('@') {
            Some((user, host)) => {
                let user = user.split(':').next().unwrap_or_default();
                format!("{scheme}://{user}:[redacted]@{host}")
            }
            None => url.to_owned(),
        }
    };
    let shown: Vec<_> = split(urls).into_iter().map(one).collect();
    shown.join(",")
}

/// URLs that are separated by commas. The hosts of a cluster, behind one scheme, stay together.
fn split(urls: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = urls;
    while let Some(at) = next_url(rest) {
        found.push(rest[..at].trim());
        rest = &rest[at + 1..];
    }
    found.push(rest.trim());
    found
}

/// Where the comma is that another URL with a scheme follows.
fn next_url(urls: &str) -> Option<usize> {
    urls.match_indices(',').map(|(at, _)| at).find(|at| {
        let rest = &urls[at + 1..];
        let is_scheme = |scheme: &str| {
            !scheme.trim().is_empty()
                && scheme
                    .trim()
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'+')
        };
        rest.split_once("://")
            .is_some_and(|(scheme, _)| is_scheme(scheme))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Backend, BackendError> {
        Backend::parse(url, Role::Broker, Path::new("data"))
    }

    #[test]
    fn a_file_is_named_in_the_usual_ways() {
        for (url, path) in [
            ("sqlite:", "data/foreshow.db"),
            ("sqlite://", "data/foreshow.db"),
            ("sqlite:jobs.db", "jobs.db"),
            ("sqlite://jobs.db", "jobs.db"),
            ("SQLite:///var/lib/jobs.db", "/var/lib/jobs.db"),
            ("sqlite:/var/lib/jobs.db", "/var/lib/jobs.db"),
        ] {
            let Ok(Backend::Sqlite { file }) = parse(url) else {
                panic!("{url}")
            };
            assert_eq!(file, Path::new(path), "{url}");
        }
    }

    #[test]
    fn several_brokers_are_tried_in_turn() {
        let Ok(Backend::RabbitMq { urls }) = parse("amqp://a, amqps://b:5671/v") else {
            panic!()
        };
        assert_eq!(urls, ["amqp://a", "amqps://b:5671/v"]);
        assert!(matches!(
            parse("amqp://a,http://b"),
            Err(BackendError::Mixed)
        ));
    }

    #[test]
    fn a_scheme_means_something_for_its_role_alone() {
        let told = |url: &str, role| {
            let Err(error) = Backend::parse(url, role, Path::new("data")) else {
                panic!("{url}")
            };
            error.to_string()
        };
        assert_eq!(
            told("redis://user:s3cret@x", Role::Broker),
            "no broker is known by the scheme `redis:`"
        );
        assert_eq!(
            told("amqp://user:s3cret@x", Role::Store),
            "no store is known by the scheme `amqp:`"
        );
        assert_eq!(
            told("jobs.db", Role::Store),
            BackendError::NoScheme.to_string()
        );
    }

    #[test]
    fn passwords_are_never_shown() {
        for (url, shown) in [
            ("sqlite:", "sqlite:"),
            ("amqp://host:5672/v", "amqp://host:5672/v"),
            (
                "amqp://me:s3c,ret@a/v,amqps://me:p@ss@b",
                "amqp://me:[redacted]@a/v,amqps://me:[redacted]@b",
            ),
            ("redis://:s3cret@host", "redis://:[redacted]@host"),
            (
                "redis+cluster://me:s3cret@a:1,b:2",
                "redis+cluster://me:[redacted]@a:1,b:2",
            ),
        ] {
            assert_eq!(redacted(url), shown);
        }
    }
}
