//! Every event ends once: what is told of an event agrees, and is true at that moment.

use std::time::Duration;

use foreshow_contract::{
    EventKind, Ordinal, OrdinalKind, OutcomeKind, RemovalReason, ResultBody, ResultEvent,
};
use foreshow_engine::{LeaseId, Message, Outcome};

use super::{Seen, Watchtower};
use crate::{stats::Count, world::World};

/// The event that a result is the end of.
fn ended(result: &ResultEvent) -> Option<Ordinal> {
    let revision = result.revision()?;
    if !result.is_end() {
        return None;
    }
    // The id says which kind of event it was; the body does not.
    let kind = result.id.split('/').nth(3)?;
    Some(if kind == EventKind::End.word() {
        Ordinal::end(revision)
    } else {
        Ordinal::update(revision)
    })
}

impl Seen {
    /// A store's wipe: ends that were settled before may be settled once more, in another way (P2's exception); and where no
    /// tag at a provider tells of the newest that was shown or ended, older events may come back (P3's first limit).
    pub(super) fn wiped(&mut self) {
        let decided = std::mem::take(&mut self.decided);
        self.decided_before_wipe.extend(decided);
        self.in_a_row = 0;
        let ended = self
            .accepted
            .iter()
            .rev()
            .find(|ordinal| ordinal.kind == OrdinalKind::End)
            .copied();
        self.forgot_up_to = self.forgot_up_to.max(ended);
    }

    pub(super) fn forgets_announced(&mut self) {
        let newest = self.stands_for.values().copied().max().max(self.announced);
        self.forgot_up_to = self.forgot_up_to.max(newest.map(Ordinal::update));
    }
}

impl Watchtower {
    pub(crate) fn settled(
        &mut self,
        lease: &LeaseId,
        outcome: &Outcome,
        cancelled: bool,
        world: &World,
    ) {
        self.released(lease);
        let limit = self.cancels_in_a_row;
        let seen = self.seen(&lease.key);
        seen.decided.insert(lease.ordinal);
        match outcome {
            Outcome::Superseded { .. } if cancelled => {
                world.stats().count(Count::Cancels);
                seen.in_a_row += 1;
                let in_a_row = seen.in_a_row;
                if in_a_row > limit {
                    self.violate("I9 cancelling is bounded", || {
                        format!(
                            "{in_a_row} builds of {} were cancelled one after another",
                            lease.key
                        )
                    });
                }
            }
            Outcome::Superseded { .. } => {}
            Outcome::Ready(_) | Outcome::Failed { .. } => seen.in_a_row = 0,
            Outcome::Removed { expired } => {
                seen.in_a_row = 0;
                seen.live = None;
                // The record has no more use for its list once everything is gone, and clears it.
                self.in_force.retain(|_, of| *of != lease.key);
                self.owes(&lease.key, expired.iter().copied());
            }
            Outcome::Reset { gone } => {
                seen.in_a_row = 0;
                self.in_force.retain(|_, of| *of != lease.key);
                self.reset(&lease.key);
                self.owes(&lease.key, gone.iter().copied());
            }
        }
    }

