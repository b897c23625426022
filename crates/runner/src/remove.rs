//! Removing a deployment.
//!
//! One transaction deletes the deployment, its files, the aliases that show it and the blobs that only it had, and leaves
//! tombstones for its labels. The blobs' files go after it ([`crate::host`], rule 3); if we die before that, at the next
//! start. Idempotent: what is gone counts as removed.

use foreshow_contract::{DeploymentId, Sha256, Timestamp};
use rusqlite::{OptionalExtension as _, Transaction, params};

use crate::{PreviewError, PreviewHost};

impl PreviewHost {
    /// Removes the deployment, the aliases that show it, and the blobs that nothing else uses. Its labels are remembered
    /// as removed. `false` where it was gone already.
    ///
    /// Cancel safe: dropping the future lets the removal go on unheard.
    pub async fn remove(&self, id: &DeploymentId, now: Timestamp) -> Result<bool, PreviewError> {
        let (host, id) = (self.clone(), id.clone());
        let removal = tokio::spawn(async move {
            let removed = host.index.write(move |tx| forget(tx, &id, now)).await?;
            let Some(unused) = removed else {
                return Ok(false);
            };
            if !unused.is_empty() {
                host.remove_files_without_row(unused).await?;
            }
            Ok(true)
        });
        removal.await.unwrap_or(Err(PreviewError::Interrupted))
    }
}

/// Answers the blobs that nothing uses any more, or `None` where there is no such deployment.
fn forget(
    tx: &Transaction<'_>,
    id: &DeploymentId,
    now: Timestamp,
) -> Result<Option<Vec<Sha256>>, PreviewError> {
    let row: Option<i64> = tx
        .prepare_cached("SELECT row FROM deployments WHERE id = ?1")?
        .query_row([id.as_str()], |row| row.get(0))
        .optional()?;
    let Some(row) = row else { return Ok(None) };
    tx.prepare_cached(
        "INSERT OR REPLACE INTO tombstones (label, removed_at)
         SELECT label, ?2 FROM deployments WHERE row = ?1 UNION SELECT label, ?2 FROM aliases WHERE deployment = ?1",
    )?
    .execute(params![row, now.as_micros()])?;
    let blobs: Vec<i64> = tx
        .prepare_cached("SELECT DISTINCT blob FROM files WHERE deployment = ?1")?
        .query_map([row], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    tx.prepare_cached("DELETE FROM deployments WHERE row = ?1")?
        .execute([row])?;
    let mut unused = Vec::new();
    let mut forget_blob = tx.prepare_cached(
        "DELETE FROM blobs WHERE row = ?1 AND NOT EXISTS (SELECT 1 FROM files WHERE blob = ?1) RETURNING sha256",
    )?;
    for blob in blobs {
        let forgotten: Option<[u8; 32]> =
            forget_blob.query_row([blob], |row| row.get(0)).optional()?;
        unused.extend(forgotten.map(Sha256::from_bytes));
    }
    Ok(Some(unused))
}
