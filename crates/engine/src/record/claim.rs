//! Accepting an event, and granting the lease: one step.

use std::time::Duration;

use foreshow_contract::{OrdinalKind, Timestamp};

use super::{ClaimAnswer, ContextRecord, HeldLease, SettledOutcome};
use crate::{Claim, mutants::mutant, ports::Purpose};

/// What a store remembers of events that have ended, as far as a claim asks.
#[derive(Clone, Copy, Debug)]
pub struct Remembered<'a> {
    /// How this very event (same ordinal) ended, if that is remembered.
    pub prior: Option<&'a SettledOutcome>,
    /// Of an expiry: whether it is remembered how the update of its revision ended.
    pub is_update_over: bool,
    /// How long it is remembered how an event ended.
    pub kept: Duration,
}

impl<'a> From<Option<&'a SettledOutcome>> for Remembered<'a> {
    fn from(prior: Option<&'a SettledOutcome>) -> Self {
        Self {
            prior,
            is_update_over: false,
            kept: Duration::MAX,
        }
    }
}

impl ContextRecord {
    /// Accepts an event and claims the context for it, creating the record where there is none.
    pub fn claim<'a>(
        record: &mut Option<Self>,
        claim: &Claim,
        remembered: impl Into<Remembered<'a>>,
        now: Timestamp,
    ) -> ClaimAnswer {
        let Remembered {
            prior,
            is_update_over,
            kept,
        } = remembered.into();
        if let Purpose::Reset(id) = &claim.purpose {
            return Self::claim_reset(record, claim, id, now);
        }
        if let Some(settled) = prior
            && !mutant!(EndsForgotten)
        {
            if settled.digest != claim.digest {
                return ClaimAnswer::Conflict;
            }
            if !settled.is_reopened_by(claim.replay) {
                return ClaimAnswer::Finished(settled.clone());
            }
        }
        match claim.purpose {
            Purpose::Event | Purpose::Reset(_) => Self::claim_event(record, claim, now),
            Purpose::Expiry => {
                Self::claim_expiry(record.as_mut(), claim, (is_update_over, kept), now)
            }
        }
    }

    fn claim_event(record: &mut Option<Self>, claim: &Claim, now: Timestamp) -> ClaimAnswer {
        let record = record.get_or_insert_with(|| Self::accepted_first(claim, now));
        let held = record.holder(now);
        record.accept(claim, now);
        if claim.replay > 0
            && claim.ordinal == record.desired
            && claim.ordinal.kind == OrdinalKind::Update
        {
            // It failed, and is wanted again.
            record.stale_since = record.stale_since.or(Some(now));
        }
        if claim.ordinal < record.desired {
            return match held {
                Some(lease) if lease.ordinal == claim.ordinal && lease.digest != claim.digest => {
                    ClaimAnswer::Conflict
                }
                Some(lease) if lease.ordinal == claim.ordinal && !mutant!(InWorkStale) => {
                    ClaimAnswer::Held(lease.until)
                }
                _ => ClaimAnswer::Stale(record.desired),
            };
        }
        if record.desired_digest.is_empty() {
            // Known from a provider's tags alone, which say nothing of its content.
            record.desired_digest.clone_from(&claim.digest);
        }
        if record.desired_digest != claim.digest {
            return ClaimAnswer::Conflict;
        }
        record.hold_or_grant(claim, held, now)
    }

    /// Who holds the context now.
    pub(super) fn holder(&mut self, now: Timestamp) -> Option<HeldLease> {
        let held = self.lease.clone().filter(|lease| lease.until > now);
        if held.is_none() {
            // Once seen as run out it is gone for good, also where the store's clock is set back afterwards: what is
            // answered stands on that.
            self.lease = None;
        }
        held
    }

    /// Grants the newest accepted event its lease, unless another delivery has one.
    pub(super) fn hold_or_grant(
        &mut self,
        claim: &Claim,
        held: Option<HeldLease>,
        now: Timestamp,
    ) -> ClaimAnswer {
        let until = now.saturating_add(claim.ttl);
        if let Some(lease) = held {
            let is_mine = lease.owner == claim.owner
                || (mutant!(ReentrantLease) && lease.owner.worker() == claim.owner.worker());
            if !is_mine {
                return ClaimAnswer::Held(lease.until);
            }
            // Granted before, and the answer was lost on its way: the holder counts from this question.
            self.lease = Some(HeldLease {
                until: lease.until.max(until),
                ..lease
            });
            return ClaimAnswer::Granted(self.fence);
        }
        self.fence = self.next_fence(now);
        self.waits = None;
        self.lease = Some(HeldLease {
            owner: claim.owner.clone(),
            ordinal: claim.ordinal,
            digest: claim.digest.clone(),
            since: now,
            until,
        });
        ClaimAnswer::Granted(self.fence)
    }

    pub(super) fn accepted_first(claim: &Claim, now: Timestamp) -> Self {
        Self {
            desired_digest: claim.digest.clone(),
            unproven: true,
            stale_since: (claim.ordinal.kind == OrdinalKind::Update).then_some(now),
            ..Self::new(claim.alias.clone(), claim.ordinal, now)
        }
    }

    /// Raises what the context should show; an end raises the floor too, also where it comes late.
    pub(super) fn accept(&mut self, claim: &Claim, now: Timestamp) {
        if claim.ordinal.kind == OrdinalKind::End && !mutant!(FloorIgnored) {
            self.floor = self.floor.max(Some(claim.ordinal.revision));
        }
        if claim.ordinal > self.desired {
            self.desired = claim.ordinal;
            self.desired_digest.clone_from(&claim.digest);
            self.desired_at = now;
            self.stale_since = match claim.ordinal.kind {
                OrdinalKind::Update => self.stale_since.or(Some(now)),
                // Nothing is to be shown, so nothing is stale; an update that reopens the context counts from itself.
                OrdinalKind::End => None,
            };
        }
    }

    /// Above every earlier fence, also above those of a record that was lost: the store's clock had passed them.
    fn next_fence(&self, now: Timestamp) -> u64 {
        if mutant!(BareCounterFence) {
            return self.fence + 1;
        }
        (self.fence + 1).max(u64::try_from(now.as_micros()).unwrap_or(0))
    }
}
