//! The steps on one context: each is a call of the script that has its name.

use std::{sync::LazyLock, time::Duration};

use foreshow_contract::{ContextKey, HostLabel, Ordinal, ResetId, Timestamp};
use foreshow_engine::{
    Claim, Claimed, GiveBack, GoLive, HeldLease, HistoryEntry, Lease, LeaseId, Live, Outcome,
    Purpose, QuotaMember, RecordedDeployment, Recording, Renewal, SettledOutcome, Settlement,
    Settling,
};

use super::{
    answers::{ClaimAnswer, RecordAnswer, ReleaseAnswer, RenewAnswer, SettleAnswer, TouchAnswer},
    error::RedisStoreError,
    fields, outcomes, reading,
    scripts::{CLAIM, Call, EXPIRE, GO_LIVE, RECORD, RELEASE, RENEW, RESET, SETTLE, Script, TOUCH},
    store::Inner,
    text::{instant, number, pack, place, span},
};

/// The longest life that a key is given: Redis refuses what leads beyond its own reckoning.
const LONGEST_LIFE: Duration = Duration::from_hours(24 * 365 * 100);

/// How long a record with nothing live is kept, in milliseconds, where it has a lease that lives so long.
pub(super) fn life_ms(keep: Duration, ttl: Duration) -> String {
    keep.saturating_add(ttl)
        .min(LONGEST_LIFE)
        .as_millis()
        .to_string()
}

