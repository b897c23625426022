//! Creating a deployment: first the files it brings, then one transaction that makes it exist.
//!
//! Idempotent by its tags: a context's revision has one deployment, and creating it again answers the one there is. Two
//! callers at once write the same files under the same names; the second one's transaction finds the first one's
//! deployment. If we die half-way there is no deployment, only files without a row, which the next start removes; the
//! caller creates it anew. See [`crate::host`] for why a committed deployment has all its files.
//!
//! Cancel safe: dropping the future lets the creation go on unheard, so that nothing stays half-done in a process that
//! lives on.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use foreshow_bundle::Tree;
use foreshow_contract::{ContextKey, DeploymentId, HostLabel, Revision, Sha256, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::blobs::{Blob, BlobFolder};
use crate::deployment::COLUMNS;
use crate::host::{blob_row, blocking};
use crate::scratch::token;
use crate::{PreviewDeployment, PreviewError, PreviewHost};

/// How often files that vanish before they are committed are written again in the usual way. Each time another process
/// must have started, or have removed the last deployment with that file, just then. After that they are written inside
/// the transaction, where nobody can remove them, but where everybody else's writes wait as well.
const ROUNDS: usize = 3;

/// What to deploy.
#[derive(Clone, Debug)]
pub struct NewDeployment {
    /// The context.
    pub key: ContextKey,
    /// Its revision.
    pub revision: Revision,
    /// The host label of this revision.
    pub label: HostLabel,
    /// The files.
    pub tree: Arc<Tree>,
    /// Whether unknown paths are answered with `/index.html`.
    pub spa_fallback: bool,
    /// How its build goes.
    pub build: Build,
}

/// How a build goes. There is nothing to build about static files: this is for tests and demos.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Build {
    /// How long it takes, from the creation.
    pub duration: Duration,
    /// The last lines of its log, if it fails.
    pub failure: Option<Vec<String>>,
}

/// A deployment that was created, or was there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// The deployment.
    pub deployment: PreviewDeployment,
    /// Bytes of the blobs that had to be written.
    pub bytes_uploaded: u64,
    /// Bytes of the files whose blob was there.
    pub bytes_reused: u64,
}

/// The deployment, and whether it was there before.
enum Recorded {
    Created(PreviewDeployment),
    Existing(PreviewDeployment),
}

enum Looked {
    Recorded(Recorded),
    /// Nothing was committed: these blobs have to be written first.
    Missing(HashSet<Sha256>),
}

impl PreviewHost {
    /// Creates the deployment, or answers the one that this revision has.
    ///
    /// # Errors
    /// [`PreviewError::Full`], [`PreviewError::LabelTaken`] and the like. The deployment does not exist then, and no blob
    /// of it stays, except where the index failed to answer: then it may.
    pub async fn create(&self, new: NewDeployment, now: Timestamp) -> Result<Created, PreviewError> {
        let host = self.clone();
        let creation = tokio::spawn(async move { host.create_whatever_happens(Arc::new(new), now).await });
        creation.await.unwrap_or(Err(PreviewError::Interrupted))
    }

    async fn create_whatever_happens(&self, new: Arc<NewDeployment>, now: Timestamp) -> Result<Created, PreviewError> {
        let mut written = Arc::new(HashSet::new());
        let recorded = self.write_and_record(&new, now, &mut written).await;
        let in_vain = !matches!(&recorded, Ok(Recorded::Created(_))) && !written.is_empty();
        if in_vain && let Err(error) = self.remove_files_without_row(written.iter().copied().collect()).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "files of a deployment that failed stay until the next start");
        }
        let (deployment, bytes_uploaded) = match recorded? {
            Recorded::Created(deployment) => (deployment, bytes_of(&new.tree, &written)),
            Recorded::Existing(deployment) => (deployment, 0),
        };
        Ok(Created { deployment, bytes_uploaded, bytes_reused: new.tree.total_bytes().saturating_sub(bytes_uploaded) })
    }

    /// Writes what is missing and commits, until both agree. `written` grows by what was written, also on an error.
    async fn write_and_record(
        &self,
        new: &Arc<NewDeployment>,
        now: Timestamp,
        written: &mut Arc<HashSet<Sha256>>,
    ) -> Result<Recorded, PreviewError> {
        let asked = Arc::clone(new);
        let mut looked = self.index.read(move |index| look(index, &asked, now)).await?;
        let mut round = 0;
        loop {
            let missing = match looked {
                Looked::Recorded(recorded) => return Ok(recorded),
                Looked::Missing(missing) => missing,
            };
            let insist = round == ROUNDS;
            round += 1;
            let blobs = blobs_of(&new.tree, &missing);
            Arc::make_mut(written).extend(missing);
            if !insist && !blobs.is_empty() {
                self.store(blobs).await?;
            }
            let (new, written, folder) = (Arc::clone(new), Arc::clone(written), self.blobs.clone());
            looked = self.index.write(move |tx| record(tx, &new, now, &written, &folder, insist)).await?;
        }
    }

    async fn store(&self, blobs: Vec<Blob>) -> Result<(), PreviewError> {
        let folder = self.blobs.clone();
        let _place = self.writers.acquire().await.map_err(|_| PreviewError::Interrupted)?;
        blocking(move || folder.store(&blobs)).await
    }
}

