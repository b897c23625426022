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

    /// Schemes that mean something for this role, in a version to come.
    fn known_elsewhere(self, scheme: &str) -> bool {
        match self {
            Self::Broker => matches!(scheme, "amqp" | "amqps"),
            Self::Store => matches!(
                scheme,
                "redis" | "rediss" | "redis+cluster" | "redis+sentinel"
            ),
        }
    }
}

/// An adapter and what it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    /// A file on this machine.
    Sqlite {
        /// The file.
        file: PathBuf,
    },
}

/// Why a URL is none of ours. It never quotes more than the scheme: what follows may be a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BackendError {
    /// There is no scheme.
    #[error("it has no scheme")]
    NoScheme,
    /// A scheme of another version.
    #[error("this version has no adapter for `{scheme}:` yet")]
    NotYet {
        /// The scheme.
        scheme: String,
    },
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
pub(crate) const SUPPORTED: &str =
    "supported is sqlite: (`sqlite:PATH`, or `sqlite:` alone for foreshow.db in the data folder)";

impl Backend {
    /// The adapter that a URL names. A relative path is relative to the working folder.
    ///
    /// # Errors
    /// [`BackendError`].
    pub(crate) fn parse(url: &str, role: Role, data_dir: &Path) -> Result<Self, BackendError> {
        let (scheme, rest) = url.split_once(':').ok_or(BackendError::NoScheme)?;
        let scheme = scheme.to_ascii_lowercase();
        match scheme.as_str() {
            "sqlite" => {
                let path = rest.strip_prefix("//").unwrap_or(rest);
                let file = if path.is_empty() {
                    data_dir.join("foreshow.db")
                } else {
                    PathBuf::from(path)
                };
                Ok(Self::Sqlite { file })
            }
            _ if role.known_elsewhere(&scheme) => Err(BackendError::NotYet { scheme }),
            _ => Err(BackendError::Unknown {
                scheme,
                role: role.key(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<PathBuf, BackendError> {
        Backend::parse(url, Role::Broker, Path::new("data")).map(|Backend::Sqlite { file }| file)
    }

    #[test]
    fn a_file_is_named_in_the_usual_ways() {
        for (url, file) in [
            ("sqlite:", "data/foreshow.db"),
            ("sqlite://", "data/foreshow.db"),
            ("sqlite:jobs.db", "jobs.db"),
            ("sqlite://jobs.db", "jobs.db"),
            ("SQLite:///var/lib/jobs.db", "/var/lib/jobs.db"),
            ("sqlite:/var/lib/jobs.db", "/var/lib/jobs.db"),
        ] {
            assert_eq!(parse(url).unwrap(), Path::new(file), "{url}");
        }
    }

    #[test]
    fn an_error_names_the_scheme_and_never_a_password() {
        let error = parse("amqp://guest:s3cret@host").unwrap_err().to_string();
        assert!(
            error.contains("`amqp:`")
                && error.contains("this version")
                && !error.contains("s3cret"),
            "{error}"
        );
        assert_eq!(
            parse("redis://x").unwrap_err().to_string(),
            "no broker is known by the scheme `redis:`"
        );
        assert_eq!(parse("jobs.db").unwrap_err(), BackendError::NoScheme);
    }
}