    /// A result has reached its consumers.
    pub(crate) fn told(&mut self, result: &ResultEvent, at: Duration, world: &World) {
        if let ResultBody::Rejected(rejected) = &result.body {
            self.rejected.extend(rejected.event_id.clone());
            return;
        }
        if let ResultBody::Removed(removed) = &result.body
            && matches!(
                removed.reason,
                RemovalReason::Expired | RemovalReason::Swept
            )
        {
            self.seen(&removed.key).owed.remove(&removed.revision);
        }
        let (Some(key), Some(ordinal)) = (result.key(), ended(result)) else {
            return;
        };
        let kind = result.outcome();
        let seen = self.seen(&key);
        if seen.is_of_before(ordinal) {
            seen.told_before_reset
                .entry(ordinal)
                .or_default()
                .insert(kind);
            return;
        }
        let told = seen.told.entry(ordinal).or_default();
        let is_new = told.insert(kind);
        let others = told.clone();
        if others.len() > 1 {
            if seen.decided_before_wipe.contains(&ordinal) {
                // P2: a store that lost its memory after this event's end was settled, with a copy still undone.
                world.stats().count(Count::Excused);
            } else if is_new {
                self.violate("I1 every event ends once", || {
                    format!("{ordinal} of {key} was told {others:?}")
                });
                return;
            }
        }
        match &result.body {
            ResultBody::Superseded(superseded) => {
                let seen = self.seen(&key);
                let winner = superseded.winner;
                let was_accepted =
                    seen.accepted.contains(&winner) || seen.accepted_before_reset.contains(&winner);
                if winner <= ordinal || !was_accepted {
                    self.violate("P3 superseded only by what was accepted", || {
                        format!("{ordinal} of {key} was told superseded by {winner}, which nobody had accepted")
                    });
                }
            }
            ResultBody::Ready(ready) => {
                self.announced(
                    &ready.provider,
                    &key,
                    ready.revision,
                    &ready.deployment_id,
                    at,
                    world,
                );
            }
            ResultBody::Failed(failed) => {
                if failed.error.code.as_str() == foreshow_engine::code::INTERNAL {
                    self.violate("no panics", || failed.error.message.clone());
                }
            }
            ResultBody::Removed(_) | ResultBody::Building(_) | ResultBody::Rejected(_) => {}
        }
    }

    pub(crate) fn dead_lettered(&mut self, message: &Message, _code: &str) {
        if let Ok(incoming) = foreshow_contract::decode(message.raw()) {
            self.dead_letters.insert(incoming.envelope.id);
        }
    }

    /// I1 at rest: nothing published is without an end, and what failed has its dead letter.
    pub(super) fn check_ends(&mut self) {
        let mut broken = None;
        let was_wiped = self.wipes > 0;
        for (key, seen) in &self.contexts {
            if let Some(revision) = seen.owed.first().filter(|_| !was_wiped) {
                broken.get_or_insert((
                    "I1 what has expired is told",
                    format!("nobody was told that revision {revision} of {key} is gone"),
                ));
            }
            for (ordinal, events) in &seen.events {
                let mut told = seen.told.get(ordinal).cloned().unwrap_or_default();
                told.extend(seen.told_before_reset.get(ordinal).into_iter().flatten());
                for event in events {
                    let is_rejected = self.rejected.contains(&event.id);
                    if told.is_empty() && !is_rejected {
                        broken.get_or_insert((
                            "I1 no event is lost",
                            format!("{} ({ordinal} of {key}) never ended", event.id),
                        ));
                    }
                    // A conflict is known as one only while its revision is desired, worked on, or has a remembered end. One that
                    // was told rejected and not dead-lettered before its worker died may be told superseded when it comes back; or
                    // is carried out, where the store lost its memory meanwhile.
                    let is_passed =
                        told.contains(&OutcomeKind::Superseded) || (was_wiped && !told.is_empty());
                    if is_rejected && !is_passed && !self.dead_letters.contains(&event.id) {
                        broken.get_or_insert((
                            "M8 a rejected event has its dead letter",
                            format!("{} of {key}", event.id),
                        ));
                    }
                }
                let has_letter = events
                    .iter()
                    .any(|event| self.dead_letters.contains(&event.id));
                // Settled before a wipe it may end once more, in another way (P2's exception), and then without.
                let may_end_twice = seen.decided_before_wipe.contains(ordinal);
                if told.contains(&OutcomeKind::Failed) && !has_letter && !may_end_twice {
                    broken.get_or_insert((
                        "M8 a failed event has its dead letter",
                        format!("{ordinal} of {key}"),
                    ));
                }
            }
        }
        if let Some((invariant, why)) = broken {
            self.violate(invariant, || why);
        }
    }
}
