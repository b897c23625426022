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
//! Each shard also knows whether it has its whole memory (`memory`), and says so as it registers a context, which spares a
//! claim the question.
//!
//! The history is for people: the last entries of a killed process may be missing from it.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use foreshow_contract::{ContextKey, HostLabel, Timestamp};
use foreshow_engine::HistoryEntry;
use futures_util::future::join_all;
use tokio::{
    sync::{Notify, OwnedMutexGuard},
    task::JoinError,
    time::sleep,
};
use tracing::{debug, warn};

use super::{
    answers::{Done, Registered},
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
    flushing: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Default)]
struct Pending {
    /// Of each context the newest.
    looks: HashMap<(Shard, String), Look>,
    entries: Vec<(Shard, HistoryEntry)>,
}

impl Pending {
    /// Of two that a step at one instant led to, the one that came last counts.
    fn expect(&mut self, place: (Shard, String), look: Look) {
        match self.looks.entry(place) {
            Entry::Occupied(mut known) if known.get().at <= look.at => {
                known.insert(look);
            }
            Entry::Occupied(_) => {}
            Entry::Vacant(free) => {
                free.insert(look);
            }
        }
    }

    /// It came before any that waits.
    fn put_back(&mut self, place: (Shard, String), look: Look) {
        match self.looks.entry(place) {
            Entry::Occupied(mut known) if known.get().at < look.at => {
                known.insert(look);
            }
            Entry::Occupied(_) => {}
            Entry::Vacant(free) => {
                free.insert(look);
            }
        }
    }
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
            flushing: Arc::default(),
        }
    }

    /// Registers a context that is being claimed or seeded, and tells whether its shard has its whole memory.
    pub(super) async fn register(
        &self,
        key: &ContextKey,
        alias: &HostLabel,
    ) -> Result<Registered, RedisStoreError> {
        let shard = Shard::of(alias);
        let call = Call::of(&REGISTER)
            .key(self.keys.names(shard))
            .key(self.keys.changed(shard))
            .key(self.keys.expiry(shard))
            .key(self.keys.memory(shard))
            .arg(self.clock.given())
            .arg(id(alias))
            .arg(key.to_string())
            .arg(span(LOOK_AGAIN));
        self.link.call(&call).await?.decode()
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
            pending.expect(place, look);
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

    /// Writes what waits. What can't be written waits on. Once begun it goes on to its end, whether or not its caller waits:
    /// what is taken out to be written is nowhere else.
    pub(super) async fn flush(self: &Arc<Self>) -> Result<(), RedisStoreError> {
        let flushing = Arc::clone(&self.flushing).lock_owned().await;
        let written = tokio::spawn(Arc::clone(self).write_all(flushing)).await;
        match written.map_err(JoinError::try_into_panic) {
            Ok(written) => written,
            Err(Ok(panic)) => std::panic::resume_unwind(panic),
            // The runtime ends, and the caller with it.
            Err(Err(_cancelled)) => std::future::pending().await,
        }
    }

    async fn write_all(
        self: Arc<Self>,
        _flushing: OwnedMutexGuard<()>,
    ) -> Result<(), RedisStoreError> {
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
                Write::Entry(entry) => {
                    let (worker, since) = match &entry.by {
                        Some((worker, since)) => (worker.as_str(), instant(*since)),
                        None => ("", String::new()),
                    };
                    call.arg("entry")
                        .arg(instant(entry.at))
                        .arg(entry.key.to_string())
                        .arg(place(entry.ordinal))
                        .arg(entry.what.word())
                        .arg(entry.detail.as_str())
                        .arg(since)
                        .arg(worker)
                }
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
                Write::Look(id, look) => pending.put_back((shard, id), look),
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

#[cfg(test)]
mod tests {
    use foreshow_conformance::store::{HandClock, alias, key, up};
    use foreshow_contract::OutcomeKind;
    use foreshow_engine::{Clock as _, Happening};
    use futures_util::FutureExt as _;
    use redis::cmd;

    use super::{
        super::{
            listing::{Scored, score},
            testing::{Parts, parts},
        },
        *,
    };

    const MINUTE: Duration = Duration::from_mins(1);

    impl Parts {
        /// When the one context is looked at.
        async fn look_at(&self) -> f64 {
            let expiry = self.keys.expiry(Shard::of(&alias(&key("a"))));
            let command = cmd("ZRANGE")
                .arg(expiry)
                .arg(&[0, -1])
                .arg("WITHSCORES")
                .to_owned();
            let all: Vec<Scored> = self.link.query("ZRANGE", &command).await.unwrap();
            let [(_, at)] = all.as_slice() else {
                panic!("{all:?}")
            };
            *at
        }

        fn look(&self, at: Timestamp, look_at: Timestamp) {
            self.index.look(&key("a"), &alias(&key("a")), at, look_at);
        }
    }

    #[tokio::test]
    async fn what_is_being_written_is_not_lost_with_the_one_who_waits_for_it() {
        let clock = HandClock::new();
        let parts = parts(&clock);
        let label = alias(&key("a"));
        let soon = clock.now().saturating_add(MINUTE);
        parts.look(clock.now(), soon);
        parts.index.remember(
            &label,
            HistoryEntry {
                at: clock.now(),
                key: key("a"),
                ordinal: up(1),
                what: Happening::Ended(OutcomeKind::Removed),
                detail: String::new(),
                by: None,
            },
        );
        // Given up at the first wait, with everything taken out.
        assert!(parts.index.flush().now_or_never().is_none());
        parts.index.flush().await.unwrap();
        assert_eq!(parts.look_at().await.to_string(), score(soon).to_string());
        let history = parts.keys.history(Shard::of(&label));
        let command = cmd("XLEN").arg(history).to_owned();
        let entries: u64 = parts.link.query("XLEN", &command).await.unwrap();
        assert_eq!(entries, 1);
        parts.shared.close().await;
    }

    #[tokio::test]
    async fn of_steps_that_come_late_the_newest_counts() {
        let clock = HandClock::new();
        let parts = parts(&clock);
        let (soon, late) = (MINUTE, MINUTE * 60 * 24);
        let after = |span: Duration| clock.now().saturating_add(span);
        let label = alias(&key("a"));
        parts.index.register(&key("a"), &label).await.unwrap();
        let [first, second, third, fourth] = [1, 2, 3, 4].map(|n| after(MINUTE / 60 * n));
        // One after the other.
        parts.look(second, after(soon));
        parts.index.flush().await.unwrap();
        parts.look(first, after(late));
        parts.index.flush().await.unwrap();
        let at = parts.look_at().await;
        assert_eq!(at.to_string(), score(after(soon)).to_string());
        // In one call.
        parts.look(fourth, after(soon * 2));
        parts.look(third, after(late));
        parts.index.flush().await.unwrap();
        let at = parts.look_at().await;
        assert_eq!(at.to_string(), score(after(soon * 2)).to_string());
        parts.shared.close().await;
    }
}
