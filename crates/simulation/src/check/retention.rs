//! Previews go when their retention is over, and not before; a reset forgets what was, and nothing else does.

use foreshow_contract::{ContextKey, OrdinalKind, Revision, Timestamp};
use foreshow_engine::ContextRecord;

use super::{Seen, Watchtower};

impl Watchtower {
    /// RETENTION: an expiry is accepted only of what has expired, and with nothing on its way. `records` are the context's
    /// before and after the claim.
    pub(crate) fn expiry_landed(
        &mut self,
        key: &ContextKey,
        records: Option<&(ContextRecord, ContextRecord)>,
        now: Timestamp,
    ) {
        let Some((before, after)) =
            records.filter(|(before, after)| before.desired != after.desired)
        else {
            return;
        };
        let newest = before.desired;
        let is_due = before.expires_at.is_some_and(|at| at <= now);
        let live = before.live.as_ref().map(|live| live.revision);
        let is_settled = live == Some(newest.revision) || self.seen(key).decided.contains(&newest);
        let is_right = newest.kind == OrdinalKind::Update
            && after.desired.revision == newest.revision
            && live.is_some_and(|live| !before.is_ended(live))
            && is_due
            && is_settled;
        if !is_right {
            self.violate("RETENTION nothing goes before its time", || {
                format!("at {now} an expiry of {key} was accepted over {before:?}")
            });
        }
    }

    /// A store that lost its memory after these were settled has nobody tell of them.
    pub(super) fn owes(&mut self, key: &ContextKey, gone: impl IntoIterator<Item = Revision>) {
        self.seen(key).owed.extend(gone);
    }

    /// The context begins anew: what was accepted, told and shown before says nothing of what comes.
    pub(super) fn reset(&mut self, key: &ContextKey) {
        let there = self.there.clone();
        let seen = self.seen(key);
        seen.was_reset = true;
        seen.decided.clear();
        let accepted = std::mem::take(&mut seen.accepted);
        seen.accepted_before_reset.extend(accepted);
        let known = seen.events.keys().copied();
        seen.decided_before_wipe.extend(known);
        for (ordinal, told) in std::mem::take(&mut seen.told) {
            seen.told_before_reset
                .entry(ordinal)
                .or_default()
                .extend(told);
        }
        seen.announced = None;
        seen.announced_at = None;
        seen.live = None;
        seen.forgot_up_to = None;
        // What was created late stays until its time is over: nobody knows that it is not to come.
        seen.stands_for.retain(|id, _| there.contains(id));
    }
}

impl Seen {
    /// Whether this is told of an event that a reset has forgotten: accepted before it, and concluded after.
    pub(super) fn is_of_before(&self, ordinal: foreshow_contract::Ordinal) -> bool {
        self.was_reset && !self.accepted.contains(&ordinal)
    }
}
