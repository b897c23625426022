//! The handle, and the port's methods as calls.

use std::{future::Future, sync::Arc, time::Duration};

use async_trait::async_trait;
use foreshow_contract::{ContextKey, HostLabel, Ordinal, Revision, TenantId, Timestamp};
use foreshow_engine::{
    Admission, AdmitRequest, Claim, Claimed, Clock, ContextRecord, ContextSummary, GoLive,
    HistoryEntry, Lease, LeaseId, Live, Outcome, QuotaMember, QuotaSet, RecordedDeployment,
    Recording, Renewal, SettledOutcome, Settlement, Settling, Store, StoreError, Watch,
    notices::NoticeBoard,
};
use redis::cmd;
use tokio::{sync::oneshot, time::Instant};
use tokio_util::task::AbortOnDropHandle;

use super::{
    answers::{
        AdmitAnswer, ClaimAnswer, Decode, Done, RecordAnswer, ReleaseAnswer, RenewAnswer,
        SettleAnswer, TouchAnswer, UsedAnswer,
    },
    clock::StoreClock,
    connect::Target,
    error::{RedisStoreError, on},
    expired::Sweep,
    fields, history,
    index::Index,
    keys::Keys,
    link::Link,
    listing, metrics,
    options::RedisOptions,
    outcomes, reading,
    scripts::{ADMIT, CLAIM, Call, GO_LIVE, PROLONG, RECORD, RELEASE, RENEW, SETTLE, TOUCH, USED},
    text::{instant, number, place, span},
    url::RedisUrl,
    watching::{self, RedisWatch},
};

/// The longest life that a key is given: Redis refuses what leads beyond its own reckoning.
const LONGEST_LIFE: Duration = Duration::from_hours(24 * 365 * 100);

/// The store in Redis. Cheap to clone; the last clone takes its connections with it.
#[derive(Clone)]
pub struct RedisStore {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) link: Arc<Link>,
    pub(super) keys: Keys,
    clock: StoreClock,
    keep_outcomes: Duration,
    index: Arc<Index>,
    board: NoticeBoard,
    _tasks: [AbortOnDropHandle<()>; 2],
}

impl RedisStore {
    /// Starts, and returns at once: for a service that waits for its store, however long it is away.
    ///
    /// # Errors
    /// Where the options can't be used.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start(url: &RedisUrl, options: RedisOptions) -> Result<Self, RedisStoreError> {
        let (store, _subscribed) = Self::assemble(url, &options, StoreClock::of_the_server())?;
        Ok(store)
    }

    /// Connects.
    ///
    /// # Errors
    /// Where the options can't be used, or Redis is not there: once it has been, the store waits for it to come back, but
    /// what never worked is more likely a mistake than a crash. The source tells.
    pub async fn connect(url: &RedisUrl, options: RedisOptions) -> Result<Self, StoreError> {
        Self::connect_with(url, options, StoreClock::of_the_server()).await
    }

    /// For tests: the same on a clock of the caller's. What Redis itself forgets it still forgets by its own.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_on(
        url: &RedisUrl,
        options: RedisOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        Self::connect_with(url, options, StoreClock::given_by(clock)).await
    }

    async fn connect_with(
        url: &RedisUrl,
        options: RedisOptions,
        clock: StoreClock,
    ) -> Result<Self, StoreError> {
        const CONNECT: &str = "connect to Redis";
        let (store, subscribed) = Self::assemble(url, &options, clock).map_err(on(CONNECT))?;
        store.inner.link.connect().await.map_err(on(CONNECT))?;
        // Without notices those who wait poll; so this is no reason to fail.
        tokio::time::timeout(options.connect_timeout, subscribed)
            .await
            .ok();
        Ok(store)
    }

    fn assemble(
        url: &RedisUrl,
        options: &RedisOptions,
        clock: StoreClock,
    ) -> Result<(Self, oneshot::Receiver<()>), RedisStoreError> {
        let target = Target::new(url, options)?;
        let limits = (options.connect_timeout, options.response_timeout);
        let link = Arc::new(Link::new(target, limits.0, limits.1));
        let keys = Keys::new(&options.namespace);
        let board = NoticeBoard::default();
        let (tried, first_try) = oneshot::channel();
        let notices = watching::listen(
            Arc::clone(&link),
            keys.channel(),
            board.clone(),
            options.connect_timeout,
            tried,
        );
        let notices = AbortOnDropHandle::new(tokio::spawn(notices));
        let index = Index::new(Arc::clone(&link), keys.clone(), clock.clone());
        let index = Arc::new(index);
        let writes = AbortOnDropHandle::new(tokio::spawn(Arc::clone(&index).keep()));
        let store = Self {
            inner: Arc::new(Inner {
                link,
                keys,
                clock,
                keep_outcomes: options.keep_outcomes,
                index,
                board,
                _tasks: [notices, writes],
            }),
        };
        Ok((store, first_try))
    }

    /// Writes what still waits to be written behind. Worth a call before a process ends; without it the sweep makes up for
    /// what is lost, and the history lacks its last entries.
    ///
    /// # Errors
    /// Where Redis is away.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.inner
            .index
            .flush()
            .await
            .map_err(on("write the index"))
    }

    /// Asks, and tells the metrics how it went.
    async fn ask<T>(
        &self,
        operation: &'static str,
        asked: impl Future<Output = Result<T, RedisStoreError>>,
    ) -> Result<T, StoreError> {
        let began_at = Instant::now();
        let answer = asked.await;
        metrics::called(operation, began_at.elapsed(), answer.is_err());
        answer.map_err(on(operation))
    }
}

