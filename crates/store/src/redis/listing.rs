//! Contexts, newest change first, out of all shards.
//!
//! `changed` holds for each context an instant that is not before its newest event, and may be after it (somebody asked
//! again, or a step followed). So candidates are taken in its order, their records are read, and it is done once the last of those found is no
//! older than the next candidate could be.

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
};

use foreshow_contract::{ContextKey, TenantId, Timestamp};
use foreshow_engine::{ContextRecord, ContextSummary};
use futures_util::future::try_join_all;
use redis::cmd;

use super::{
    error::RedisStoreError,
    keys::{Keys, Shard},
    link::Link,
    reading,
};

/// Candidates read at once, whatever the limit.
const AT_ONCE: (usize, usize) = (16, 256);

/// An id of the index and its score.
pub(super) type Scored = (String, f64);

/// An instant as a score: exact until the year 2255, and in order beyond.
#[expect(clippy::cast_precision_loss, reason = "see above")]
pub(super) fn score(at: Timestamp) -> f64 {
    at.as_micros() as f64
}

pub(super) async fn contexts(
    link: &Link,
    keys: &Keys,
    tenant: Option<&TenantId>,
    limit: usize,
) -> Result<Vec<ContextSummary>, RedisStoreError> {
    let mut listing = Listing {
        link,
        keys,
        tenant,
        limit,
        seen: HashSet::new(),
        found: Vec::new(),
    };
    if limit > 0 {
        listing.search().await?;
    }
    let summaries = listing.found.into_iter().map(|(key, record)| async {
        let fence = record.last_reset.as_ref().map(|reset| reset.fence);
        let last = reading::outcome_since(link, keys, &key, record.desired, fence).await?;
        Ok(ContextSummary { key, record, last })
    });
    try_join_all(summaries).await
}

/// The names of ids; `None` of those that the index has forgotten.
pub(super) async fn names(
    link: &Link,
    keys: &Keys,
    shard: Shard,
    ids: &[&str],
) -> Result<Vec<Option<ContextKey>>, RedisStoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<Option<String>> = link
        .query("HMGET", cmd("HMGET").arg(keys.names(shard)).arg(ids))
        .await?;
    Ok(names
        .into_iter()
        .map(|name| name.and_then(|name| name.parse().ok()))
        .collect())
}

struct Listing<'a> {
    link: &'a Link,
    keys: &'a Keys,
    tenant: Option<&'a TenantId>,
    limit: usize,
    seen: HashSet<ContextKey>,
    /// The newest so far, at most `limit`.
    found: Vec<(ContextKey, ContextRecord)>,
}

impl Listing<'_> {
    async fn search(&mut self) -> Result<(), RedisStoreError> {
        let page = self.limit.clamp(AT_ONCE.0, AT_ONCE.1);
        let mut open: Vec<Shard> = Shard::all().collect();
        let mut candidates: Vec<(Shard, Scored)> = Vec::new();
        let mut offset = 0;
        while !open.is_empty() {
            let pages = open.iter().map(|shard| self.page(*shard, offset, page));
            let pages = try_join_all(pages).await?;
            // Nothing that is still to be fetched has a higher score.
            let mut frontier = f64::NEG_INFINITY;
            let mut still_open = Vec::new();
            for (shard, scored) in open.into_iter().zip(pages) {
                if let Some((_, last)) = scored.last().filter(|_| scored.len() == page) {
                    frontier = frontier.max(*last);
                    still_open.push(shard);
                }
                candidates.extend(scored.into_iter().map(|scored| (shard, scored)));
            }
            candidates.sort_by(|(_, (_, a)), (_, (_, b))| b.total_cmp(a));
            let sure = candidates.partition_point(|(_, (_, score))| *score >= frontier);
            let later = candidates.split_off(sure);
            for some in candidates.chunks(page) {
                if self.is_done(some[0].1.1) {
                    return Ok(());
                }
                self.look_at(some).await?;
            }
            if self.is_done(frontier) {
                return Ok(());
            }
            candidates = later;
            open = still_open;
            offset += page;
        }
        self.look_at(&candidates).await
    }

    /// Whether nothing up to this score can belong among those found.
    fn is_done(&self, next: f64) -> bool {
        let last = self.found.get(self.limit - 1);
        last.is_some_and(|(_, record)| score(record.desired_at) >= next)
    }

    async fn page(
        &self,
        shard: Shard,
        offset: usize,
        page: usize,
    ) -> Result<Vec<Scored>, RedisStoreError> {
        let mut command = cmd("ZREVRANGE");
        command
            .arg(self.keys.changed(shard))
            .arg(offset)
            .arg(offset + page - 1)
            .arg("WITHSCORES");
        self.link.query("ZREVRANGE", &command).await
    }

    async fn look_at(&mut self, candidates: &[(Shard, Scored)]) -> Result<(), RedisStoreError> {
        let mut of_shards: HashMap<Shard, Vec<&str>> = HashMap::new();
        for (shard, (id, _)) in candidates {
            of_shards.entry(*shard).or_default().push(id);
        }
        let named = of_shards
            .iter()
            .map(|(shard, ids)| names(self.link, self.keys, *shard, ids));
        let named: Vec<ContextKey> = try_join_all(named)
            .await?
            .into_iter()
            .flatten()
            .flatten()
            .filter(|key| self.tenant.is_none_or(|tenant| key.tenant == *tenant))
            .filter(|key| self.seen.insert(key.clone()))
            .collect();
        let records = named
            .iter()
            .map(|key| reading::record(self.link, self.keys, key));
        let records = try_join_all(records).await?;
        // A context without a record is gone; the sweep clears up after it.
        let found = named
            .into_iter()
            .zip(records)
            .filter_map(|(key, record)| Some((key, record?)));
        self.found.extend(found);
        self.found.sort_by(|(a, of_a), (b, of_b)| {
            (Reverse(of_a.desired_at), a).cmp(&(Reverse(of_b.desired_at), b))
        });
        self.found.truncate(self.limit);
        Ok(())
    }
}
