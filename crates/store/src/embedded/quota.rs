//! A tenant's quota sets: members with deadlines, not counters. A crash can't leak a count, leaving twice can't grow a limit,
//! and admission is idempotent by member.

use foreshow_contract::{ContextKey, TenantId, Timestamp};
use foreshow_engine::{Admission, AdmitRequest, QuotaMember, QuotaSet};
use foreshow_sqlite::rusqlite::Connection;

use super::error::StepError;

/// Takes all places of the request, or none.
pub(super) fn admit(
    connection: &Connection,
    request: &AdmitRequest,
    now: Timestamp,
) -> Result<Admission, StepError> {
    let tenant = request.key.tenant.as_str();
    let places = request.places();
    for place in &places {
        let set = place.member.set();
        connection
            .prepare_cached(
                "DELETE FROM quota WHERE tenant = ?1 AND quota_set = ?2 AND until <= ?3",
            )?
            .execute((tenant, set.word(), now.as_micros()))?;
        let Some(limit) = place.limit else { continue };
        let (used, is_member, next_at): (i64, bool, Option<i64>) = connection
            .prepare_cached(
                "SELECT count(*), coalesce(max(member = ?3), 0), min(until) FROM quota WHERE tenant = ?1 AND quota_set = ?2",
            )?
            .query_row((tenant, set.word(), place.member.name()), |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?;
        if !is_member && used >= i64::from(limit.get()) {
            return Ok(Admission::Full {
                set,
                limit: limit.get(),
                used: used.unsigned_abs(),
                next_at: next_at.map_or(now, Timestamp::from_micros),
            });
        }
    }
    for place in places {
        connection
            .prepare_cached(
                "INSERT INTO quota (tenant, quota_set, member, until) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (tenant, quota_set, member) DO UPDATE SET until = max(until, excluded.until)",
            )?
            .execute((
                tenant,
                place.member.set().word(),
                place.member.name(),
                place.until.as_micros(),
            ))?;
    }
    Ok(Admission::Admitted)
}

pub(super) fn leave(connection: &Connection, member: &QuotaMember) -> Result<(), StepError> {
    connection
        .prepare_cached("DELETE FROM quota WHERE tenant = ?1 AND quota_set = ?2 AND member = ?3")?
        .execute((member.tenant().as_str(), member.set().word(), member.name()))?;
    Ok(())
}

/// A context that counts among the live ones does so at least until its preview expires.
pub(super) fn prolong(
    connection: &Connection,
    key: &ContextKey,
    until: Timestamp,
) -> Result<(), StepError> {
    let member = QuotaMember::LivePreview(key.clone());
    connection
        .prepare_cached(
            "UPDATE quota SET until = max(until, ?4) WHERE tenant = ?1 AND quota_set = ?2 AND member = ?3",
        )?
        .execute((
            key.tenant.as_str(),
            member.set().word(),
            member.name(),
            until.as_micros(),
        ))?;
    Ok(())
}

pub(super) fn used(
    connection: &Connection,
    tenant: &TenantId,
    set: QuotaSet,
    now: Timestamp,
) -> Result<u64, StepError> {
    let used: i64 = connection
        .prepare_cached(
            "SELECT count(*) FROM quota WHERE tenant = ?1 AND quota_set = ?2 AND until > ?3",
        )?
        .query_row((tenant.as_str(), set.word(), now.as_micros()), |row| {
            row.get(0)
        })?;
    Ok(used.unsigned_abs())
}
