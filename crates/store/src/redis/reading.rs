//! Plain reads of one context: its record, and how its events ended.

use foreshow_contract::{ContextKey, HostLabel, Ordinal};
use foreshow_engine::{ContextRecord, SettledOutcome};
use redis::cmd;

use super::{
    error::RedisStoreError,
    fields,
    keys::{Keys, Shard, id},
    link::Link,
    outcomes,
    text::to_number,
};

pub(super) fn unreadable(what: &'static str, key: &ContextKey) -> RedisStoreError {
    RedisStoreError::Unreadable {
        what,
        key: key.clone(),
    }
}

pub(super) async fn record(
    link: &Link,
    keys: &Keys,
    key: &ContextKey,
) -> Result<Option<ContextRecord>, RedisStoreError> {
    let fields: Vec<(Vec<u8>, Vec<u8>)> = link
        .query("HGETALL", cmd("HGETALL").arg(keys.record(key)))
        .await?;
    if fields.is_empty() {
        return Ok(None);
    }
    let record = fields::record(fields).ok_or_else(|| unreadable("record", key))?;
    Ok(Some(record))
}

/// How an event ended, where the context's last reset had this fence.
pub(super) async fn outcome_since(
    link: &Link,
    keys: &Keys,
    key: &ContextKey,
    ordinal: Ordinal,
    reset_fence: Option<u64>,
) -> Result<Option<SettledOutcome>, RedisStoreError> {
    let stored: Option<Vec<u8>> = link
        .query("GET", cmd("GET").arg(keys.outcome(key, ordinal)))
        .await?;
    stored
        .filter(|stored| outcomes::counts(stored, reset_fence))
        .map(|stored| outcomes::parse(&stored, ordinal).ok_or_else(|| unreadable("end", key)))
        .transpose()
}

/// How an event ended.
pub(super) async fn outcome(
    link: &Link,
    keys: &Keys,
    key: &ContextKey,
    ordinal: Ordinal,
) -> Result<Option<SettledOutcome>, RedisStoreError> {
    let mut command = cmd("HGET");
    command.arg(keys.record(key)).arg("rf");
    let fence: Option<Vec<u8>> = link.query("HGET", &command).await?;
    let fence = fence
        .map(|fence| to_number(&fence).ok_or_else(|| unreadable("record", key)))
        .transpose()?;
    outcome_since(link, keys, key, ordinal, fence).await
}

/// The context of an alias: by the index, then by its record, which knows the whole label and whether it is still there.
pub(super) async fn by_alias(
    link: &Link,
    keys: &Keys,
    alias: &HostLabel,
) -> Result<Option<ContextKey>, RedisStoreError> {
    let names = keys.names(Shard::of(alias));
    let name: Option<String> = link
        .query("HGET", cmd("HGET").arg(names).arg(id(alias)))
        .await?;
    let Some(name) = name else {
        return Ok(None);
    };
    let key: ContextKey = name
        .parse()
        .map_err(|_| RedisStoreError::Strange { what: "HGET" })?;
    let own: Option<String> = link
        .query("HGET", cmd("HGET").arg(keys.record(&key)).arg("a"))
        .await?;
    Ok(own.is_some_and(|own| own == alias.as_str()).then_some(key))
}
