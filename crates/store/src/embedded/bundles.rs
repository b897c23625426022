//! The files of large events: a folder of bundles, and a table of who needs which.
//!
//! A bundle is kept while an event needs it, and its file goes with the last one that does. Who races:
//!
//! - **A publisher against the end of another event with the same files.** [`hold`](BundleVault::hold) writes the publisher's
//!   row before it makes sure of the file; [`release`](Bundles::release) removes its row, looks for others and removes the file
//!   within one write, while it has SQLite's write lock. So either the row is there when the release looks, and the file
//!   stays; or the file is gone before the row is written, and the publisher, who looks after that, finds it missing and puts it
//!   again. Once a publisher has seen row and file, nothing takes the file away.
//! - **A tenant who names another's digest**: finds nothing, for a bundle is handed out only where an event of that tenant
//!   holds it.
//! - **Two releases**: in turn, by the write lock. The later one finds the row or the file gone, which is as good.
//!
//! Die (or fail to commit) between the removal of the file and the commit of the release, and a row is left without a file: of
//! an event that has ended, so that nobody asks for it. A publisher with the same files looks for itself. Die after `hold`
//! and before publishing, and a bundle is left that nobody will release: [`sweep`](EmbeddedBundles::sweep) takes it away by age.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use foreshow_bundle::{BundleError, BundleStore};
use foreshow_contract::{BundleRef, ContextKey, Revision, Sha256, TenantId, Timestamp};
use foreshow_engine::{BundleFile, BundleVault, Bundles, BundlesError, Clock, Failure, StoreError};
use foreshow_sqlite::{
    Database, DatabaseError,
    rusqlite::{self, Connection, OptionalExtension},
};

use super::{
    error::{on, to_integer},
    schema,
};

/// The installation's own bundles. Cheap to clone.
#[derive(Clone)]
pub struct EmbeddedBundles {
    db: Database,
    files: BundleStore,
    clock: Arc<dyn Clock>,
}

/// Why the file or the table could not be worked on.
#[derive(Debug, thiserror::Error)]
enum RefError {
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    File(#[from] BundleError),
}

impl From<rusqlite::Error> for RefError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error.into())
    }
}

impl EmbeddedBundles {
    /// Opens the table in `db` for the bundles in `files`. All processes of one file must name the same folder.
    ///
    /// # Errors
    /// Where the file can't be read or written, or belongs to a newer version; the source tells.
    pub async fn open(
        db: Database,
        files: BundleStore,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        db.migrate("bundles", schema::BUNDLES)
            .await
            .map_err(on("open its tables"))?;
        Ok(Self { db, files, clock })
    }

    /// Forgets events that held a bundle before `before` and never ended (their publishers died before they published), and
    /// removes every bundle and every leftover of packing that is older and that no event holds. Answers how many bundles went.
    ///
    /// Choose `before` farther back than the oldest event that may still be queued.
    pub async fn sweep(&self, before: Timestamp) -> Result<usize, BundlesError> {
        let files = self.files.clone();
        let on_disk = SystemTime::UNIX_EPOCH
            + Duration::from_micros(before.as_micros().max(0).unsigned_abs());
        self.db
            .write(move |tx| -> Result<usize, RefError> {
                tx.execute(
                    "DELETE FROM bundle_refs WHERE at < ?1",
                    [before.as_micros()],
                )?;
                files.remove_abandoned(on_disk)?;
                let mut removed = 0;
                for bundle in files.list()? {
                    if bundle.stored_at < on_disk && !is_held(tx, bundle.sha256)? {
                        removed += usize::from(files.remove(bundle.sha256)?);
                    }
                }
                Ok(removed)
            })
            .await
            .map_err(|error| {
                BundlesError::retryable("could not sweep the bundles; it is tried again", error)
            })
    }

    async fn path(&self, sha256: Sha256) -> Result<Option<PathBuf>, BundlesError> {
        let files = self.files.clone();
        tokio::task::spawn_blocking(move || files.path(sha256))
            .await
            .map_err(|error| retryable("find", sha256, error))
    }
}