/// How long a record with nothing live is kept, in milliseconds, where it has a lease that lives so long.
fn life_ms(keep: Duration, ttl: Duration) -> String {
    keep.saturating_add(ttl)
        .min(LONGEST_LIFE)
        .as_millis()
        .to_string()
}

impl Inner {
    async fn call<T: Decode>(&self, call: Call) -> Result<T, RedisStoreError> {
        self.link.call(&call).await?.decode()
    }

    async fn claim(&self, claim: &Claim) -> Result<Claimed, RedisStoreError> {
        let key = &claim.key;
        let call = Call::of(&CLAIM)
            .key(self.keys.record(key))
            .key(self.keys.outcome(key, claim.ordinal))
            .arg(self.clock.given())
            .arg(self.keys.channel())
            .arg(key.to_string())
            .arg(place(claim.ordinal))
            .arg(super::text::pack(&claim.digest))
            .arg(claim.alias.as_str())
            .arg(claim.owner.to_string())
            .arg(span(claim.ttl))
            .arg(life_ms(self.keep_outcomes, claim.ttl));
        // One round trip: both travel together.
        let (answer, registered) = tokio::join!(
            self.call::<ClaimAnswer>(call),
            self.index.register(key, &claim.alias)
        );
        let answer = answer?;
        registered?;
        Ok(match answer {
            ClaimAnswer::Unreadable => return Err(reading::unreadable("record", key)),
            ClaimAnswer::Over(stored) => {
                let settled = outcomes::parse(&stored, claim.ordinal)
                    .ok_or_else(|| reading::unreadable("end", key))?;
                if settled.digest == claim.digest {
                    Claimed::Finished(settled)
                } else {
                    Claimed::Conflict
                }
            }
            ClaimAnswer::Stale(by) => Claimed::Stale { by },
            ClaimAnswer::Conflict => Claimed::Conflict,
            ClaimAnswer::Held(until) => Claimed::Held { until },
            ClaimAnswer::Granted(fence, fields) => {
                let record =
                    fields::record(fields).ok_or_else(|| reading::unreadable("record", key))?;
                Claimed::Granted {
                    lease: Lease::granted(LeaseId {
                        key: key.clone(),
                        ordinal: claim.ordinal,
                        owner: claim.owner.clone(),
                        fence,
                    }),
                    record: Box::new(record),
                }
            }
        })
    }

    async fn renew(&self, lease: &LeaseId, ttl: Duration) -> Result<Renewal, RedisStoreError> {
        let call = self
            .under(&RENEW, lease)
            .arg(span(ttl))
            .arg(life_ms(self.keep_outcomes, ttl));
        match self.call(call).await? {
            RenewAnswer::Unreadable => Err(reading::unreadable("record", &lease.key)),
            RenewAnswer::Renewed(desired, floor) => Ok(Renewal::Renewed { desired, floor }),
            RenewAnswer::Lost => Ok(Renewal::Lost),
        }
    }

    /// A call on the lease's record: now, owner, fence.
    fn under(
        &self,
        script: &'static std::sync::LazyLock<super::scripts::Script>,
        lease: &LeaseId,
    ) -> Call {
        Call::of(script)
            .key(self.keys.record(&lease.key))
            .arg(self.clock.given())
            .arg(lease.owner.to_string())
            .arg(number(lease.fence))
    }

