//! Previews whose retention has run out, and the clearing up of the index along with them.
//!
//! A shard's `expiry` says when a context is to be looked at: at its expiry, or earlier where that could not be written. So
//! what is due is looked at. What has expired is answered; anything else is moved to its real time, or forgotten where its
//! record is gone. What stands at a wrong time is corrected before anything is answered, so the order is right too. Nobody
//! else's look is put off: a correction holds only where nothing changed since, neither the time that it stood at nor the
//! instant of its newest event.

use foreshow_contract::{ContextKey, Timestamp};
use foreshow_engine::ContextRecord;
use futures_util::future::{try_join, try_join_all};
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
type Expired = (Timestamp, ContextKey, ContextRecord);

pub(super) struct Sweep<'a> {
    pub(super) link: &'a Link,
    pub(super) keys: &'a Keys,
    /// What expired before is not asked for.
    pub(super) since: Timestamp,
    pub(super) now: Timestamp,
    pub(super) limit: usize,
    /// How long a record with nothing live is kept.
    pub(super) keep: std::time::Duration,
}

/// Where a context stands, as seen before its record was read, and where it belongs.
struct Correction {
    id: String,
    /// In `expiry`.
    seen: f64,
    /// In `changed`.
    changed: Option<f64>,
    /// `None` where it is gone.
    right: Option<Timestamp>,
}

/// What a look at a context came to.
enum Look {
    Expired(Timestamp),
    At(Timestamp),
    Gone,
}

impl Sweep<'_> {
    /// Oldest first.
    pub(super) async fn run(&self) -> Result<Vec<(ContextKey, ContextRecord)>, RedisStoreError> {
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
        expired.sort_by(|(a, of_a, _), (b, of_b, _)| (a, of_a).cmp(&(b, of_b)));
        expired.truncate(self.limit);
        Ok(expired
            .into_iter()
            .map(|(_, key, record)| (key, record))
            .collect())
    }

    /// What has expired of the first that are due, and whether all of those stood at their right times.
    async fn shard(&self, shard: Shard) -> Result<(Vec<Expired>, bool), RedisStoreError> {
        let (expired, corrections) = self.due(shard).await?;
        self.correct(shard, &corrections).await?;
        Ok((expired, corrections.is_empty()))
    }

    /// What has expired of the first that are due, and what of those stands at a wrong time.
    async fn due(&self, shard: Shard) -> Result<(Vec<Expired>, Vec<Correction>), RedisStoreError> {
        let mut command = cmd("ZRANGEBYSCORE");
        command
            .arg(self.keys.expiry(shard))
            .arg(instant(self.since))
            .arg(instant(self.now))
            .arg("WITHSCORES")
            .arg("LIMIT")
            .arg(0)
            .arg(self.limit.min(AT_ONCE));
        let due: Vec<Scored> = self.link.query("ZRANGEBYSCORE", &command).await?;
        let ids: Vec<&str> = due.iter().map(|(id, _)| id.as_str()).collect();
        let (named, changed) = try_join(
            names(self.link, self.keys, shard, &ids),
            self.changed(shard, &ids),
        )
        .await?;
        let records = try_join_all(named.iter().map(async |key| match key {
            Some(key) => reading::record(self.link, self.keys, key).await,
            None => Ok(None),
        }))
        .await?;
        let mut expired = Vec::new();
        let mut corrections = Vec::new();
        let seen = due.into_iter().zip(changed);
        for (((id, seen), changed), (key, record)) in seen.zip(named.into_iter().zip(records)) {
            let right = match self.look(record.as_ref()) {
                Look::Expired(at) => {
                    if at >= self.since {
                        expired.extend(key.zip(record).map(|(key, record)| (at, key, record)));
                    }
                    Some(at)
                }
                Look::At(at) => Some(at),
                Look::Gone => None,
            };
            #[expect(
                clippy::float_cmp,
                reason = "both are made of whole numbers in the same way"
            )]
            let is_right = right.is_some_and(|at| score(at) == seen);
            if !is_right {
                corrections.push(Correction {
                    id,
                    seen,
                    changed,
                    right,
                });
            }
        }
        Ok((expired, corrections))
    }

    async fn changed(
        &self,
        shard: Shard,
        ids: &[&str],
    ) -> Result<Vec<Option<f64>>, RedisStoreError> {
        let key = self.keys.changed(shard);
        let scores = ids.iter().map(async |id| {
            let command = cmd("ZSCORE").arg(&key).arg(*id).to_owned();
            self.link.query("ZSCORE", &command).await
        });
        try_join_all(scores).await
    }

    fn look(&self, record: Option<&ContextRecord>) -> Look {
        match record {
            None => Look::Gone,
            Some(ContextRecord {
                live: Some(_),
                expires_at: Some(at),
                ..
            }) => {
                if *at <= self.now {
                    Look::Expired(*at)
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
        corrections: &[Correction],
    ) -> Result<(), RedisStoreError> {
        if corrections.is_empty() {
            return Ok(());
        }
        let call = Call::of(&CORRECT)
            .key(self.keys.names(shard))
            .key(self.keys.changed(shard))
            .key(self.keys.expiry(shard));
        let call = corrections.iter().fold(call, |call, correction| {
            let changed = correction.changed.map(|at| at.to_string());
            call.arg(correction.id.as_str())
                .arg(correction.seen.to_string())
                .arg(changed.unwrap_or_default())
                .arg(correction.right.map(instant).unwrap_or_default())
        });
        self.link.call(&call).await?.decode::<Done>().map(|Done| ())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use foreshow_conformance::store::{HandClock, alias, key};
    use foreshow_engine::Clock as _;

    use super::{
        super::testing::{Parts, parts},
        *,
    };

    const KEEP: Duration = Duration::from_hours(24 * 30);

    #[tokio::test]
    async fn a_correction_leaves_alone_what_was_claimed_since_the_look() {
        let clock = HandClock::new();
        let Parts {
            link,
            keys,
            index,
            shared,
        } = parts(&clock);
        let label = alias(&key("a"));
        let shard = Shard::of(&label);
        let sweep = |now| Sweep {
            link: &link,
            keys: &keys,
            since: Timestamp::MIN,
            now,
            limit: 9,
            keep: KEEP,
        };
        index.register(&key("a"), &label).await.unwrap();
        clock.advance(LOOK_AGAIN * 2);
        let (expired, corrections) = sweep(clock.now()).due(shard).await.unwrap();
        assert!(expired.is_empty());
        assert_eq!(corrections.len(), 1, "it has no record, so it is forgotten");
        // What is due stays as it is when it is claimed.
        clock.advance(Duration::from_secs(1));
        index.register(&key("a"), &label).await.unwrap();
        sweep(clock.now())
            .correct(shard, &corrections)
            .await
            .unwrap();
        let (_, again) = sweep(clock.now()).due(shard).await.unwrap();
        assert_eq!(again.len(), 1, "it is still there");
        assert_eq!(again[0].seen.to_string(), corrections[0].seen.to_string());
        // Nobody came in between, so it is.
        sweep(clock.now()).correct(shard, &again).await.unwrap();
        let (_, left) = sweep(Timestamp::MAX).due(shard).await.unwrap();
        assert!(left.is_empty());
        shared.close().await;
    }
}