#[async_trait]
impl Bundles for EmbeddedBundles {
    async fn fetch(
        &self,
        bundle: &BundleRef,
        tenant: &TenantId,
    ) -> Result<BundleFile, BundlesError> {
        let sha256 = bundle.as_local().ok_or_else(BundlesError::unsupported)?;
        let tenant = tenant.clone();
        let is_theirs = self
            .db
            .read(move |connection| -> Result<bool, RefError> {
                Ok(is_held_for(connection, sha256, &tenant)?)
            })
            .await
            .map_err(|error| retryable("find", sha256, error))?;
        if !is_theirs {
            return Err(BundlesError::missing(sha256));
        }
        let path = self.path(sha256).await?;
        path.map(BundleFile::kept)
            .ok_or_else(|| BundlesError::missing(sha256))
    }

    async fn release(
        &self,
        bundle: &BundleRef,
        key: &ContextKey,
        revision: Revision,
    ) -> Result<(), BundlesError> {
        let Some(sha256) = bundle.as_local() else {
            return Ok(());
        };
        let (files, key) = (self.files.clone(), key.clone());
        self.db
            .write(move |tx| -> Result<(), RefError> {
                tx.prepare_cached(
                    "DELETE FROM bundle_refs WHERE digest = ?1 AND tenant = ?2 AND context = ?3 AND revision = ?4",
                )?
                .execute((
                    sha256.to_hex(),
                    key.tenant.as_str(),
                    key.context.as_str(),
                    to_integer(revision),
                ))?;
                if !is_held(tx, sha256)? {
                    files.remove(sha256)?;
                }
                Ok(())
            })
            .await
            .map_err(|error| retryable("release", sha256, error))
    }
}

#[async_trait]
impl BundleVault for EmbeddedBundles {
    async fn hold(
        &self,
        sha256: Sha256,
        key: &ContextKey,
        revision: Revision,
    ) -> Result<bool, BundlesError> {
        let (key, now) = (key.clone(), self.clock.now());
        self.db
            .write(move |tx| -> Result<(), RefError> {
                tx.prepare_cached(
                    "INSERT INTO bundle_refs (digest, tenant, context, revision, at) VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT (digest, tenant, context, revision) DO UPDATE SET at = excluded.at",
                )?
                .execute((
                    sha256.to_hex(),
                    key.tenant.as_str(),
                    key.context.as_str(),
                    to_integer(revision),
                    now.as_micros(),
                ))?;
                Ok(())
            })
            .await
            .map_err(|error| retryable("keep", sha256, error))?;
        Ok(self.path(sha256).await?.is_some())
    }

    async fn put(&self, sha256: Sha256, file: &Path) -> Result<(), BundlesError> {
        let (files, file) = (self.files.clone(), file.to_owned());
        tokio::task::spawn_blocking(move || files.adopt(sha256, &file))
            .await
            .map_err(|error| retryable("store", sha256, error))?
            .map_err(|error| BundlesError {
                message: error.to_string(),
                failure: if error.is_transient() {
                    Failure::Retryable { after: None }
                } else {
                    Failure::Permanent(error.code())
                },
                source: Some(Box::new(error)),
            })
    }
}

fn is_held(connection: &Connection, sha256: Sha256) -> Result<bool, rusqlite::Error> {
    let held = connection
        .prepare_cached("SELECT 1 FROM bundle_refs WHERE digest = ?1 LIMIT 1")?
        .query_row([sha256.to_hex()], |_| Ok(()))
        .optional()?;
    Ok(held.is_some())
}

fn is_held_for(
    connection: &Connection,
    sha256: Sha256,
    tenant: &TenantId,
) -> Result<bool, rusqlite::Error> {
    let held = connection
        .prepare_cached("SELECT 1 FROM bundle_refs WHERE digest = ?1 AND tenant = ?2 LIMIT 1")?
        .query_row((sha256.to_hex(), tenant.as_str()), |_| Ok(()))
        .optional()?;
    Ok(held.is_some())
}

/// Trouble with the disk or the file, which may pass.
fn retryable(
    operation: &'static str,
    sha256: Sha256,
    error: impl std::error::Error + Send + Sync + 'static,
) -> BundlesError {
    BundlesError::retryable(
        format!("could not {operation} the bundle sha256-{sha256}; it is tried again"),
        error,
    )
}