/// Looks for the deployment, or for what it would have to bring.
fn look(index: &Connection, new: &NewDeployment, now: Timestamp) -> Result<Looked, PreviewError> {
    if let Some(existing) = find(index, new, now)? {
        return Ok(Looked::Recorded(Recorded::Existing(existing)));
    }
    let mut missing = HashSet::new();
    for file in new.tree.files() {
        if blob_row(index, &file.sha256)?.is_none() {
            missing.insert(file.sha256);
        }
    }
    Ok(Looked::Missing(missing))
}

/// The transaction that makes the deployment exist, with all its files, or changes nothing.
fn record(
    tx: &Transaction<'_>,
    new: &NewDeployment,
    now: Timestamp,
    written: &HashSet<Sha256>,
    folder: &BlobFolder,
    insist: bool,
) -> Result<Looked, PreviewError> {
    let without_row = match look(tx, new, now)? {
        Looked::Missing(without_row) => without_row,
        found @ Looked::Recorded(_) => return Ok(found),
    };
    let new_blobs = blobs_of(&new.tree, &without_row);
    let is_missing = |blob: &&Blob| !(written.contains(&blob.sha256) && folder.has(&blob.sha256, blob.size_bytes));
    let missing: Vec<Blob> = new_blobs.iter().filter(is_missing).cloned().collect();
    if insist {
        folder.store(&new_blobs)?;
    } else if !missing.is_empty() {
        return Ok(Looked::Missing(missing.iter().map(|blob| blob.sha256).collect()));
    }
    for blob in new_blobs {
        tx.prepare_cached("INSERT INTO blobs (sha256, size_bytes) VALUES (?1, ?2)")?.execute(params![
            blob.sha256.as_bytes().as_slice(),
            i64::try_from(blob.size_bytes).unwrap_or(i64::MAX)
        ])?;
    }
    let row = insert_deployment(tx, new, now)?;
    let mut insert = tx.prepare_cached(
        "INSERT INTO files (deployment, path, blob) SELECT ?1, ?2, row FROM blobs WHERE sha256 = ?3",
    )?;
    for file in new.tree.files() {
        insert.execute(params![row, file.path.as_str(), file.sha256.as_bytes().as_slice()])?;
    }
    let created = find(tx, new, now)?.ok_or(PreviewError::Unreadable { what: "deployment" })?;
    Ok(Looked::Recorded(Recorded::Created(created)))
}

fn insert_deployment(tx: &Transaction<'_>, new: &NewDeployment, now: Timestamp) -> Result<i64, PreviewError> {
    let label = new.label.as_str();
    let taken = tx.prepare_cached("SELECT 1 FROM deployments WHERE label = ?1")?.exists([label])?;
    if taken {
        return Err(PreviewError::LabelTaken { label: new.label.clone() });
    }
    tx.prepare_cached("DELETE FROM tombstones WHERE label = ?1")?.execute([label])?;
    let name = token().map_err(|error| PreviewError::on("name a deployment in", "the index".as_ref(), error))?;
    let failure = new.build.failure.as_ref().map(|log| serde_json::json!(log).to_string());
    tx.prepare_cached(
        "INSERT INTO deployments (id, tenant, context, revision, label, created_at, ready_at, spa_fallback, failure)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute(params![
        DeploymentId::new(format!("dpl_{name}")).as_str(),
        new.key.tenant.as_str(),
        new.key.context.as_str(),
        i64::try_from(new.revision.get()).unwrap_or(i64::MAX),
        label,
        now.as_micros(),
        now.saturating_add(new.build.duration).as_micros(),
        new.spa_fallback,
        failure,
    ])?;
    Ok(tx.last_insert_rowid())
}

fn find(index: &Connection, new: &NewDeployment, now: Timestamp) -> Result<Option<PreviewDeployment>, PreviewError> {
    index
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM deployments d WHERE tenant = ?1 AND context = ?2 AND revision = ?3"
        ))?
        .query_row(
            params![
                new.key.tenant.as_str(),
                new.key.context.as_str(),
                i64::try_from(new.revision.get()).unwrap_or(i64::MAX)
            ],
            |row| Ok(PreviewDeployment::from_row(row, now)),
        )
        .optional()?
        .transpose()
}

/// One blob for each digest in `wanted`.
fn blobs_of(tree: &Tree, wanted: &HashSet<Sha256>) -> Vec<Blob> {
    let mut seen = HashSet::new();
    tree.files()
        .iter()
        .filter(|file| wanted.contains(&file.sha256) && seen.insert(file.sha256))
        .map(|file| Blob {
            sha256: file.sha256,
            size_bytes: file.size_bytes,
            content: file.content.clone(),
            path: file.path.to_string(),
        })
        .collect()
}

fn bytes_of(tree: &Tree, blobs: &HashSet<Sha256>) -> u64 {
    let mut seen = HashSet::new();
    let files = tree.files().iter().filter(|file| blobs.contains(&file.sha256) && seen.insert(file.sha256));
    files.map(|file| file.size_bytes).sum()
}