    async fn record(
        &self,
        lease: &LeaseId,
        deployment: &RecordedDeployment,
    ) -> Result<Recording, RedisStoreError> {
        let call = self
            .under(&RECORD, lease)
            .arg(lease.ordinal.revision.padded())
            .arg(fields::condemned(&deployment.deployment))
            .arg(life_ms(self.keep_outcomes, Duration::ZERO))
            .fields(fields::building(deployment));
        let answer = self.call(call).await?;
        self.recorded(lease, answer).map(|(recording, _)| recording)
    }

    async fn go_live(
        &self,
        lease: &LeaseId,
        live: &Live,
        expires_at: Timestamp,
        ttl: Duration,
    ) -> Result<GoLive, RedisStoreError> {
        let call = self
            .under(&GO_LIVE, lease)
            .arg(lease.ordinal.revision.padded())
            .arg(fields::condemned(&live.deployment))
            .arg(life_ms(self.keep_outcomes, ttl))
            .arg(span(ttl))
            .arg(instant(expires_at))
            .fields(fields::live(live));
        let answer = self.call(call).await?;
        let (recording, shown) = self.recorded(lease, answer)?;
        if let Some((at, alias)) = shown {
            self.index.look(&lease.key, &alias, at, expires_at);
        }
        Ok(recording)
    }

    #[expect(clippy::type_complexity, reason = "the two parts of an answer")]
    fn recorded(
        &self,
        lease: &LeaseId,
        answer: RecordAnswer,
    ) -> Result<(Recording, Option<(Timestamp, HostLabel)>), RedisStoreError> {
        Ok(match answer {
            RecordAnswer::Unreadable => return Err(reading::unreadable("record", &lease.key)),
            RecordAnswer::Recorded(shown) => (Recording::Recorded, shown),
            RecordAnswer::Ended(by) => (Recording::Ended(by), None),
            RecordAnswer::Condemned => (Recording::Condemned, None),
            RecordAnswer::Lost => (Recording::Lost, None),
        })
    }

    async fn settle(
        &self,
        lease: &LeaseId,
        settlement: &Settlement,
    ) -> Result<Settling, RedisStoreError> {
        let (kind, deployment) = match &settlement.outcome {
            Outcome::Ready(ready) => ("ready", ready.deployment.as_str()),
            Outcome::Failed { .. } => ("failed", ""),
            Outcome::Removed => ("removed", ""),
            Outcome::Superseded { .. } => ("superseded", ""),
        };
        let json = serde_json::to_string(&settlement.outcome)
            .expect("strings, numbers and lists are always JSON");
        let call = Call::of(&SETTLE)
            .key(self.keys.record(&lease.key))
            .key(self.keys.outcome(&lease.key, lease.ordinal))
            .key(self.keys.shown(&lease.key))
            .arg(self.clock.given())
            .arg(self.keys.channel())
            .arg(lease.key.to_string())
            .arg(lease.owner.to_string())
            .arg(number(lease.fence))
            .arg(lease.ordinal.revision.padded())
            .arg(kind)
            .arg(settlement.expires_at.map(instant).unwrap_or_default())
            .arg(life_ms(self.keep_outcomes, Duration::ZERO))
            .arg(json)
            .arg(deployment);
        let kept = settlement.kept.iter();
        let call = kept.fold(call, |call, kept| call.arg(kept.as_str()));
        let (at, alias, expires_at, replaced) = match self.call(call).await? {
            SettleAnswer::Unreadable => return Err(reading::unreadable("record", &lease.key)),
            SettleAnswer::Lost => return Ok(Settling::Lost),
            SettleAnswer::Settled {
                at,
                alias,
                expires_at,
                replaced,
            } => (at, alias, expires_at, replaced),
        };
        let mut outcome = settlement.outcome.clone();
        if let Outcome::Ready(ready) = &mut outcome {
            ready.replaced = replaced;
        }
        let look_at = expires_at.unwrap_or_else(|| at.saturating_add(self.keep_outcomes));
        self.index.look(&lease.key, &alias, at, look_at);
        self.index
            .remember(&alias, HistoryEntry::of(lease, &outcome, at));
        Ok(Settling::Settled { outcome })
    }

