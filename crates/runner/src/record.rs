//! The transaction that makes a deployment exist, and the look that tells what it still lacks.

use std::collections::HashSet;

use foreshow_bundle::Tree;
use foreshow_contract::{DeploymentId, Sha256, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::blobs::{Blob, BlobFolder};
use crate::deployment::COLUMNS;
use crate::host::blob_row;
use crate::scratch::token;
use crate::{NewDeployment, PreviewDeployment, PreviewError};

/// The deployment, and whether it was there before.
pub(crate) enum Recorded {
    Created(PreviewDeployment),
    Existing(PreviewDeployment),
}

/// What was found.
pub(crate) enum Looked {
    Recorded(Recorded),
    /// Nothing was committed: these blobs have to be written first.
    Missing(HashSet<Sha256>),
}

/// Looks for the deployment, or for what it would have to bring: blobs without a row, and those whose file somebody
/// deleted or cut short. The latter are written again for every deployment that has them.
pub(crate) fn look(
    index: &Connection,
    new: &NewDeployment,
    now: Timestamp,
    folder: &BlobFolder,
) -> Result<Looked, PreviewError> {
    if let Some(existing) = find(index, new, now)? {
        return Ok(Looked::Recorded(Recorded::Existing(existing)));
    }
    let mut missing = without_row(index, &new.tree)?;
    for file in new.tree.files() {
        if !missing.contains(&file.sha256) && !folder.has(&file.sha256, file.size_bytes) {
            missing.insert(file.sha256);
        }
    }
    Ok(Looked::Missing(missing))
}

/// The transaction: the deployment exists with all its files, or nothing is changed.
///
/// `written` are the blobs whose files the caller has written and synced. With `insist` those that are missing are
/// written here and now. A blob with a row is not looked for on disk: [`look`] did, and here everybody else's writes wait.
/// One that lost its file has its row still, so only blobs without one get one.
pub(crate) fn record(
    tx: &Transaction<'_>,
    new: &NewDeployment,
    now: Timestamp,
    written: &HashSet<Sha256>,
    folder: &BlobFolder,
    insist: bool,
) -> Result<Looked, PreviewError> {
    if let Some(existing) = find(tx, new, now)? {
        return Ok(Looked::Recorded(Recorded::Existing(existing)));
    }
    let new_blobs = blobs_of(&new.tree, &without_row(tx, &new.tree)?);
    let is_missing = |blob: &&Blob| {
        !(written.contains(&blob.sha256) && folder.has(&blob.sha256, blob.size_bytes))
    };
    let missing: Vec<Blob> = new_blobs.iter().filter(is_missing).cloned().collect();
    if insist {
        folder.store(&new_blobs)?;
    } else if !missing.is_empty() {
        return Ok(Looked::Missing(
            missing.iter().map(|blob| blob.sha256).collect(),
        ));
    }
    for blob in new_blobs {
        tx.prepare_cached("INSERT INTO blobs (sha256, size_bytes) VALUES (?1, ?2)")?
            .execute(params![
                blob.sha256.as_bytes().as_slice(),
                i64::try_from(blob.size_bytes).unwrap_or(i64::MAX)
            ])?;
    }
    let row = insert_deployment(tx, new, now)?;
    let mut insert = tx.prepare_cached(
        "INSERT INTO files (deployment, path, blob) SELECT ?1, ?2, row FROM blobs WHERE sha256 = ?3",
    )?;
    for file in new.tree.files() {
        insert.execute(params![
            row,
            file.path.as_str(),
            file.sha256.as_bytes().as_slice()
        ])?;
    }
    let created = find(tx, new, now)?.ok_or(PreviewError::Unreadable { what: "deployment" })?;
    Ok(Looked::Recorded(Recorded::Created(created)))
}

/// The tree's blobs that the index does not know.
fn without_row(index: &Connection, tree: &Tree) -> Result<HashSet<Sha256>, PreviewError> {
    let mut without_row = HashSet::new();
    for file in tree.files() {
        if blob_row(index, &file.sha256)?.is_none() {
            without_row.insert(file.sha256);
        }
    }
    Ok(without_row)
}

fn insert_deployment(
    tx: &Transaction<'_>,
    new: &NewDeployment,
    now: Timestamp,
) -> Result<i64, PreviewError> {
    let label = new.label.as_str();
    let taken = tx
        .prepare_cached("SELECT 1 FROM deployments WHERE label = ?1")?
        .exists([label])?;
    if taken {
        return Err(PreviewError::LabelTaken {
            label: new.label.clone(),
        });
    }
    tx.prepare_cached("DELETE FROM tombstones WHERE label = ?1")?
        .execute([label])?;
    let name = token()
        .map_err(|error| PreviewError::on("name a deployment in", "the index".as_ref(), error))?;
    let failure = new
        .build
        .failure
        .as_ref()
        .map(|log| serde_json::json!(log).to_string());
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

fn find(
    index: &Connection,
    new: &NewDeployment,
    now: Timestamp,
) -> Result<Option<PreviewDeployment>, PreviewError> {
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
pub(crate) fn blobs_of(tree: &Tree, wanted: &HashSet<Sha256>) -> Vec<Blob> {
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
