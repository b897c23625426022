//! Finding deployments: by context, by id, by label, or all of them.

use std::num::NonZeroU32;

use foreshow_contract::{ContextKey, DeploymentId, HostLabel, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, ToSql};

use crate::deployment::COLUMNS;
use crate::{PreviewDeployment, PreviewError, PreviewHost, Resolved, TOMBSTONES_KEPT};

impl PreviewHost {
    /// The context's deployments, the oldest revision first.
    pub async fn list(
        &self,
        key: &ContextKey,
        now: Timestamp,
    ) -> Result<Vec<PreviewDeployment>, PreviewError> {
        let key = key.clone();
        self.index
            .read(move |index| {
                index
                    .prepare_cached(&format!(
                        "SELECT {COLUMNS} FROM deployments d WHERE tenant = ?1 AND context = ?2 ORDER BY revision"
                    ))?
                    .query_and_then([key.tenant.as_str(), key.context.as_str()], |row| {
                        PreviewDeployment::from_row(row, now)
                    })?
                    .collect()
            })
            .await
    }

    /// Deployments of all contexts, at most `limit` of those created after the one of row `after`, oldest first.
    ///
    /// Rows are given out in the order of commits and never again, so whoever asks page after page meets every deployment
    /// that is there all the while, exactly once, however many come and go meanwhile.
    ///
    /// # Errors
    /// [`PreviewError::Unreadable`] for the whole page where one of its rows is: left out, it would pass for removed.
    pub async fn page(
        &self,
        after: Option<i64>,
        limit: NonZeroU32,
        now: Timestamp,
    ) -> Result<Vec<PreviewDeployment>, PreviewError> {
        self.index
            .read(move |index| {
                index
                    .prepare_cached(&format!(
                        "SELECT {COLUMNS} FROM deployments d WHERE row > ?1 ORDER BY row LIMIT ?2"
                    ))?
                    .query_and_then((after.unwrap_or(0), limit.get()), |row| {
                        PreviewDeployment::from_row(row, now)
                    })?
                    .collect()
            })
            .await
    }

    /// The deployment of that id.
    pub async fn get(
        &self,
        id: &DeploymentId,
        now: Timestamp,
    ) -> Result<Option<PreviewDeployment>, PreviewError> {
        let id = id.clone();
        self.index
            .read(move |index| one(index, "deployments d WHERE d.id = ?1", &id.as_str(), now))
            .await
    }

    /// What the label names: a revision, an alias, something removed, or nothing known.
    pub async fn resolve(
        &self,
        label: &HostLabel,
        now: Timestamp,
    ) -> Result<Resolved, PreviewError> {
        let label = label.clone();
        self.index
            .read(move |index| {
                let label = label.as_str();
                if let Some(deployment) =
                    one(index, "deployments d WHERE d.label = ?1", &label, now)?
                {
                    return Ok(Resolved::Revision(deployment));
                }
                let shown =
                    "aliases a JOIN deployments d ON d.row = a.deployment WHERE a.label = ?1";
                if let Some(deployment) = one(index, shown, &label, now)? {
                    return Ok(Resolved::Alias(deployment));
                }
                let removed_at: Option<i64> = index
                    .prepare_cached("SELECT removed_at FROM tombstones WHERE label = ?1")?
                    .query_row([label], |row| row.get(0))
                    .optional()?;
                let remembered = removed_at.map(Timestamp::from_micros);
                Ok(
                    match remembered.filter(|at| *at >= now.saturating_sub(TOMBSTONES_KEPT)) {
                        Some(at) => Resolved::Removed { at },
                        None => Resolved::Unknown,
                    },
                )
            })
            .await
    }
}

/// The deployment that `what` selects.
pub(crate) fn one(
    index: &Connection,
    what: &str,
    by: &dyn ToSql,
    now: Timestamp,
) -> Result<Option<PreviewDeployment>, PreviewError> {
    index
        .prepare_cached(&format!("SELECT {COLUMNS} FROM {what}"))?
        .query_row([by], |row| Ok(PreviewDeployment::from_row(row, now)))
        .optional()?
        .transpose()
}
