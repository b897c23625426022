//! How a context's preview goes without upstream's asking: its retention is over, or an operator has the context forgotten.
//!
//! Both come as events of our own, so they are at least once, leased, handed over and tried again like everything else; and
//! both take the place of an end, so builds step down for them and what they cover never goes live again. What differs:
//!
//! - **An expiry is conditional.** It is accepted only in the step that sees that it is due ([`ContextRecord::may_expire`]):
//!   what it was published for may have changed since, by an update, a touch, or a new go-live. Anything else is
//!   [`Moot`](ClaimAnswer::Moot), and nothing is written, the floor least of all. So a late, doubled or forged one does no harm.
//! - **An expiry that was accepted is gone through with.** The record says so ([`Expiring`]), for a touch comes too late then:
//!   the floor has reached the preview. It also keeps which revision was live, because a worker that died half-way, and the
//!   sweeper after it, may have taken that out of the record before the end is told.
//! - **A reset is above everything**: it stands where an end of the greatest revision does, also where such an end was the very
//!   thing that closed the context. When everything is gone the record is made new, under its fence, in one step.
//! - **A reset is done once for each id** ([`Reset`]): a repeat would forget what came after it. Of two at once the one that was
//!   accepted first is finished by whoever is granted the context, and the other one is done with it: its id says when it was asked for.

use std::time::Duration;

use foreshow_contract::{Ordinal, OrdinalKind, ResetId, Revision, Timestamp};
use serde::{Deserialize, Serialize};

use super::{ClaimAnswer, ContextRecord, LeaseId, SettledOutcome};
use crate::{Claim, mutants::mutant, outcome::Outcome};

/// An expiry that was accepted, and has not come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Expiring {
    /// It stands where an end of this revision does. Of any other end this says nothing.
    pub end: Revision,
    /// What was live when it was accepted.
    pub live: Revision,
}

/// A reset that was accepted, and has not come to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resetting {
    /// Which.
    pub id: ResetId,
    /// What was live when it was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<Revision>,
}

impl Reset {
    /// Whether this one has done what that one asks for: it is the same, or came to its end after that was asked for.
    pub fn answers(&self, id: &ResetId) -> bool {
        let at_us = u64::try_from(self.at.as_micros()).unwrap_or_default();
        self.id == *id || id.asked_at_us().is_some_and(|asked| asked <= at_us)
    }
}

/// The last reset that came to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reset {
    /// Which.
    pub id: ResetId,
    /// When.
    pub at: Timestamp,
    /// Under which fence: what was settled before it is forgotten, also where a store cannot delete it.
    pub fence: u64,
    /// What was live before, and the announced revisions kept beside it, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<Revision>,
}

impl ContextRecord {
    /// Whether the live preview's retention is over, and nothing that was accepted may still change it.
    ///
    /// `is_update_over` is whether it is remembered how the newest accepted update ended, and `kept` for how long that is: an
    /// update that is still on its way keeps what is live, and one that was accepted longer ago has ended.
    pub fn may_expire(&self, is_update_over: bool, kept: Duration, now: Timestamp) -> bool {
        let Some(live) = &self.live else {
            return false;
        };
        let is_held = self.is_held(now);
        let is_due = self.expires_at.is_some_and(|at| at <= now);
        let is_settled = live.revision == self.desired.revision
            || is_update_over
            || self.desired_at.saturating_add(kept) <= now;
        self.desired.kind == OrdinalKind::Update
            && !self.is_ended(live.revision)
            && !is_held
            && is_due
            && is_settled
    }

    /// Whether an expiry of this place was accepted, and nothing newer since.
    pub fn is_expiring(&self) -> bool {
        self.expiring
            .is_some_and(|expiring| self.desired == Ordinal::end(expiring.end))
    }

    /// Whether a reset made this record new, and nothing has come since.
    pub fn is_blank(&self) -> bool {
        self.last_reset.is_some() && self.desired_digest.is_empty() && self.live.is_none()
    }

    pub(super) fn claim_expiry(
        record: Option<&mut Self>,
        claim: &Claim,
        (is_update_over, kept): (bool, Duration),
        now: Timestamp,
    ) -> ClaimAnswer {
        let Some(record) = record else {
            return ClaimAnswer::Moot;
        };
        let seen = Ordinal::update(claim.ordinal.revision);
        let live = record.live.as_ref().map(|live| live.revision);
        if record.desired == seen
            && let Some(live) = live
            && (record.may_expire(is_update_over, kept, now) || mutant!(ExpiryUnconditional))
        {
            record.expiring = Some(Expiring {
                end: claim.ordinal.revision,
                live,
            });
            record.accept(claim, now);
        } else if !(record.is_expiring() && record.desired == claim.ordinal) {
            return ClaimAnswer::Moot;
        }
        let held = record.holder(now);
        record.hold_or_grant(claim, held, now)
    }

    pub(super) fn claim_reset(
        record: &mut Option<Self>,
        claim: &Claim,
        id: &ResetId,
        now: Timestamp,
    ) -> ClaimAnswer {
        if let Some(done) = record
            .as_ref()
            .and_then(|record| record.last_reset.as_ref())
            && done.answers(id)
        {
            return ClaimAnswer::Finished(SettledOutcome {
                ordinal: claim.ordinal,
                digest: claim.digest.clone(),
                outcome: Outcome::Reset {
                    gone: done.gone.clone(),
                },
                at: done.at,
                replay: 0,
            });
        }
        let record = record.get_or_insert_with(|| Self::accepted_first(claim, now));
        let held = record.holder(now);
        let live = record.live.as_ref().map(|live| live.revision);
        record.resetting.get_or_insert_with(|| Resetting {
            id: id.clone(),
            live,
        });
        record.accept(claim, now);
        record.hold_or_grant(claim, held, now)
    }

    /// The preview whose end this lease's is, where an expiry asked for it. Told beside upstream's own end, should that have
    /// taken over.
    pub fn expires_with(&self, lease: &LeaseId) -> Option<Revision> {
        self.expiring
            .filter(|expiring| lease.ordinal == Ordinal::end(expiring.end))
            .map(|expiring| expiring.live)
    }

    /// What the reset that was just settled took away: beside what was live, these announced revisions.
    pub fn reset_took(&mut self, announced: impl IntoIterator<Item = Revision>) -> Vec<Revision> {
        let Some(reset) = &mut self.last_reset else {
            return Vec::new();
        };
        reset.gone.extend(announced);
        reset.gone.sort_unstable();
        reset.gone.dedup();
        reset.gone.clone()
    }

    /// Makes the record new; `false` where no reset was accepted.
    pub(super) fn forget(&mut self, lease: &LeaseId, now: Timestamp) -> bool {
        if lease.ordinal != Ordinal::end(Revision::MAX) {
            return false;
        }
        let Some(Resetting { id, live }) = self.resetting.take() else {
            return false;
        };
        let first = Ordinal::update(Revision::try_new(0).expect("0 is a revision"));
        let floor = self.floor.filter(|_| mutant!(ResetKeepsFloor));
        *self = Self {
            fence: self.fence,
            floor,
            last_reset: Some(Reset {
                id,
                at: now,
                fence: lease.fence,
                gone: live.into_iter().collect(),
            }),
            ..Self::new(self.alias.clone(), first, now)
        };
        true
    }
}
