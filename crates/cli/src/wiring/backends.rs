use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use foreshow_broker::embedded::EmbeddedBroker;
use foreshow_broker::rabbitmq::RabbitMqBroker;
use foreshow_bundle::BundleStore;
use foreshow_engine::{Broker, BundleVault, Clock, Store};
use foreshow_gateway::GatewayBundles;
use foreshow_sqlite::Database;
use foreshow_store::embedded::{EmbeddedBundles, EmbeddedStore};
use foreshow_store::redis::RedisStore;

use super::{WallClock, fleet};
use crate::config::{Backend, Config, Role, SUPPORTED};
use crate::data_dir::{self, DataDir};
use crate::failure::{Exit, Failure, OrFail as _};

/// Broker, store and bundles, as configured.
pub(crate) struct Backends {
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) store: Arc<dyn Store>,
    /// Where publishers keep bundles and workers find them; `None` where a client has no way to any.
    pub(crate) bundles: Option<Arc<dyn BundleVault>>,
    pub(crate) clock: Arc<dyn Clock>,
    /// What is kept in the data folder itself, and needs its owner's care.
    pub(crate) embedded_bundles: Option<EmbeddedBundles>,
    /// The adapters themselves, for what only they have.
    pub(crate) servers: Servers,
    databases: Databases,
}

/// The servers of a fleet, as far as it is one.
#[derive(Clone, Default)]
pub(crate) struct Servers {
    pub(crate) rabbitmq: Option<RabbitMqBroker>,
    pub(crate) redis: Option<RedisStore>,
}

impl Backends {
    /// Opens them, making what is missing. Servers that are away are no error here: whoever needs them waits.
    ///
    /// `dir` is the data folder; a client of a fleet may have none.
    pub(crate) async fn open(config: &Config, dir: Option<&DataDir>) -> Result<Self, Failure> {
        let clock: Arc<dyn Clock> = Arc::new(WallClock);
        let mut databases = Databases::default();

        let mut servers = Servers::default();
        let broker: Arc<dyn Broker> = match backend(config, Role::Broker)? {
            Backend::Sqlite { file } => {
                let db = databases.open(config, &file).await?;
                // Beside its file: all processes of one broker must name the same folder.
                let sessions = file.parent().unwrap_or(Path::new("")).join("sessions");
                // Whoever may read the data folder need not read what is in this one.
                data_dir::ensure_private(&sessions).or_fail(Exit::Environment)?;
                let broker = EmbeddedBroker::open(db, sessions, Arc::clone(&clock)).await;
                Arc::new(broker.or_fail(Exit::Environment)?)
            }
            Backend::RabbitMq { urls } => {
                let broker = fleet::rabbitmq(config, &urls)?;
                servers.rabbitmq = Some(broker.clone());
                Arc::new(broker)
            }
            Backend::Redis { .. } => return Err(misplaced(Role::Broker)),
        };
        let store: Arc<dyn Store> = match backend(config, Role::Store)? {
            Backend::Sqlite { file } => {
                let db = databases.open(config, &file).await?;
                let kept = config.sqlite.outcomes_kept();
                let store = EmbeddedStore::open(db, Arc::clone(&clock), kept).await;
                Arc::new(store.or_fail(Exit::Environment)?)
            }
            Backend::Redis { url } => {
                let store = fleet::redis(config, &url)?;
                servers.redis = Some(store.clone());
                Arc::new(store)
            }
            Backend::RabbitMq { .. } => return Err(misplaced(Role::Store)),
        };

        let mut embedded_bundles = None;
        let bundles: Option<Arc<dyn BundleVault>> = match (&config.gateway.url, dir) {
            (Some(url), dir) => {
                let folder = dir.map_or_else(std::env::temp_dir, DataDir::bundles);
                data_dir::ensure_private(&folder).or_fail(Exit::Environment)?;
                let bundles = GatewayBundles::try_new(url, config.gateway.token.clone(), folder);
                Some(Arc::new(bundles.or_fail(Exit::Usage)?))
            }
            (None, Some(dir)) => {
                let bundles = open_bundles(config, dir, &mut databases, &clock).await?;
                embedded_bundles = Some(bundles.clone());
                Some(Arc::new(bundles))
            }
            (None, None) => None,
        };
        Ok(Self {
            broker,
            store,
            bundles,
            clock,
            embedded_bundles,
            servers,
            databases,
        })
    }

