//! Previews whose retention has run out, and the clearing up of the index along with them.
//!
//! A shard's `expiry` says when a context is to be looked at: at its expiry, or earlier where that could not be written. So
//! what is due is looked at. What has expired is answered; anything else is moved to its real time, or forgotten where its
//! record is gone. What stands at a wrong time is corrected before anything is answered, so the order is right too. Nobody
//! else's look is put off: a correction holds only where nothing changed since.

use foreshow_contract::{ContextKey, Revision, Timestamp};
use foreshow_engine::ContextRecord;
use futures_util::future::try_join_all;
use redis::cmd;

use super::{
    answers::Done,
    error::RedisStoreError,
    index::LOOK_AGAIN,
    keys::{Keys, Shard},
    link::Link,
    listing::{Scored, names, score},
    reading,
    scripts::{CORRECT, Call},
    text::instant,
};

/// How often it is begun again after corrections. Each time more is right, so it ends long before.
const ROUNDS: usize = 100;

/// Contexts looked at in one round and shard, at most.
const AT_ONCE: usize = 256;

/// A preview that has expired, with its time.
type Expired = (Timestamp, ContextKey, Revision);

pub(super) struct Sweep<'a> {
    pub(super) link: &'a Link,
    pub(super) keys: &'a Keys,
    pub(super) now: Timestamp,
    pub(super) limit: usize,
    /// How long a record with nothing live is kept.
    pub(super) keep: std::time::Duration,
}

/// What a look at a context came to.
enum Look {
    Expired(Timestamp, Revision),
    At(Timestamp),
    Gone,
}

impl Sweep<'_> {
    /// Oldest first.
    pub(super) async fn run(&self) -> Result<Vec<(ContextKey, Revision)>, RedisStoreError> {
        let mut expired: Vec<Expired> = Vec::new();
        for _ in 0..ROUNDS {
            let shards = try_join_all(Shard::all().map(|shard| self.shard(shard))).await?;
            let is_right = shards.iter().all(|(_, is_right)| *is_right);
            expired = shards
                .into_iter()
                .flat_map(|(expired, _)| expired)
                .collect();
            if is_right {
                break;
            }
        }
        expired.sort();
        expired.truncate(self.limit);
        Ok(expired
            .into_iter()
            .map(|(_, key, revision)| (key, revision))
            .collect())
    }

    /// What has expired of the first that are due, and whether all of those stood at their right times.
    async fn shard(&self, shard: Shard) -> Result<(Vec<Expired>, bool), RedisStoreError> {
        let mut command = cmd("ZRANGEBYSCORE");
        command
            .arg(self.keys.expiry(shard))
            .arg("-inf")
            .arg(instant(self.now))
            .arg("WITHSCORES")
            .arg("LIMIT")
            .arg(0)
            .arg(self.limit.min(AT_ONCE));
        let due: Vec<Scored> = self.link.query("ZRANGEBYSCORE", &command).await?;
        let ids: Vec<&str> = due.iter().map(|(id, _)| id.as_str()).collect();
        let named = names(self.link, self.keys, shard, &ids).await?;
        let records = try_join_all(named.iter().map(async |key| match key {
            Some(key) => reading::record(self.link, self.keys, key).await,
            None => Ok(None),
        }))
        .await?;
        let mut expired = Vec::new();
        let mut corrections = Vec::new();
        for ((scored, key), record) in due.iter().zip(named).zip(records) {
            let right = match self.look(record.as_ref()) {
                Look::Expired(at, revision) => {
                    expired.extend(key.map(|key| (at, key, revision)));
                    Some(at)
                }
                Look::At(at) => Some(at),
                Look::Gone => None,
            };
            #[expect(
                clippy::float_cmp,
                reason = "both are made of whole numbers in the same way"
            )]
            let is_right = right.is_some_and(|at| score(at) == scored.1);
            if !is_right {
                corrections.push((scored, right));
            }
        }
        self.correct(shard, &corrections).await?;
        Ok((expired, corrections.is_empty()))
    }

    fn look(&self, record: Option<&ContextRecord>) -> Look {
        match record {
            None => Look::Gone,
            Some(ContextRecord {
                live: Some(live),
                expires_at: Some(at),
                ..
            }) => {
                if *at <= self.now {
                    Look::Expired(*at, live.revision)
                } else {
                    Look::At(*at)
                }
            }
            // Something may go live yet.
            Some(ContextRecord { lease: Some(_), .. }) => {
                Look::At(self.now.saturating_add(LOOK_AGAIN))
            }
            // By then the record is gone, unless a claim has come, which brings a look of its own.
            Some(_) => Look::At(self.now.saturating_add(self.keep)),
        }
    }

    async fn correct(
        &self,
        shard: Shard,
        corrections: &[(&Scored, Option<Timestamp>)],
    ) -> Result<(), RedisStoreError> {
        if corrections.is_empty() {
            return Ok(());
        }
        let call = Call::of(&CORRECT)
            .key(self.keys.names(shard))
            .key(self.keys.changed(shard))
            .key(self.keys.expiry(shard));
        let call = corrections.iter().fold(call, |call, ((id, seen), right)| {
            call.arg(id.as_str())
                .arg(seen.to_string())
                .arg(right.map(instant).unwrap_or_default())
        });
        self.link.call(&call).await?.decode::<Done>().map(|Done| ())
    }
}
