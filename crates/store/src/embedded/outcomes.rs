//! How events ended. Kept by age and not by number: an acknowledgement is never confirmed, so only age tells that no copy of
//! an event is left that could ask.

use std::time::Duration;

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
    let found: Option<(String, String, i64, u32)> = connection
        .prepare_cached(
            "SELECT digest, outcome, at, replay FROM outcomes
             WHERE tenant = ?1 AND context = ?2 AND revision = ?3 AND kind = ?4",
        )?
        .query_row(
            (
                key.tenant.as_str(),
                key.context.as_str(),
                to_integer(ordinal.revision),
                kind_number(ordinal.kind),
            ),
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
        )
        .optional()?;
    found
        .map(|(digest, outcome, at, replay)| {
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
                replay,
            })
        })
        .transpose()
}

/// Whether an announced revision is served by this deployment, as it was kept.
pub(super) fn is_kept(
    connection: &Connection,
    key: &ContextKey,
    deployment: &DeploymentId,
) -> Result<bool, StepError> {
    let found = connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM outcomes WHERE tenant = ?1 AND context = ?2 AND ready_as = ?3)",
        )?
        .query_row(
            (
                key.tenant.as_str(),
                key.context.as_str(),
                deployment.as_str(),
            ),
            |row| row.get(0),
        )?;
    Ok(found)
}

pub(super) fn save(
    connection: &Connection,
    key: &ContextKey,
    settled: &SettledOutcome,
) -> Result<(), StepError> {
    let ready_as = match &settled.outcome {
        Outcome::Ready(ready) => Some(ready.deployment.as_str()),
        Outcome::Failed { .. }
        | Outcome::Removed { .. }
        | Outcome::Reset { .. }
        | Outcome::Superseded { .. } => None,
    };
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO outcomes (tenant, context, revision, kind, digest, outcome, ready_as, at, replay)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
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
            settled.replay,
        ))?;
    Ok(())
}

/// The announced revisions that no kept deployment serves. Each is told of once: from now on none serves it.
pub(super) fn retire_but(
    connection: &Connection,
    key: &ContextKey,
    kept: &[DeploymentId],
) -> Result<Vec<Revision>, StepError> {
    let (tenant, context) = (key.tenant.as_str(), key.context.as_str());
    let mut served = connection.prepare_cached(
        "SELECT revision, ready_as FROM outcomes
         WHERE tenant = ?1 AND context = ?2 AND ready_as IS NOT NULL ORDER BY revision",
    )?;
    let served: Vec<(i64, String)> = served
        .query_map((tenant, context), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let mut retire = connection.prepare_cached(
        "UPDATE outcomes SET ready_as = NULL WHERE tenant = ?1 AND context = ?2 AND revision = ?3",
    )?;
    let mut retired = Vec::new();
    for (revision, deployment) in served {
        if !kept.iter().any(|kept| *kept == deployment.as_str()) {
            retire.execute((tenant, context, revision))?;
            retired.push(to_revision(revision)?);
        }
    }
    Ok(retired)
}

/// No deployment serves a revision up to this one any more: the announced ones that one did until now.
pub(super) fn retire_up_to(
    connection: &Connection,
    key: &ContextKey,
    revision: Revision,
) -> Result<Vec<Revision>, StepError> {
    let mut retire = connection.prepare_cached(
        "UPDATE outcomes SET ready_as = NULL
         WHERE tenant = ?1 AND context = ?2 AND ready_as IS NOT NULL AND revision <= ?3
         RETURNING revision",
    )?;
    let (tenant, context) = (key.tenant.as_str(), key.context.as_str());
    let mut rows = retire.query((tenant, context, to_integer(revision)))?;
    let mut retired = Vec::new();
    while let Some(row) = rows.next()? {
        retired.push(to_revision(row.get(0)?)?);
    }
    Ok(retired)
}

/// How every event of the context ended is forgotten.
pub(super) fn forget(connection: &Connection, key: &ContextKey) -> Result<(), StepError> {
    connection
        .prepare_cached("DELETE FROM outcomes WHERE tenant = ?1 AND context = ?2")?
        .execute((key.tenant.as_str(), key.context.as_str()))?;
    Ok(())
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
