//! How to reach RabbitMQ, and how to behave there.

use std::{num::NonZeroU8, path::PathBuf, time::Duration};

use super::{AmqpUrl, octave::MAX_OCTAVES};

/// Everything about one installation's place at a broker.
#[derive(Clone, Debug)]
pub struct RabbitMqOptions {
    /// The addresses of one cluster, tried in turn. At least one.
    pub urls: Vec<AmqpUrl>,
    /// For `amqps://`: certificates (PEM) that are trusted beside the public ones. Default: none.
    pub ca_file: Option<PathBuf>,
    /// What the names of exchanges and queues begin with: letters, digits, `_` and `-`, at most 64. Default `foreshow`.
    /// Installations that share a vhost need one each, and permissions to match.
    pub prefix: String,
    /// What the connections and consumers are called in RabbitMQ's own lists, at most 100 bytes. Default `foreshow`.
    pub name: String,
    /// How often each side says that it is alive. A connection that is silent for twice as long is given up. Below 5 s
    /// a busy machine loses connections that are sound; above 60 s a dead one holds deliveries for minutes. Default 10 s.
    pub heartbeat: Duration,
    /// How long one address may take until the connection is open. Default 5 s.
    pub connect_timeout: Duration,
    /// How long a publish may take until it is confirmed. Too short, and messages that a busy broker took are sent twice.
    /// Default 10 s.
    pub publish_timeout: Duration,
    /// How many channels publish at once. One waits for a disk's sync each; more than 64 gain nothing. Default 16.
    pub publish_channels: u16,
    /// How results travel. Default: binary.
    pub results: ResultsMode,
    /// How many delay queues there are: 1 s, 2 s, 4 s and so on. A delay beyond the longest takes several hops. At most,
    /// and by default, 17: up to 65,536 s.
    pub octaves: NonZeroU8,
}

/// How results travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResultsMode {
    /// CloudEvents' binary mode: attributes as headers `ce-…`, the data as the body.
    #[default]
    Binary,
    /// CloudEvents' structured mode: one JSON document.
    Structured,
}

/// Options that cannot be worked with.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    /// No address.
    #[error("`urls` is empty: name at least one address, amqp://user:password@host:port/vhost")]
    NoUrl,
    /// A prefix that makes no good names.
    #[error("`prefix` is {0:?}: use 1 to 64 letters, digits, `_` or `-`")]
    Prefix(String),
    /// A name that is too long.
    #[error("`name` has {0} bytes: use at most 100")]
    Name(usize),
    /// Out of its range.
    #[error("`{key}` is {value:?}: use {range}")]
    Range {
        /// Which option.
        key: &'static str,
        /// What it is.
        value: Duration,
        /// What it may be.
        range: &'static str,
    },
    /// No channel to publish on.
    #[error("`publish_channels` is {0}: use 1 to 512")]
    PublishChannels(u16),
    /// More queues than seconds can be counted.
    #[error("`octaves` is {0}: use at most {MAX_OCTAVES}")]
    Octaves(u8),
    /// The certificates can't be read.
    #[error("the certificates in {path} can't be read")]
    CaFile {
        /// The option `ca_file`.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl RabbitMqOptions {
    /// The defaults, at these addresses.
    pub fn new(urls: Vec<AmqpUrl>) -> Self {
        Self {
            urls,
            ca_file: None,
            prefix: "foreshow".to_owned(),
            name: "foreshow".to_owned(),
            heartbeat: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(5),
            publish_timeout: Duration::from_secs(10),
            publish_channels: 16,
            results: ResultsMode::default(),
            octaves: MAX_OCTAVES,
        }
    }

    /// Whether they can be worked with.
    ///
    /// # Errors
    /// The first [`OptionsError`].
    pub fn check(&self) -> Result<(), OptionsError> {
        if self.urls.is_empty() {
            return Err(OptionsError::NoUrl);
        }
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if !(1..=64).contains(&self.prefix.len()) || !self.prefix.bytes().all(fits) {
            return Err(OptionsError::Prefix(self.prefix.clone()));
        }
        if self.name.len() > 100 {
            return Err(OptionsError::Name(self.name.len()));
        }
        let second = Duration::from_secs(1);
        let within = |key, value: Duration, least, most, range| {
            if (least..=most).contains(&value) {
                Ok(())
            } else {
                Err(OptionsError::Range { key, value, range })
            }
        };
        within(
            "heartbeat",
            self.heartbeat,
            second,
            second * 600,
            "1 s to 10 min",
        )?;
        within(
            "connect_timeout",
            self.connect_timeout,
            second / 10,
            second * 60,
            "0.1 s to 60 s",
        )?;
        within(
            "publish_timeout",
            self.publish_timeout,
            second / 10,
            second * 300,
            "0.1 s to 5 min",
        )?;
        if !(1..=512).contains(&self.publish_channels) {
            return Err(OptionsError::PublishChannels(self.publish_channels));
        }
        if self.octaves > MAX_OCTAVES {
            return Err(OptionsError::Octaves(self.octaves.get()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_worked_with_is_named() {
        let good = RabbitMqOptions::new(vec!["amqp://localhost".parse().unwrap()]);
        good.check().unwrap();
        for (bad, word) in [
            (
                RabbitMqOptions {
                    urls: Vec::new(),
                    ..good.clone()
                },
                "urls",
            ),
            (
                RabbitMqOptions {
                    prefix: "a.b".to_owned(),
                    ..good.clone()
                },
                "prefix",
            ),
            (
                RabbitMqOptions {
                    name: "x".repeat(101),
                    ..good.clone()
                },
                "name",
            ),
            (
                RabbitMqOptions {
                    heartbeat: Duration::ZERO,
                    ..good.clone()
                },
                "heartbeat",
            ),
            (
                RabbitMqOptions {
                    publish_channels: 0,
                    ..good.clone()
                },
                "publish_channels",
            ),
            (
                RabbitMqOptions {
                    octaves: NonZeroU8::MAX,
                    ..good.clone()
                },
                "octaves",
            ),
        ] {
            let error = bad.check().unwrap_err().to_string();
            assert!(error.contains(&format!("`{word}`")), "{error}");
        }
    }
}
