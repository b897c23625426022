//! The keys, as Rust types with their defaults.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use foreshow_contract::Secret;
use foreshow_engine::{
    BuildOptions, EngineOptions, LeaseOptions, ProbeOptions, RetentionOptions, RetryOptions,
    TenantLimits, WaitOptions, WorkerOptions,
};
use foreshow_providers::local::LocalSettings;
use foreshow_store::embedded::KEEP_OUTCOMES;
use serde::{Deserialize, Serialize};

use super::{ListenAddr, LogFilter};

/// Everything that can be configured. The engine's sections stand at the top level. Without `Debug`: a URL may hold
/// a password.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// What carries events and results: `sqlite:PATH`, or `sqlite:` for `foreshow.db` in the data folder.
    pub(crate) broker: String,
    /// What workers agree on: `sqlite:PATH`, or `sqlite:` for `foreshow.db` in the data folder.
    pub(crate) store: String,
    /// The folder that `up` and its neighbours share. Default `.foreshow`, in the working folder.
    pub(crate) data_dir: PathBuf,
    /// Where `up` serves previews. Default 127.0.0.1:8080; port 0 picks a free one.
    pub(crate) listen: ListenAddr,
    /// Keys host labels and digests: 64 hexadecimal digits. Default: made at the first start and kept in the data folder.
    /// Another key gives every preview another address.
    pub(crate) installation_key: Option<Secret>,
    /// Concurrency and shutdown.
    pub(crate) worker: WorkerOptions,
    /// Leases on contexts.
    pub(crate) lease: LeaseOptions,
    /// Waiting for another's lease.
    pub(crate) wait: WaitOptions,
    /// Attempts.
    pub(crate) retry: RetryOptions,
    /// Watching builds.
    pub(crate) build: BuildOptions,
    /// Checking that a preview answers.
    pub(crate) probe: ProbeOptions,
    /// How long previews live.
    pub(crate) retention: RetentionOptions,
    /// Limits of each tenant.
    pub(crate) limits: TenantLimits,
    /// Limits of each context's files.
    pub(crate) bundle: foreshow_bundle::Limits,
    /// The provider that serves previews from the data folder.
    pub(crate) local: LocalSettings,
    /// The embedded broker and store.
    pub(crate) sqlite: SqliteOptions,
    /// What is logged.
    pub(crate) log: LogOptions,
}

/// The embedded broker and store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SqliteOptions {
    /// How long a write waits for another process, in milliseconds. Default 10,000. Too short fails under load.
    pub(crate) busy_timeout_ms: u64,
    /// Connections for reading. Default 4.
    pub(crate) readers: NonZeroUsize,
    /// How often commits of other processes are looked for, in milliseconds. Default 50.
    pub(crate) poll_every_ms: u64,
    /// How long the ends of events are remembered, in seconds. Default 2,592,000 (30 days). It must outlast the
    /// oldest event that may still be tried, or a late copy could end a second time.
    pub(crate) outcomes_kept_seconds: u64,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            busy_timeout_ms: 10_000,
            readers: NonZeroUsize::new(4).unwrap_or(NonZeroUsize::MIN),
            poll_every_ms: 50,
            outcomes_kept_seconds: KEEP_OUTCOMES.as_secs(),
        }
    }
}

impl SqliteOptions {
    /// As the database takes them.
    pub(crate) fn database(&self) -> foreshow_sqlite::Options {
        foreshow_sqlite::Options {
            busy_timeout: Duration::from_millis(self.busy_timeout_ms),
            readers: self.readers,
            poll_every: Duration::from_millis(self.poll_every_ms),
            ..foreshow_sqlite::Options::default()
        }
    }

    /// How long ends are remembered.
    pub(crate) fn outcomes_kept(&self) -> Duration {
        Duration::from_secs(self.outcomes_kept_seconds)
    }
}

/// What is logged, on standard error.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LogOptions {
    /// Directives such as `foreshow=debug,warn`. `RUST_LOG` and `-v` come first. Default: `info` of Foreshow's own for
    /// `up`, warnings for everything else.
    pub(crate) filter: Option<LogFilter>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            broker: "sqlite:".to_owned(),
            store: "sqlite:".to_owned(),
            data_dir: PathBuf::from(".foreshow"),
            listen: ListenAddr::default(),
            installation_key: None,
            worker: WorkerOptions::default(),
            lease: LeaseOptions::default(),
            wait: WaitOptions::default(),
            retry: RetryOptions::default(),
            build: BuildOptions::default(),
            probe: ProbeOptions::default(),
            retention: RetentionOptions::default(),
            limits: TenantLimits::default(),
            bundle: foreshow_bundle::Limits::default(),
            local: LocalSettings::default(),
            sqlite: SqliteOptions::default(),
            log: LogOptions::default(),
        }
    }
}

impl Config {
    /// The engine's part.
    pub(crate) fn engine(&self) -> EngineOptions {
        EngineOptions {
            worker: self.worker.clone(),
            lease: self.lease.clone(),
            wait: self.wait.clone(),
            retry: self.retry.clone(),
            build: self.build.clone(),
            probe: self.probe.clone(),
            retention: self.retention.clone(),
            limits: self.limits.clone(),
            bundle: self.bundle.clone(),
        }
    }
}
