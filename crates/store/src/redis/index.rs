//! The index: what is searched for among all contexts, in [shards](super::keys::SHARDS) of one slot each.
//!
//! It is in other slots than the records, so it is not written in their steps. What keeps it right all the same:
//!
//! - With every claim, in the same round trip, the context is registered (`register.lua`): its name is there, `changed` is no
//!   older than its newest event, and its expiry is looked at within [`LOOK_AGAIN`]. Whatever changes a context goes through
//!   a claim first, so from then on the index errs on the safe side alone.
//! - What a step really led to follows a moment later, off the deploy's way, here: many writes to a shard in one call. Lost
//!   with its process, it leaves a look that comes early, never one that comes late; [`super::expired`] corrects that.
//!   A touch, which claims nothing, only ever prolongs.
//! - Reads of this process are preceded by its own writes.
//!
//! The history is for people: the last entries of a killed process may be missing from it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use foreshow_contract::{ContextKey, HostLabel, Timestamp};
use foreshow_engine::HistoryEntry;
use futures_util::future::join_all;
use tokio::{sync::Notify, time::sleep};
use tracing::{debug, warn};

use super::{
    answers::Done,
    clock::StoreClock,
    error::RedisStoreError,
    keys::{Keys, SHARDS, Shard, id},
    link::Link,
    metrics,
    scripts::{Call, INDEX, REGISTER},
    text::{instant, place, span},
};

/// How soon after a claim a context is looked at, whatever was lost since.
pub(super) const LOOK_AGAIN: Duration = Duration::from_hours(1);

/// How long a write waits for others, such as the end of what has just gone live.
const LINGER: Duration = Duration::from_millis(250);

/// How long after a failed write the next one is tried.
const RETRY: Duration = Duration::from_secs(1);

/// Writes that wait at most: while Redis is away nothing much happens either.
const WAITING: usize = 10_000;

/// Writes in one call: some tens of microseconds of Redis's one thread.
const AT_ONCE: usize = 100;

/// Entries of history kept, in all shards together; Redis keeps some tens more of each.
const HISTORY: usize = 10_000;

/// Registers contexts, and writes to the index behind what happens.
pub(super) struct Index {
    link: Arc<Link>,
    keys: Keys,
    clock: StoreClock,
    pending: Mutex<Pending>,
    wake: Notify,
    /// Held while writes are on their way.
    flushing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Pending {
    /// Of each context the newest.
    looks: HashMap<(Shard, String), Look>,
    entries: Vec<(Shard, HistoryEntry)>,
}

/// When a context is to be looked at, as a step left it.
struct Look {
    name: String,
    at: Timestamp,
    next: Timestamp,
}

enum Write {
    Look(String, Look),
    Entry(HistoryEntry),
}

impl Index {
    pub(super) fn new(link: Arc<Link>, keys: Keys, clock: StoreClock) -> Self {
        Self {
            link,
            keys,
            clock,
            pending: Mutex::default(),
            wake: Notify::new(),
            flushing: tokio::sync::Mutex::default(),
        }
    }

    /// Registers a context that is being claimed.
    pub(super) async fn register(
        &self,
        key: &ContextKey,
        alias: &HostLabel,
    ) -> Result<(), RedisStoreError> {
        let shard = Shard::of(alias);
        let call = Call::of(&REGISTER)
            .key(self.keys.names(shard))
            .key(self.keys.changed(shard))
            .key(self.keys.expiry(shard))
            .arg(self.clock.given())
            .arg(id(alias))
            .arg(key.to_string())
            .arg(span(LOOK_AGAIN));
        self.link.call(&call).await?.decode::<Done>().map(|Done| ())
    }

    /// A step at `at` led to a look at `look_at`.
    pub(super) fn look(
        &self,
        key: &ContextKey,
        alias: &HostLabel,
        at: Timestamp,
        look_at: Timestamp,
    ) {
        let look = Look {
            name: key.to_string(),
            at,
            next: look_at,
        };
        let place = (Shard::of(alias), id(alias).to_owned());
        let mut pending = self.pending();
        if pending.looks.len() < WAITING || pending.looks.contains_key(&place) {
            pending.looks.insert(place, look);
        } else {
            metrics::index_dropped(1);
        }
        drop(pending);
        self.wake.notify_one();
    }

