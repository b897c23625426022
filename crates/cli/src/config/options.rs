//! The keys, as Rust types with their defaults.

use std::collections::BTreeMap;
use std::num::{NonZeroU16, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use foreshow_contract::{Secret, TenantId};
use foreshow_egress::EgressOptions;
use foreshow_engine::{
    BuildOptions, CancelOptions, EngineOptions, LeaseOptions, ProbeOptions, RetentionOptions,
    RetryOptions, RoutingOptions, SweepOptions, TenantLimits, WaitOptions, WorkerOptions,
};
use foreshow_fetch::BundlesOptions;
use foreshow_providers::{DenoSettings, VercelSettings, local::LocalSettings};
use foreshow_store::embedded::KEEP_OUTCOMES;
use serde::{Deserialize, Serialize};

use super::{ListenAddr, LogFilter, PreviewUrl, WorkerName};

/// Everything that can be configured. The engine's sections stand at the top level. Without `Debug`: a URL may hold
/// a password.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// What carries events and results: `sqlite:PATH`, or `sqlite:` for `foreshow.db` in the data folder; or
    /// `amqp://USER:PASSWORD@HOST:PORT/VHOST` (`amqps:` with TLS), several separated by commas, tried in turn.
    pub(crate) broker: String,
    /// What workers agree on: `sqlite:PATH`, or `sqlite:` for `foreshow.db` in the data folder; or
    /// `redis://USER:PASSWORD@HOST:PORT/DB` (`rediss:` with TLS), `redis+cluster://HOST:PORT,…`.
    pub(crate) store: String,
    /// The folder that `up` and its neighbours share. Default `.foreshow`, in the working folder.
    pub(crate) data_dir: PathBuf,
    /// Where `up` serves previews. Default 127.0.0.1:8080; port 0 picks a free one.
    pub(crate) listen: ListenAddr,
    /// Where health and metrics are told: `/healthz`, `/readyz`, `/metrics`. Default: nowhere. Without a token: keep it
    /// from strangers.
    pub(crate) admin: Option<ListenAddr>,
    /// Keys host labels and digests: 64 hexadecimal digits. Default: made at the first start and kept in the data folder.
    /// Another key gives every preview another address.
    pub(crate) installation_key: Option<Secret>,
    /// Name, concurrency and shutdown of a worker.
    pub(crate) worker: WorkerSettings,
    /// Leases on contexts.
    pub(crate) lease: LeaseOptions,
    /// Waiting for another's lease.
    pub(crate) wait: WaitOptions,
    /// Attempts.
    pub(crate) retry: RetryOptions,
    /// Watching builds.
    pub(crate) build: BuildOptions,
    /// Cancelling builds that became obsolete.
    pub(crate) cancel: CancelOptions,
    /// Checking that a preview answers.
    pub(crate) probe: ProbeOptions,
    /// How long previews live.
    pub(crate) retention: RetentionOptions,
    /// Comparing what providers have with what the store knows.
    pub(crate) sweep: SweepOptions,
    /// Choosing among providers.
    pub(crate) routing: RoutingOptions,
    /// Whose domains are whose: each tenant's, as `demo.acme.dev`, or `*.acme.dev` for all names below it. Default none: a domain
    /// that its tenant is not named for here is refused, for at a provider all tenants share one account.
    pub(crate) domains: BTreeMap<TenantId, Vec<String>>,
    /// Limits of each tenant.
    pub(crate) limits: TenantLimits,
    /// Limits of each context's files.
    pub(crate) bundle: foreshow_bundle::Limits,
    /// Fetching bundles by their URLs.
    pub(crate) bundles: BundlesOptions,
    /// Where requests on behalf of tenants may go.
    pub(crate) egress: EgressOptions,
    /// The provider that serves previews from the data folder.
    pub(crate) local: LocalSettings,
    /// Vercel, where it has a token.
    pub(crate) vercel: VercelSettings,
    /// Deno Deploy, where it has a token.
    pub(crate) deno: DenoSettings,
    /// The gateway, as others reach it.
    pub(crate) gateway: GatewayOptions,
    /// The embedded broker and store.
    pub(crate) sqlite: SqliteOptions,
    /// RabbitMQ as the broker.
    pub(crate) rabbitmq: RabbitMqSettings,
    /// The broker's exchanges and queues.
    pub(crate) topology: TopologyOptions,
    /// Redis as the store.
    pub(crate) redis: RedisSettings,
    /// What is logged.
    pub(crate) log: LogOptions,
}

/// A worker. A key that is none of these is found where keys are looked up: flattened structs cannot refuse one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct WorkerSettings {
    /// How `foreshow why`, the history and the log call this worker. Default: the host's name. A hyphen and four random
    /// characters are put behind it at every start, so that two of one name, or one before and after a restart, can be
    /// told apart.
    pub(crate) name: Option<WorkerName>,
    /// What the engine is told.
    #[serde(flatten)]
    pub(crate) engine: WorkerOptions,
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