    async fn release(&self, lease: &LeaseId) -> Result<(), RedisStoreError> {
        let call = Call::of(&RELEASE)
            .key(self.keys.record(&lease.key))
            .arg(self.keys.channel())
            .arg(lease.key.to_string())
            .arg(lease.owner.to_string())
            .arg(number(lease.fence))
            .arg(life_ms(self.keep_outcomes, Duration::ZERO));
        match self.call(call).await? {
            ReleaseAnswer::Unreadable => Err(reading::unreadable("record", &lease.key)),
            ReleaseAnswer::Over => Ok(()),
        }
    }

    async fn touch(
        &self,
        key: &ContextKey,
        ttl: Option<Duration>,
    ) -> Result<Option<Timestamp>, RedisStoreError> {
        let call = Call::of(&TOUCH)
            .key(self.keys.record(key))
            .arg(self.clock.given())
            .arg(ttl.map(span).unwrap_or_default())
            .arg(ttl.map_or_else(String::new, |ttl| ttl.as_secs().max(1).to_string()))
            .arg(life_ms(self.keep_outcomes, Duration::ZERO));
        let (at, alias, expires_at, is_live) = match self.call(call).await? {
            TouchAnswer::Unreadable => return Err(reading::unreadable("record", key)),
            TouchAnswer::Nothing => return Ok(None),
            TouchAnswer::Prolonged {
                at,
                alias,
                expires_at,
                is_live,
            } => (at, alias, expires_at, is_live),
        };
        if is_live {
            self.index.look(key, &alias, at, expires_at);
        }
        // In the tenant's slot. Cut off in between, the touch failed, and is made again.
        let member = QuotaMember::LivePreview(key.clone());
        let call = Call::of(&PROLONG)
            .key(self.keys.quota(&key.tenant, member.set()))
            .arg(self.clock.given())
            .arg(member.name())
            .arg(instant(expires_at));
        self.call::<Done>(call).await?;
        Ok(Some(expires_at))
    }

    async fn admit(&self, request: &AdmitRequest) -> Result<Admission, RedisStoreError> {
        let places = request.places();
        let call = places.iter().fold(Call::of(&ADMIT), |call, place| {
            call.key(self.keys.quota(&request.key.tenant, place.member.set()))
        });
        let call = places
            .iter()
            .fold(call.arg(self.clock.given()), |call, place| {
                let limit = place.limit.map(|limit| limit.to_string());
                call.arg(place.member.name())
                    .arg(limit.unwrap_or_default())
                    .arg(instant(place.until))
            });
        let (set, used, next_at) = match self.call(call).await? {
            AdmitAnswer::Admitted => return Ok(Admission::Admitted),
            AdmitAnswer::Full { set, used, next_at } => (set, used, next_at),
        };
        let full = places.get(set).and_then(|place| {
            Some(Admission::Full {
                set: place.member.set(),
                limit: place.limit?.get(),
                used,
                next_at,
            })
        });
        full.ok_or(RedisStoreError::Strange { what: "admit" })
    }

    async fn leave(&self, member: &QuotaMember) -> Result<(), RedisStoreError> {
        let set = self.keys.quota(member.tenant(), member.set());
        let mut command = cmd("ZREM");
        command.arg(set).arg(member.name());
        self.link.query::<u64>("ZREM", &command).await.map(|_| ())
    }

    async fn quota_used(&self, tenant: &TenantId, set: QuotaSet) -> Result<u64, RedisStoreError> {
        let call = Call::of(&USED)
            .key(self.keys.quota(tenant, set))
            .arg(self.clock.given());
        self.call(call).await.map(|UsedAnswer(used)| used)
    }

    /// What this process has done is in the index before it is read. Where it can't be written, the read tells why.
    async fn catch_up(&self) -> Result<(), RedisStoreError> {
        self.index.flush().await
    }