    /// The bundles of this data folder, for the gateway that serves them to a fleet.
    pub(crate) async fn own_bundles(
        &mut self,
        config: &Config,
        dir: &DataDir,
    ) -> Result<EmbeddedBundles, Failure> {
        match &self.embedded_bundles {
            Some(bundles) => Ok(bundles.clone()),
            None => open_bundles(config, dir, &mut self.databases, &self.clock).await,
        }
    }

    /// Closes the files in order: what was queued for them is written.
    pub(crate) async fn close(self) {
        let Self {
            broker,
            store,
            bundles,
            embedded_bundles,
            servers,
            databases,
            ..
        } = self;
        drop((broker, store, bundles, embedded_bundles));
        if let Some(redis) = servers.redis {
            // What is lost of the index is made up for later.
            if let Err(error) = redis.close().await {
                tracing::debug!("{}", super::chain(&error));
            }
        }
        if let Some(rabbitmq) = servers.rabbitmq {
            rabbitmq.close().await;
        }
        for (_, database) in databases.0 {
            database.close().await;
        }
    }
}

/// The files that are open. One writer for one file: two in one process would wait for each other's locks.
#[derive(Default)]
struct Databases(Vec<(PathBuf, Database)>);

impl Databases {
    async fn open(&mut self, config: &Config, file: &Path) -> Result<Database, Failure> {
        if let Some((_, open)) = self.0.iter().find(|(open, _)| is_same_file(open, file)) {
            return Ok(open.clone());
        }
        let opened = Database::open(file, config.sqlite.database()).await;
        let database = opened
            .with_context(|| format!("cannot open {}", file.display()))
            .or_fail(Exit::Environment)?;
        self.0.push((file.to_owned(), database.clone()));
        Ok(database)
    }
}

/// The bundles in the data folder, with their table beside the store's where that is a file, else in the folder's own.
async fn open_bundles(
    config: &Config,
    dir: &DataDir,
    databases: &mut Databases,
    clock: &Arc<dyn Clock>,
) -> Result<EmbeddedBundles, Failure> {
    let file = match backend(config, Role::Store)? {
        Backend::Sqlite { file } => file,
        Backend::Redis { .. } | Backend::RabbitMq { .. } => dir.path().join("foreshow.db"),
    };
    let db = databases.open(config, &file).await?;
    let folder = dir.bundles();
    data_dir::ensure_private(&folder).or_fail(Exit::Environment)?;
    let files = tokio::task::spawn_blocking(move || BundleStore::open(folder))
        .await
        .or_fail(Exit::Environment)?
        .or_fail(Exit::Environment)?;
    EmbeddedBundles::open(db, files, Arc::clone(clock))
        .await
        .or_fail(Exit::Environment)
}

/// How long ends are remembered by the store that is configured.
pub(super) fn outcomes_kept(config: &Config) -> Result<Duration, Failure> {
    Ok(match backend(config, Role::Store)? {
        Backend::Redis { .. } => Duration::from_secs(config.redis.outcomes_kept_seconds),
        Backend::Sqlite { .. } | Backend::RabbitMq { .. } => config.sqlite.outcomes_kept(),
    })
}

/// The adapter that is configured for a role.
pub(crate) fn backend(config: &Config, role: Role) -> Result<Backend, Failure> {
    let url = match role {
        Role::Broker => &config.broker,
        Role::Store => &config.store,
    };
    Backend::parse(url, role, &config.data_dir)
        .map_err(|error| Failure::of(Exit::Usage, error).help(SUPPORTED))
}

/// Parsing admits none of these.
fn misplaced(role: Role) -> Failure {
    Failure::new(Exit::Usage, format!("`{}` is of another kind", role.key())).help(SUPPORTED)
}

/// Two spellings of one file: by what is on disk where it is there already, else by the path.
fn is_same_file(a: &Path, b: &Path) -> bool {
    let resolved = |path: &Path| {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        std::fs::canonicalize(&absolute).unwrap_or(absolute)
    };
    resolved(a) == resolved(b)
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[tokio::test]
    async fn what_events_carry_is_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let config = Config {
            data_dir: folder.path().to_owned(),
            ..Config::default()
        };
        let dir = DataDir::prepare(folder.path()).unwrap();
        let backends = Backends::open(&config, Some(&dir)).await.unwrap();
        for name in ["bundles", "sessions"] {
            let mode = fs::metadata(folder.path().join(name))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o700, "{name}");
        }
        backends.close().await;
    }
}
