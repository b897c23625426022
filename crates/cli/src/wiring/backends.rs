use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use foreshow_broker::embedded::EmbeddedBroker;
use foreshow_bundle::BundleStore;
use foreshow_engine::{Broker, Clock, Store};
use foreshow_sqlite::Database;
use foreshow_store::embedded::{EmbeddedBundles, EmbeddedStore};

use super::WallClock;
use crate::config::{Backend, Config, Role, SUPPORTED};
use crate::data_dir::{self, DataDir};
use crate::failure::{Exit, Failure, OrFail as _};

/// Broker, store and bundles, as configured.
pub(crate) struct Backends {
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) bundles: EmbeddedBundles,
    pub(crate) bundle_files: BundleStore,
    pub(crate) clock: Arc<dyn Clock>,
    databases: Vec<Database>,
}

impl Backends {
    /// Opens them, making what is missing.
    pub(crate) async fn open(config: &Config, dir: &DataDir) -> Result<Self, Failure> {
        let clock: Arc<dyn Clock> = Arc::new(WallClock);
        let [broker_file, store_file] = [file(config, Role::Broker)?, file(config, Role::Store)?];
        let broker_db = database(config, &broker_file).await?;
        // One writer for one file: two in one process would wait for each other's locks.
        let store_db = if is_same_file(&broker_file, &store_file) {
            broker_db.clone()
        } else {
            database(config, &store_file).await?
        };

        // Beside its file: all processes of one broker must name the same folder.
        let sessions = broker_file
            .parent()
            .unwrap_or(Path::new(""))
            .join("sessions");
        // Whoever may read the data folder need not read what is in these.
        data_dir::ensure_private(&sessions).or_fail(Exit::Environment)?;
        data_dir::ensure_private(&dir.bundles()).or_fail(Exit::Environment)?;
        let broker = EmbeddedBroker::open(broker_db.clone(), sessions, Arc::clone(&clock))
            .await
            .or_fail(Exit::Environment)?;
        let kept = config.sqlite.outcomes_kept();
        let store = EmbeddedStore::open(store_db.clone(), Arc::clone(&clock), kept)
            .await
            .or_fail(Exit::Environment)?;
        let folder = dir.bundles();
        let bundle_files = tokio::task::spawn_blocking(move || BundleStore::open(folder))
            .await
            .or_fail(Exit::Environment)?
            .or_fail(Exit::Environment)?;
        let bundles =
            EmbeddedBundles::open(store_db.clone(), bundle_files.clone(), Arc::clone(&clock))
                .await
                .or_fail(Exit::Environment)?;
        Ok(Self {
            broker: Arc::new(broker),
            store: Arc::new(store),
            bundles,
            bundle_files,
            clock,
            databases: vec![broker_db, store_db],
        })
    }

    /// Closes the files in order: what was queued for them is written.
    pub(crate) async fn close(self) {
        let Self {
            broker,
            store,
            bundles,
            databases,
            ..
        } = self;
        drop((broker, store, bundles));
        for database in databases {
            database.close().await;
        }
    }
}

/// The store's file; where it is missing nothing was ever published here.
pub(super) fn store_file(config: &Config) -> Result<PathBuf, Failure> {
    file(config, Role::Store)
}

fn file(config: &Config, role: Role) -> Result<PathBuf, Failure> {
    let url = match role {
        Role::Broker => &config.broker,
        Role::Store => &config.store,
    };
    let Backend::Sqlite { file } = Backend::parse(url, role, &config.data_dir)
        .map_err(|error| Failure::of(Exit::Usage, error).help(SUPPORTED))?;
    Ok(file)
}

async fn database(config: &Config, file: &Path) -> Result<Database, Failure> {
    let opened = Database::open(file, config.sqlite.database()).await;
    opened
        .with_context(|| format!("cannot open {}", file.display()))
        .or_fail(Exit::Environment)
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
        let backends = Backends::open(&config, &dir).await.unwrap();
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
