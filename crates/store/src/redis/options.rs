use std::{path::PathBuf, time::Duration};

use super::error::RedisStoreError;
use crate::embedded::KEEP_OUTCOMES;

/// How the store uses its Redis.
#[derive(Clone, Debug)]
pub struct RedisOptions {
    /// What the names of all keys, and of the channel, begin with: letters, digits, `_`, `-` and `.`. Installations that
    /// share a Redis have one each; changed, everything that was stored is out of sight. Default `foreshow`.
    pub namespace: String,
    /// How long it is remembered how an event ended, and that a context existed of which nothing is live. Shorter than the
    /// oldest message that may still be queued somewhere, and a copy of it would be worked on again. Default 30 days.
    pub keep_outcomes: Duration,
    /// How long a connection may take. Default 2 s.
    pub connect_timeout: Duration,
    /// How long an answer may take. Too short, and what a busy Redis did is asked for again; too long, and a worker notices
    /// late that its Redis is gone: it must stay well below the life of a lease. Default 2 s.
    pub response_timeout: Duration,
    /// A file with the certificates, as PEM, by which the certificate of a `rediss://` server must be signed. Default: the
    /// system's.
    pub ca_file: Option<PathBuf>,
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self {
            namespace: "foreshow".to_owned(),
            keep_outcomes: KEEP_OUTCOMES,
            connect_timeout: Duration::from_secs(2),
            response_timeout: Duration::from_secs(2),
            ca_file: None,
        }
    }
}

impl RedisOptions {
    pub(super) fn check(&self) -> Result<(), RedisStoreError> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        if self.namespace.is_empty() || !self.namespace.bytes().all(fits) {
            return Err(RedisStoreError::Options(
                "the store's namespace has to be one or more letters, digits, _, - and .",
            ));
        }
        if self.keep_outcomes < Duration::from_secs(1) {
            return Err(RedisStoreError::Options(
                "keep_outcomes must be at least a second: an event that is delivered twice would be worked on twice",
            ));
        }
        if self.connect_timeout.is_zero() || self.response_timeout.is_zero() {
            return Err(RedisStoreError::Options(
                "connect_timeout and response_timeout must be above zero: nothing answers in no time",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_work_is_refused() {
        assert!(RedisOptions::default().check().is_ok());
        let namespace = |namespace: &str| RedisOptions {
            namespace: namespace.to_owned(),
            ..RedisOptions::default()
        };
        for bad in ["", "a b", "{a}", "a:b", "*"] {
            assert!(namespace(bad).check().is_err(), "{bad}");
        }
        let forgetful = RedisOptions {
            keep_outcomes: Duration::ZERO,
            ..RedisOptions::default()
        };
        let error = forgetful.check().unwrap_err().to_string();
        assert!(error.contains("keep_outcomes"), "{error}");
    }
}