    async fn expired(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<(ContextKey, Revision)>, RedisStoreError> {
        self.catch_up().await?;
        let sweep = Sweep {
            link: &self.link,
            keys: &self.keys,
            now,
            limit: limit as usize,
            keep: self.keep_outcomes,
        };
        sweep.run().await
    }

    async fn history(
        &self,
        key: Option<&ContextKey>,
        limit: u32,
    ) -> Result<Vec<HistoryEntry>, RedisStoreError> {
        self.catch_up().await?;
        history::newest(&self.link, &self.keys, key, limit as usize).await
    }

    async fn now(&self) -> Result<Timestamp, RedisStoreError> {
        let (seconds, micros): (i64, i64) = self.link.query("TIME", &cmd("TIME")).await?;
        let now = Timestamp::from_micros(seconds.saturating_mul(1_000_000).saturating_add(micros));
        Ok(self.clock.instead().unwrap_or(now))
    }
}

#[async_trait]
impl Store for RedisStore {
    async fn claim(&self, claim: &Claim) -> Result<Claimed, StoreError> {
        self.ask("claim a context", self.inner.claim(claim)).await
    }

    async fn renew(&self, lease: &LeaseId, ttl: Duration) -> Result<Renewal, StoreError> {
        self.ask("renew a lease", self.inner.renew(lease, ttl))
            .await
    }

    async fn record_deployment(
        &self,
        lease: &LeaseId,
        deployment: &RecordedDeployment,
    ) -> Result<Recording, StoreError> {
        let recording = self.inner.record(lease, deployment);
        self.ask("record a deployment", recording).await
    }

    async fn go_live(
        &self,
        lease: &LeaseId,
        live: &Live,
        expires_at: Timestamp,
        ttl: Duration,
    ) -> Result<GoLive, StoreError> {
        let going = self.inner.go_live(lease, live, expires_at, ttl);
        self.ask("record what goes live", going).await
    }

    async fn settle(
        &self,
        lease: &LeaseId,
        settlement: &Settlement,
    ) -> Result<Settling, StoreError> {
        self.ask("settle an event", self.inner.settle(lease, settlement))
            .await
    }

    async fn release(&self, lease: &LeaseId) -> Result<(), StoreError> {
        self.ask("release a lease", self.inner.release(lease)).await
    }

    async fn touch(
        &self,
        key: &ContextKey,
        ttl: Option<Duration>,
    ) -> Result<Option<Timestamp>, StoreError> {
        self.ask("touch a context", self.inner.touch(key, ttl))
            .await
    }

    async fn admit(&self, request: &AdmitRequest) -> Result<Admission, StoreError> {
        self.ask("admit a revision", self.inner.admit(request))
            .await
    }

    async fn leave(&self, member: &QuotaMember) -> Result<(), StoreError> {
        self.ask("leave a quota", self.inner.leave(member)).await
    }

    async fn quota_used(&self, tenant: &TenantId, set: QuotaSet) -> Result<u64, StoreError> {
        self.ask("read a quota", self.inner.quota_used(tenant, set))
            .await
    }

    async fn context(&self, key: &ContextKey) -> Result<Option<ContextRecord>, StoreError> {
        let Inner { link, keys, .. } = &*self.inner;
        self.ask("read a context", reading::record(link, keys, key))
            .await
    }

    async fn contexts(
        &self,
        tenant: Option<&TenantId>,
        limit: u32,
    ) -> Result<Vec<ContextSummary>, StoreError> {
        let Inner { link, keys, .. } = &*self.inner;
        let listed = listing::contexts(link, keys, tenant, limit as usize);
        self.ask("list contexts", listed).await
    }

    async fn outcome(
        &self,
        key: &ContextKey,
        ordinal: Ordinal,
    ) -> Result<Option<SettledOutcome>, StoreError> {
        let Inner { link, keys, .. } = &*self.inner;
        self.ask(
            "read an outcome",
            reading::outcome(link, keys, key, ordinal),
        )
        .await
    }

    async fn resolve_alias(&self, alias: &HostLabel) -> Result<Option<ContextKey>, StoreError> {
        let Inner { link, keys, .. } = &*self.inner;
        self.ask("resolve an alias", reading::by_alias(link, keys, alias))
            .await
    }

    async fn expired(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<(ContextKey, Revision)>, StoreError> {
        self.ask("list expired previews", self.inner.expired(now, limit))
            .await
    }

    async fn history(
        &self,
        key: Option<&ContextKey>,
        limit: u32,
    ) -> Result<Vec<HistoryEntry>, StoreError> {
        self.ask("read the history", self.inner.history(key, limit))
            .await
    }

    async fn now(&self) -> Result<Timestamp, StoreError> {
        self.ask("tell the time", self.inner.now()).await
    }

    fn watch(&self, key: &ContextKey) -> Box<dyn Watch> {
        Box::new(RedisWatch::new(&self.inner.board, key))
    }
}
