//! What happened last: the shards' streams, put together.

use foreshow_contract::ContextKey;
use foreshow_engine::{Happening, HistoryEntry};
use futures_util::future::try_join_all;
use redis::{Value, cmd};

use super::{
    error::RedisStoreError,
    keys::{Keys, Shard},
    link::Link,
    reading,
    text::{to_instant, to_place},
};

/// When Redis took an entry: its milliseconds and a number within them. What has one and the same instant is told in this
/// order.
type Taken = (u64, u64);

/// Newest first.
pub(super) async fn newest(
    link: &Link,
    keys: &Keys,
    key: Option<&ContextKey>,
    limit: usize,
) -> Result<Vec<HistoryEntry>, RedisStoreError> {
    // Of one context any number may be wanted from among the others'; a shard's stream is short enough to be read whole.
    let (shards, count) = match key {
        None => (Shard::all().collect(), Some(limit)),
        Some(key) => (shards_of(link, keys, key).await?, None),
    };
    if limit == 0 {
        return Ok(Vec::new());
    }
    let read = shards.iter().map(|shard| read(link, keys, *shard, count));
    let mut entries: Vec<(Taken, HistoryEntry)> = try_join_all(read)
        .await?
        .into_iter()
        .flatten()
        .filter(|(_, entry)| key.is_none_or(|key| entry.key == *key))
        .collect();
    entries.sort_by(|(taken_a, a), (taken_b, b)| (b.at, taken_b).cmp(&(a.at, taken_a)));
    let mut entries: Vec<HistoryEntry> = entries.into_iter().map(|(_, entry)| entry).collect();
    // A write whose answer was lost was made twice.
    entries.dedup();
    entries.truncate(limit);
    Ok(entries)
}

/// Where a context's entries are: its record has its alias. Without a record they may be anywhere.
async fn shards_of(
    link: &Link,
    keys: &Keys,
    key: &ContextKey,
) -> Result<Vec<Shard>, RedisStoreError> {
    Ok(match reading::record(link, keys, key).await? {
        Some(record) => vec![Shard::of(&record.alias)],
        None => Shard::all().collect(),
    })
}

async fn read(
    link: &Link,
    keys: &Keys,
    shard: Shard,
    count: Option<usize>,
) -> Result<Vec<(Taken, HistoryEntry)>, RedisStoreError> {
    let mut command = cmd("XREVRANGE");
    command.arg(keys.history(shard)).arg("+").arg("-");
    if let Some(count) = count {
        command.arg("COUNT").arg(count);
    }
    let entries: Vec<Value> = link.query("XREVRANGE", &command).await?;
    // Entries that can't be read are of a newer version, in which more can happen.
    Ok(entries.into_iter().filter_map(parse).collect())
}

fn parse(entry: Value) -> Option<(Taken, HistoryEntry)> {
    let (id, fields): (String, Vec<(String, Vec<u8>)>) = redis::from_redis_value(entry).ok()?;
    let (ms, number) = id.split_once('-')?;
    let taken = (ms.parse().ok()?, number.parse().ok()?);
    let field = |name: &str| {
        let found = fields.iter().find(|(field, _)| field == name);
        found.map(|(_, value)| value.as_slice())
    };
    let word = |name: &str| std::str::from_utf8(field(name)?).ok();
    let by = match field("since") {
        Some(since) => Some((word("by")?.to_owned(), to_instant(since)?)),
        None => None,
    };
    let entry = HistoryEntry {
        at: to_instant(field("at")?)?,
        key: word("of")?.parse().ok()?,
        ordinal: to_place(field("place")?)?,
        what: Happening::from_word(word("end")?)?,
        detail: word("detail")?.to_owned(),
        by,
    };
    Some((taken, entry))
}
