//! How events ended. Kept by age and not by number: an acknowledgement is never confirmed, so only age tells that no copy of
//! an event is left that could ask.

use std::{collections::BTreeSet, time::Duration};

use foreshow_contract::{ContextKey, DeploymentId, Ordinal, Revision, Timestamp};
use foreshow_engine::{Outcome, SettledOutcome};
use foreshow_sqlite::rusqlite::{Connection, OptionalExtension};

use super::{
    error::{StepError, to_integer, to_json, to_revision},
    schema::kind_number,
};

/// Most outcomes removed in one transaction, which bounds how long it makes others wait.
const PRUNED_AT_ONCE: usize = 500;

pub(super) fn load(
    connection: &Connection,
    key: &ContextKey,
    ordinal: Ordinal,
) -> Result<Option<SettledOutcome>, StepError> {
    let found: Option<(String, String, i64)> = connection
        .prepare_cached(
            "SELECT digest, outcome, at FROM outcomes WHERE tenant = ?1 AND context = ?2 AND revision = ?3 AND kind = ?4",
        )?
        .query_row(
            (
                key.tenant.as_str(),
                key.context.as_str(),
                to_integer(ordinal.revision),
                kind_number(ordinal.kind),
            ),
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()?;
    found
        .map(|(digest, outcome, at)| {
            let outcome =
                serde_json::from_str(&outcome).map_err(|source| StepError::Unreadable {
                    what: "outcome",
                    key: key.clone(),
                    source,
                })?;
            let at = Timestamp::from_micros(at);
            Ok(SettledOutcome {
                ordinal,
                digest,
                outcome,
                at,
            })
        })
        .transpose()
}

pub(super) fn save(
    connection: &Connection,
    key: &ContextKey,
    settled: &SettledOutcome,
) -> Result<(), StepError> {
    let ready_as = match &settled.outcome {
        Outcome::Ready(ready) => Some(ready.deployment.as_str()),
        Outcome::Failed { .. } | Outcome::Removed | Outcome::Superseded { .. } => None,
    };
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO outcomes (tenant, context, revision, kind, digest, outcome, ready_as, at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute((
            key.tenant.as_str(),
            key.context.as_str(),
            to_integer(settled.ordinal.revision),
            kind_number(settled.ordinal.kind),
            &settled.digest,
            to_json(&settled.outcome),
            ready_as,
            settled.at.as_micros(),
        ))?;
    Ok(())
}

/// The revisions that were announced as ready with one of these deployments.
pub(super) fn ready_as(
    connection: &Connection,
    key: &ContextKey,
    deployments: &[DeploymentId],
) -> Result<Vec<Revision>, StepError> {
    let mut found = BTreeSet::new();
    let mut ready = connection.prepare_cached(
        "SELECT revision, kind FROM outcomes WHERE tenant = ?1 AND context = ?2 AND ready_as = ?3",
    )?;
    for deployment in deployments {
        let mut rows = ready.query((
            key.tenant.as_str(),
            key.context.as_str(),
            deployment.as_str(),
        ))?;
        while let Some(row) = rows.next()? {
            found.insert((to_revision(row.get(0)?)?, row.get::<_, i64>(1)?));
        }
    }
    Ok(found.into_iter().map(|(revision, _)| revision).collect())
}

/// Removes some of what is older than `keep`; `true` where there may be more.
pub(super) fn prune(
    connection: &Connection,
    keep: Duration,
    now: Timestamp,
) -> Result<bool, StepError> {
    let removed = connection
        .prepare_cached(
            "DELETE FROM outcomes WHERE (tenant, context, revision, kind) IN
                 (SELECT tenant, context, revision, kind FROM outcomes WHERE at < ?1 ORDER BY at LIMIT ?2)",
        )?
        .execute((now.saturating_sub(keep).as_micros(), PRUNED_AT_ONCE as i64))?;
    Ok(removed == PRUNED_AT_ONCE)
}