    /// Something to remember.
    pub(super) fn remember(&self, alias: &HostLabel, entry: HistoryEntry) {
        let mut pending = self.pending();
        if pending.entries.len() < WAITING {
            pending.entries.push((Shard::of(alias), entry));
        } else {
            metrics::index_dropped(1);
        }
        drop(pending);
        self.wake.notify_one();
    }

    /// Writes what waits, for as long as anybody has a handle of the store.
    pub(super) async fn keep(self: Arc<Self>) {
        let mut is_failing = false;
        loop {
            self.wake.notified().await;
            sleep(LINGER).await;
            while let Err(error) = self.flush().await {
                tell(&error, is_failing);
                is_failing = true;
                sleep(RETRY.mul_f64(1.0 + fastrand::f64())).await;
            }
            is_failing = false;
        }
    }

    /// Writes what waits. What can't be written waits on.
    pub(super) async fn flush(&self) -> Result<(), RedisStoreError> {
        let _flushing = self.flushing.lock().await;
        let waiting = std::mem::take(&mut *self.pending());
        let mut shards: HashMap<Shard, Vec<Write>> = HashMap::new();
        for ((shard, id), look) in waiting.looks {
            shards.entry(shard).or_default().push(Write::Look(id, look));
        }
        for (shard, entry) in waiting.entries {
            shards.entry(shard).or_default().push(Write::Entry(entry));
        }
        let writes = shards
            .into_iter()
            .map(|(shard, writes)| self.write(shard, writes));
        let mut outcome = Ok(());
        for (shard, left, error) in join_all(writes).await.into_iter().flatten() {
            self.put_back(shard, left);
            outcome = Err(error);
        }
        outcome
    }

    /// Answers with what is left where it fails.
    async fn write(
        &self,
        shard: Shard,
        mut writes: Vec<Write>,
    ) -> Option<(Shard, Vec<Write>, RedisStoreError)> {
        while !writes.is_empty() {
            let some = writes.len().min(AT_ONCE);
            let call = Call::of(&INDEX)
                .key(self.keys.names(shard))
                .key(self.keys.changed(shard))
                .key(self.keys.expiry(shard))
                .key(self.keys.history(shard))
                .arg((HISTORY / usize::from(SHARDS)).to_string());
            let call = writes[..some].iter().fold(call, |call, write| match write {
                Write::Look(id, look) => call
                    .arg("look")
                    .arg(id.as_str())
                    .arg(look.name.as_str())
                    .arg(instant(look.at))
                    .arg(instant(look.next)),
                Write::Entry(entry) => call
                    .arg("entry")
                    .arg(instant(entry.at))
                    .arg(entry.key.to_string())
                    .arg(place(entry.ordinal))
                    .arg(entry.outcome.word())
                    .arg(entry.detail.as_str()),
            });
            let written = self.link.call(&call).await;
            if let Err(error) = written.and_then(super::answers::Answer::decode::<Done>) {
                return Some((shard, writes, error));
            }
            writes.drain(..some);
        }
        None
    }

    fn put_back(&self, shard: Shard, left: Vec<Write>) {
        let mut pending = self.pending();
        let newer = std::mem::take(&mut pending.entries);
        for write in left {
            match write {
                Write::Look(id, look) => {
                    pending.looks.entry((shard, id)).or_insert(look);
                }
                Write::Entry(entry) => pending.entries.push((shard, entry)),
            }
        }
        pending.entries.extend(newer);
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Once aloud.
fn tell(error: &RedisStoreError, again: bool) {
    let error = error as &dyn std::error::Error;
    if again {
        debug!(
            error,
            "the index of contexts could not be written; trying on"
        );
    } else {
        warn!(
            error,
            "the index of contexts could not be written; trying on"
        );
    }
}
