//! The contexts' rows.

use foreshow_contract::{ContextKey, HostLabel, TenantId, Timestamp};
use foreshow_engine::{ContextRecord, ContextSummary};
use foreshow_sqlite::rusqlite::{Connection, OptionalExtension, Row};

use super::{
    error::{StepError, to_integer, to_json},
    outcomes,
};

/// A context's row: its record, and how many changes of it concerned those who wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Loaded {
    pub(super) record: ContextRecord,
    pub(super) notices: i64,
}

pub(super) fn load(connection: &Connection, key: &ContextKey) -> Result<Option<Loaded>, StepError> {
    let found: Option<(String, i64)> = connection
        .prepare_cached("SELECT record, notices FROM contexts WHERE tenant = ?1 AND context = ?2")?
        .query_row((key.tenant.as_str(), key.context.as_str()), |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    found
        .map(|(json, notices)| {
            Ok(Loaded {
                record: parse(&json, key)?,
                notices,
            })
        })
        .transpose()
}

fn parse(json: &str, key: &ContextKey) -> Result<ContextRecord, StepError> {
    serde_json::from_str(json).map_err(|source| StepError::Unreadable {
        what: "record",
        key: key.clone(),
        source,
    })
}

pub(super) fn save(
    connection: &Connection,
    key: &ContextKey,
    Loaded { record, notices }: &Loaded,
) -> Result<(), StepError> {
    connection
        .prepare_cached(
            "INSERT INTO contexts (tenant, context, alias, desired_at, expires_at, live_revision, notices, record)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (tenant, context) DO UPDATE SET alias = excluded.alias, desired_at = excluded.desired_at,
                 expires_at = excluded.expires_at, live_revision = excluded.live_revision,
                 notices = excluded.notices, record = excluded.record",
        )?
        .execute((
            key.tenant.as_str(),
            key.context.as_str(),
            record.alias.as_str(),
            record.desired_at.as_micros(),
            record.expires_at.map(Timestamp::as_micros),
            record.live.as_ref().map(|live| to_integer(live.revision)),
            notices,
            to_json(record),
        ))?;
    Ok(())
}

/// Adds to the count of changes that concern waiters; `None` where there is no such context.
pub(super) fn notice(connection: &Connection, key: &ContextKey) -> Result<Option<i64>, StepError> {
    let notices = connection
        .prepare_cached(
            "UPDATE contexts SET notices = notices + 1 WHERE tenant = ?1 AND context = ?2 RETURNING notices",
        )?
        .query_row((key.tenant.as_str(), key.context.as_str()), |row| row.get(0))
        .optional()?;
    Ok(notices)
}

fn key_of(row: &Row<'_>) -> Result<ContextKey, StepError> {
    let name = |column| row.get_ref(column)?.as_str().map_err(Into::into);
    let (tenant, context): (Result<_, foreshow_sqlite::rusqlite::Error>, Result<_, _>) =
        (name(0), name(1));
    Ok(ContextKey::try_new(tenant?, context?)?)
}

/// Newest change first; equally new ones by name.
pub(super) fn list(
    connection: &Connection,
    tenant: Option<&TenantId>,
    limit: u32,
) -> Result<Vec<ContextSummary>, StepError> {
    let mut contexts = connection.prepare_cached(
        "SELECT tenant, context, record FROM contexts WHERE ?1 IS NULL OR tenant = ?1
         ORDER BY desired_at DESC, tenant, context LIMIT ?2",
    )?;
    let mut rows = contexts.query((tenant.map(TenantId::as_str), limit))?;
    let mut listed = Vec::new();
    while let Some(row) = rows.next()? {
        let key = key_of(row)?;
        let record = parse(&row.get::<_, String>(2)?, &key)?;
        let last = outcomes::load(connection, &key, record.desired)?;
        listed.push(ContextSummary { key, record, last });
    }
    Ok(listed)
}

pub(super) fn by_alias(
    connection: &Connection,
    alias: &HostLabel,
) -> Result<Option<ContextKey>, StepError> {
    let mut contexts =
        connection.prepare_cached("SELECT tenant, context FROM contexts WHERE alias = ?1")?;
    let mut rows = contexts.query([alias.as_str()])?;
    rows.next()?.map(key_of).transpose()
}

/// Those whose expiry is between the two instants, oldest first.
pub(super) fn expired(
    connection: &Connection,
    (since, now): (Timestamp, Timestamp),
    limit: u32,
) -> Result<Vec<(ContextKey, ContextRecord)>, StepError> {
    let mut contexts = connection.prepare_cached(
        "SELECT tenant, context, record FROM contexts
         WHERE expires_at BETWEEN ?1 AND ?2 AND live_revision IS NOT NULL
         ORDER BY expires_at, tenant, context LIMIT ?3",
    )?;
    let mut rows = contexts.query((since.as_micros(), now.as_micros(), limit))?;
    let mut expired = Vec::new();
    while let Some(row) = rows.next()? {
        let key = key_of(row)?;
        let record = parse(&row.get::<_, String>(2)?, &key)?;
        expired.push((key, record));
    }
    Ok(expired)
}
