//! Aliases: labels that show one deployment now and another later.
//!
//! An alias is a row that goes with its deployment: none ever shows what is gone. Who may move it, and in which order with
//! other steps, is for the caller to decide; here the last move wins.

use foreshow_contract::{DeploymentId, HostLabel};
use rusqlite::{OptionalExtension as _, params};

use crate::{PreviewError, PreviewHost};

impl PreviewHost {
    /// The deployment that the alias shows.
    pub async fn alias(&self, alias: &HostLabel) -> Result<Option<DeploymentId>, PreviewError> {
        let alias = alias.clone();
        self.index
            .read(move |index| {
                let id: Option<String> = index
                    .prepare_cached(
                        "SELECT d.id FROM aliases a JOIN deployments d ON d.row = a.deployment WHERE a.label = ?1",
                    )?
                    .query_row([alias.as_str()], |row| row.get(0))
                    .optional()?;
                Ok(id.map(DeploymentId::from))
            })
            .await
    }

    /// Points the alias at the deployment; it no longer counts as removed. `false` where the deployment is gone.
    pub async fn move_alias(
        &self,
        alias: &HostLabel,
        to: &DeploymentId,
    ) -> Result<bool, PreviewError> {
        let (alias, to) = (alias.clone(), to.clone());
        self.index
            .write(move |tx| {
                let moved = tx
                    .prepare_cached(
                        "INSERT OR REPLACE INTO aliases (label, deployment)
                         SELECT ?1, row FROM deployments WHERE id = ?2",
                    )?
                    .execute(params![alias.as_str(), to.as_str()])?;
                if moved > 0 {
                    tx.prepare_cached("DELETE FROM tombstones WHERE label = ?1")?
                        .execute([alias.as_str()])?;
                }
                Ok(moved > 0)
            })
            .await
    }
}