/// The gateway, as others reach it.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct GatewayOptions {
    /// Where workers and publishers reach it, e.g. `http://gateway:8080`: workers to check previews and to fetch bundles,
    /// `publish` to store one. Default: the gateway of the same data folder. Where a fleet does not share that folder, it
    /// must be set.
    pub(crate) url: Option<String>,
    /// Where people reach previews: `http://localhost:8080` puts them at `http://LABEL.localhost:8080/`, and
    /// `https://previews.example.com` at `https://LABEL.previews.example.com/` (a wildcard record, and TLS in front).
    /// Default: `localhost`, with the port that the gateway listens on.
    pub(crate) public_url: Option<PreviewUrl>,
    /// Who may use the gateway's API from another machine, as `Authorization: Bearer`. Default: nobody.
    pub(crate) token: Option<Secret>,
    /// The largest bundle that is taken, in bytes. Default 536,870,912 (512 MiB).
    pub(crate) bundle_max_bytes: Option<u64>,
}

/// RabbitMQ as the broker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RabbitMqSettings {
    /// How every exchange and queue begins. Default `foreshow`. Two installations can share a virtual host by it.
    pub(crate) prefix: String,
    /// A file with certificates (PEM) that `amqps:` trusts beside the public ones.
    pub(crate) ca_file: Option<PathBuf>,
    /// How long connecting to one host may take, in milliseconds. Default 5,000.
    pub(crate) connect_timeout_ms: u64,
    /// How often each side says that it is alive, in seconds. Default 10. A connection that is silent for twice as long is
    /// given up. Below 5, a busy host loses connections that are sound.
    pub(crate) heartbeat_seconds: u16,
    /// How long the broker may take to confirm, in milliseconds. Default 10,000. Then it is not known whether the message
    /// is there, and it is sent again.
    pub(crate) publish_timeout_ms: u64,
    /// Channels that publish side by side. Default 16.
    pub(crate) publish_channels: NonZeroU16,
    /// How results are written: `binary` (attributes as `ce-` headers, the data as the body) or `structured` (one JSON document).
    /// Default `binary`. Both are CloudEvents.
    pub(crate) results: ResultMode,
}

/// How results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ResultMode {
    /// Attributes as headers.
    Binary,
    /// One JSON document.
    Structured,
}

impl Default for RabbitMqSettings {
    fn default() -> Self {
        Self {
            prefix: "foreshow".to_owned(),
            ca_file: None,
            connect_timeout_ms: 5_000,
            heartbeat_seconds: 10,
            publish_timeout_ms: 10_000,
            publish_channels: NonZeroU16::new(16).unwrap_or(NonZeroU16::MIN),
            results: ResultMode::Binary,
        }
    }
}

/// The broker's exchanges and queues.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TopologyOptions {
    /// Whether a worker declares what is missing when it starts. Default true. Where its user may not, set it to false and
    /// run `foreshow topology apply` as one who may.
    pub(crate) declare: bool,
}

impl Default for TopologyOptions {
    fn default() -> Self {
        Self { declare: true }
    }
}

/// Redis as the store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RedisSettings {
    /// How every key begins. Default `foreshow`. Two installations can share a server by it.
    pub(crate) namespace: String,
    /// A file with the certificates (PEM) that `rediss:` trusts instead of the public ones.
    pub(crate) ca_file: Option<PathBuf>,
    /// How long connecting may take, in milliseconds. Default 2,000.
    pub(crate) connect_timeout_ms: u64,
    /// How long an answer may take, in milliseconds. Default 2,000. It must not be above `lease.renew_every_ms`: a lease
    /// could be lost while its renewal is waited for.
    pub(crate) response_timeout_ms: u64,
    /// How long the ends of events are remembered, in seconds. Default 2,592,000 (30 days). It must outlast the
    /// oldest event that may still be tried, or a late copy could end a second time.
    pub(crate) outcomes_kept_seconds: u64,
}

impl Default for RedisSettings {
    fn default() -> Self {
        Self {
            namespace: "foreshow".to_owned(),
            ca_file: None,
            connect_timeout_ms: 2_000,
            response_timeout_ms: 2_000,
            outcomes_kept_seconds: KEEP_OUTCOMES.as_secs(),
        }
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
            admin: None,
            installation_key: None,
            worker: WorkerSettings::default(),
            lease: LeaseOptions::default(),
            wait: WaitOptions::default(),
            retry: RetryOptions::default(),
            build: BuildOptions::default(),
            cancel: CancelOptions::default(),
            probe: ProbeOptions::default(),
            retention: RetentionOptions::default(),
            sweep: SweepOptions::default(),
            routing: RoutingOptions::default(),
            domains: BTreeMap::new(),
            limits: TenantLimits::default(),
            bundle: foreshow_bundle::Limits::default(),
            bundles: BundlesOptions::default(),
            egress: EgressOptions::default(),
            local: LocalSettings::default(),
            vercel: VercelSettings::default(),
            deno: DenoSettings::default(),
            gateway: GatewayOptions::default(),
            sqlite: SqliteOptions::default(),
            rabbitmq: RabbitMqSettings::default(),
            topology: TopologyOptions::default(),
            redis: RedisSettings::default(),
            log: LogOptions::default(),
        }
    }
}

impl Config {
    /// The engine's part.
    pub(crate) fn engine(&self) -> EngineOptions {
        EngineOptions {
            worker: self.worker.engine.clone(),
            lease: self.lease.clone(),
            wait: self.wait.clone(),
            retry: self.retry.clone(),
            build: self.build.clone(),
            cancel: self.cancel.clone(),
            probe: self.probe.clone(),
            retention: self.retention.clone(),
            sweep: self.sweep.clone(),
            routing: self.routing.clone(),
            domains: self.domains.clone(),
            limits: self.limits.clone(),
            bundle: self.bundle.clone(),
        }
    }
}