impl Inner {
    pub(super) async fn claim(&self, claim: &Claim) -> Result<Claimed, RedisStoreError> {
        let key = &claim.key;
        let call = match &claim.purpose {
            Purpose::Event => self.claim_of_an_event(claim),
            Purpose::Expiry => self.claim_of_an_expiry(claim),
            Purpose::Reset(id) => self.claim_of_a_reset(claim, id),
        };
        // One round trip: both travel together, the claim first. Its order matters: what the shard remembers counts only if it
        // is told after the claim was made. Told before, a wipe could come in between, and the claim make a record that
        // passes for the first of its context. Told after, a wipe in between takes the lease with it.
        let repeats = self.link.repeats();
        let (answer, registered) = tokio::join!(
            self.call::<ClaimAnswer>(call),
            self.index.register(key, &claim.alias)
        );
        let (answer, registered) = (answer?, registered?);
        let was_in_order = repeats.is_some() && repeats == self.link.repeats();
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
            ClaimAnswer::Moot => Claimed::Moot,
            ClaimAnswer::Reset(at, gone) => Claimed::Finished(SettledOutcome {
                ordinal: claim.ordinal,
                digest: claim.digest.clone(),
                outcome: Outcome::Reset { gone },
                at,
                replay: 0,
            }),
            ClaimAnswer::Granted(fence, fields) => {
                let record =
                    fields::record(fields).ok_or_else(|| reading::unreadable("record", key))?;
                // A cluster's nodes lose their memories one by one, and the record may be on another than the shard: so there
                // all shards are asked, and once more where a command was repeated. Of a known context there is no question.
                let is_unknown = record.unproven
                    && !(registered.remembers && (was_in_order || self.remembers().await?));
                Claimed::Granted {
                    is_unknown,
                    lease: Lease::granted(LeaseId {
                        key: key.clone(),
                        ordinal: claim.ordinal,
                        owner: claim.owner.clone(),
                        fence,
                        replay: claim.replay,
                    }),
                    record: Box::new(record),
                }
            }
        })
    }

    fn claim_of_an_event(&self, claim: &Claim) -> Call {
        Call::of(&CLAIM)
            .key(self.keys.record(&claim.key))
            .key(self.keys.outcome(&claim.key, claim.ordinal))
            .arg(self.clock.given())
            .arg(self.keys.channel())
            .arg(claim.key.to_string())
            .arg(place(claim.ordinal))
            .arg(pack(&claim.digest))
            .arg(claim.alias.as_str())
            .arg(claim.owner.to_string())
            .arg(span(claim.ttl))
            .arg(life_ms(self.keep_outcomes, claim.ttl))
            .arg(claim.replay.to_string())
    }

    fn claim_of_an_expiry(&self, claim: &Claim) -> Call {
        let (key, update) = (&claim.key, Ordinal::update(claim.ordinal.revision));
        Call::of(&EXPIRE)
            .key(self.keys.record(key))
            .key(self.keys.outcome(key, claim.ordinal))
            .key(self.keys.outcome(key, update))
            .arg(self.clock.given())
            .arg(self.keys.channel())
            .arg(key.to_string())
            .arg(place(claim.ordinal))
            .arg(pack(&claim.digest))
            .arg(claim.owner.to_string())
            .arg(span(claim.ttl))
            .arg(life_ms(self.keep_outcomes, claim.ttl))
            .arg(span(self.keep_outcomes))
    }

    fn claim_of_a_reset(&self, claim: &Claim, id: &ResetId) -> Call {
        Call::of(&RESET)
            .key(self.keys.record(&claim.key))
            .arg(self.clock.given())
            .arg(self.keys.channel())
            .arg(claim.key.to_string())
            .arg(place(claim.ordinal))
            .arg(pack(&claim.digest))
            .arg(claim.alias.as_str())
            .arg(claim.owner.to_string())
            .arg(span(claim.ttl))
            .arg(life_ms(self.keep_outcomes, claim.ttl))
            .arg(id.as_str())
    }

    pub(super) async fn renew(
        &self,
        lease: &LeaseId,
        ttl: Duration,
    ) -> Result<Renewal, RedisStoreError> {
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
    fn under(&self, script: &'static LazyLock<Script>, lease: &LeaseId) -> Call {
        Call::of(script)
            .key(self.keys.record(&lease.key))
            .arg(self.clock.given())
            .arg(lease.owner.to_string())
            .arg(number(lease.fence))
    }

    pub(super) async fn record(
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
        recorded(lease, answer).map(|(recording, _)| recording)
    }

    pub(super) async fn go_live(
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
        let (recording, shown) = recorded(lease, answer)?;
        if let Some((at, alias)) = shown {
            self.index.look(&lease.key, &alias, at, expires_at);
        }
        Ok(recording)
    }

    pub(super) async fn settle(
        &self,
        lease: &LeaseId,
        settlement: &Settlement,
    ) -> Result<Settling, RedisStoreError> {
        let (kind, deployment) = match &settlement.outcome {
            Outcome::Ready(ready) => ("ready", ready.deployment.as_str()),
            Outcome::Failed { .. } => ("failed", ""),
            Outcome::Removed { .. } => ("removed", ""),
            Outcome::Reset { .. } => ("reset", ""),
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
            .arg(deployment)
            .arg(
                settlement
                    .built_ms
                    .map_or_else(String::new, |ms| ms.to_string()),
            )
            .arg(if settlement.cancelled.is_some() {
                "1"
            } else {
                ""
            })
            .arg(lease.replay.to_string());
        let kept = settlement.kept.iter();
        let call = kept.fold(call, |call, kept| call.arg(kept.as_str()));
        let (at, alias, since, expires_at, gone) = match self.call(call).await? {
            SettleAnswer::Unreadable => return Err(reading::unreadable("record", &lease.key)),
            SettleAnswer::Lost => return Ok(Settling::Lost),
            SettleAnswer::Settled {
                at,
                alias,
                since,
                expires_at,
                gone,
            } => (at, alias, since, expires_at, gone),
        };
        let mut outcome = settlement.outcome.clone();
        outcomes::tell(&mut outcome, gone);
        let look_at = expires_at.unwrap_or_else(|| at.saturating_add(self.keep_outcomes));
        self.index.look(&lease.key, &alias, at, look_at);
        let held = held_since(lease, since, at);
        let cancelled = settlement.cancelled.as_deref();
        let entry = HistoryEntry::ended(lease, &outcome, cancelled, Some(&held), at);
        self.index.remember(&alias, entry);
        Ok(Settling::Settled { outcome })
    }

    pub(super) async fn release(
        &self,
        lease: &LeaseId,
        back: &GiveBack,
    ) -> Result<(), RedisStoreError> {
        let waits = match back {
            GiveBack::HandedOver => fields::Fields::new(),
            GiveBack::Deferred { until, why } => fields::waits(lease.ordinal, *until, why),
        };
        let call = Call::of(&RELEASE)
            .key(self.keys.record(&lease.key))
            .arg(self.clock.given())
            .arg(self.keys.channel())
            .arg(lease.key.to_string())
            .arg(lease.owner.to_string())
            .arg(number(lease.fence))
            .arg(life_ms(self.keep_outcomes, Duration::ZERO))
            .fields(waits);
        match self.call(call).await? {
            ReleaseAnswer::Unreadable => Err(reading::unreadable("record", &lease.key)),
            ReleaseAnswer::Lost => Ok(()),
            ReleaseAnswer::Released { at, alias, since } => {
                let held = held_since(lease, since, at);
                let entry = HistoryEntry::given_back(lease, back, Some(&held), at);
                self.index.remember(&alias, entry);
                Ok(())
            }
        }
    }

    pub(super) async fn touch(
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
        self.prolong(&QuotaMember::LivePreview(key.clone()), expires_at)
            .await?;
        Ok(Some(expires_at))
    }
}

/// The lease as it was held until now, for the history.
fn held_since(lease: &LeaseId, since: Timestamp, now: Timestamp) -> HeldLease {
    HeldLease {
        owner: lease.owner.clone(),
        ordinal: lease.ordinal,
        digest: String::new(),
        since,
        until: now,
    }
}

/// What goes live comes with when, and with the context's alias.
type Recorded = (Recording, Option<(Timestamp, HostLabel)>);

fn recorded(lease: &LeaseId, answer: RecordAnswer) -> Result<Recorded, RedisStoreError> {
    Ok(match answer {
        RecordAnswer::Unreadable => return Err(reading::unreadable("record", &lease.key)),
        RecordAnswer::Recorded(shown) => (Recording::Recorded, shown),
        RecordAnswer::Ended(by) => (Recording::Ended(by), None),
        RecordAnswer::Condemned => (Recording::Condemned, None),
        RecordAnswer::Lost => (Recording::Lost, None),
    })
}
