//! What must hold once nothing moves any more and the sweeper has been twice.

use std::{collections::BTreeMap, time::Duration};

use foreshow_contract::{ContextKey, DeploymentId, Ordinal, OrdinalKind, OutcomeKind, Revision};
use foreshow_engine::{BuildState, ContextRecord, QuotaMember, QuotaSet};

use super::{Seen, Violation, Watchtower};
use crate::ports::provider::Held;

/// The world at rest.
pub(crate) struct Rest {
    pub(crate) records: BTreeMap<ContextKey, ContextRecord>,
    pub(crate) deployments: Vec<Held>,
    /// What each context's alias shows, at any provider.
    pub(crate) shown: BTreeMap<ContextKey, Vec<DeploymentId>>,
    pub(crate) places: Vec<(QuotaSet, String, String)>,
    /// The bound on the time between two fresh previews under constant updates, where nothing went wrong, and what a build
    /// takes at least and at most.
    pub(crate) steady: Option<Steady>,
}

/// What a calm world allows to say of times and numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Steady {
    pub(crate) stale: Duration,
    pub(crate) build: (Duration, Duration),
}

impl Rest {
    fn of<'a>(&'a self, key: &'a ContextKey) -> impl Iterator<Item = &'a Held> {
        self.deployments.iter().filter(move |held| held.key == *key)
    }

    fn is_ready(&self, id: &DeploymentId) -> bool {
        self.deployments
            .iter()
            .any(|held| held.id == *id && held.state() == BuildState::Ready)
    }
}

/// I4: at most one deployment of each revision, once it was swept.
pub(crate) fn after_one_sweep(tower: &mut Watchtower, rest: &Rest) {
    let mut count = BTreeMap::<(&ContextKey, Revision), Vec<&DeploymentId>>::new();
    for held in &rest.deployments {
        if !matches!(held.state(), BuildState::Failed { .. }) {
            count
                .entry((&held.key, held.revision))
                .or_default()
                .push(&held.id);
        }
    }
    // What was created late is adopted and stays until it expires where nobody knows that its event has ended: after a wipe, and
    // where it was superseded, which no store remembers, by one that failed.
    for ((key, revision), ids) in &mut count {
        let told = tower
            .contexts
            .get(key)
            .and_then(|seen| seen.told.get(&Ordinal::update(*revision)));
        let is_superseded = told.is_some_and(|told| told.contains(&OutcomeKind::Superseded));
        let adopted = rest.records.get(key).map(|record| &record.adopted);
        if tower.wipes() > 0 || is_superseded {
            ids.retain(|id| !adopted.is_some_and(|adopted| adopted.contains_key(*id)));
        }
    }
    if let Some(((key, revision), ids)) = count.into_iter().find(|(_, ids)| ids.len() > 1) {
        tower.violate("I4 one deployment of each revision", || {
            format!("revision {revision} of {key} is {ids:?}")
        });
    }
}

/// Everything that is promised of a world at rest.
pub(crate) fn at_rest(tower: &mut Watchtower, rest: &Rest) {
    tower.check_ends();
    let mut broken = None;
    let was_wiped = tower.wipes() > 0;
    for (key, seen) in &tower.contexts {
        let context = Context {
            key,
            seen,
            rest,
            record: rest.records.get(key),
            was_wiped,
        };
        let first = context
            .is_the_newest_live()
            .and_then(|()| context.is_nothing_left_of_what_ended())
            .and_then(|()| context.is_everything_known())
            .and_then(|()| context.is_the_record_tidy())
            .and_then(|()| context.are_the_places_right())
            .and_then(|()| context.was_the_load_borne());
        if let Err(violation) = first {
            broken = Some(violation);
            break;
        }
    }
    if let Some(Violation { invariant, why }) = broken {
        tower.violate(invariant, || why);
    }
}

pub(super) struct Context<'a> {
    pub(super) key: &'a ContextKey,
    pub(super) seen: &'a Seen,
    pub(super) rest: &'a Rest,
    record: Option<&'a ContextRecord>,
    was_wiped: bool,
}

pub(super) type Checked = Result<(), Violation>;

pub(super) fn broken(invariant: &'static str, why: String) -> Checked {
    Err(Violation { invariant, why })
}

impl Context<'_> {
    /// The greatest event that was not rejected as a whole.
    fn greatest(&self) -> Option<Ordinal> {
        self.seen.accepted.last().copied()
    }

    fn was_told(&self, ordinal: Ordinal, kind: OutcomeKind) -> bool {
        self.seen
            .told
            .get(&ordinal)
            .is_some_and(|told| told.contains(&kind))
    }

    /// I2: what is live is the greatest accepted update, unless it ended; builds that failed aside.
    fn is_the_newest_live(&self) -> Checked {
        let Some(greatest) = self.greatest() else {
            return Ok(());
        };
        // P3: forgotten by a store that lost its memory, and no tag tells of it.
        if self.seen.may_be_forgotten(greatest) {
            return Ok(());
        }
        // What a reset forgot, and was created late, tells a store that lost its memory of greater revisions.
        if self.was_wiped && self.seen.was_reset {
            return Ok(());
        }
        let live = self.record.and_then(|record| record.live.as_ref());
        if self.was_told(greatest, OutcomeKind::Superseded)
            && !self.seen.decided_before_wipe.contains(&greatest)
        {
            return broken(
                "I2 the newest is never superseded",
                format!("{greatest} of {}", self.key),
            );
        }
        match greatest.kind {
            OrdinalKind::End => {
                if let Some(live) = live {
                    return broken(
                        "I2 an ended context has nothing live",
                        format!(
                            "{} ended at {}, and its record has {} as live",
                            self.key, greatest.revision, live.deployment
                        ),
                    );
                }
                Ok(())
            }
            OrdinalKind::Update if self.was_told(greatest, OutcomeKind::Ready) => {
                self.is_live(greatest)
            }
            OrdinalKind::Update => self.is_live_what_was_ready_last(),
        }
    }

    /// The newest failed: what was ready before it still is, unless an end came between.
    fn is_live_what_was_ready_last(&self) -> Checked {
        let ready = self
            .seen
            .told
            .iter()
            .filter(|(_, told)| told.contains(&OutcomeKind::Ready));
        let Some(best) = ready.map(|(ordinal, _)| *ordinal).max() else {
            return Ok(());
        };
        if self
            .seen
            .floor()
            .is_some_and(|floor| best.revision <= floor)
            || self.seen.may_be_forgotten(best)
        {
            return Ok(());
        }
        // One that went live and stopped short of its announcement (its alias could not be moved, or older ones not be removed,
        // until it failed or something newer came) is live all the same.
        self.is_live(
            self.live_unannounced()
                .filter(|unannounced| *unannounced > best)
                .unwrap_or(best),
        )
    }

    /// What the record has as live, where that was never announced.
    fn live_unannounced(&self) -> Option<Ordinal> {
        let live = Ordinal::update(self.record?.live.as_ref()?.revision);
        let told = self.seen.told.get(&live)?;
        (!told.contains(&OutcomeKind::Ready)).then_some(live)
    }

    fn is_live(&self, ordinal: Ordinal) -> Checked {
        if self.seen.vanished {
            return Ok(());
        }
        let name = format!("{ordinal} of {}", self.key);
        let Some(live) = self.record.and_then(|record| record.live.as_ref()) else {
            return broken(
                "I2 the newest is live",
                format!("{name} was ready, and its record has nothing as live"),
            );
        };
        if live.revision != ordinal.revision {
            return broken(
                "I2 the newest is live",
                format!("{name} was ready, and revision {} is live", live.revision),
            );
        }
        if !self.rest.is_ready(&live.deployment) {
            return broken(
                "I2 what is live is there",
                format!("{name} is live as {}, which is gone", live.deployment),
            );
        }
        let trees: Vec<_> = self
            .seen
            .events
            .get(&ordinal)
            .into_iter()
            .flatten()
            .filter_map(|event| event.tree.as_ref())
            .collect();
        let held = self
            .rest
            .of(self.key)
            .find(|held| held.id == live.deployment);
        // A tag says nothing of content: after a wipe another request under a conflicting revision may adopt what was deployed.
        let had_conflict = self.seen.events.values().any(|events| events.len() > 1);
        if self.was_wiped && had_conflict {
            return Ok(());
        }
        if !held.is_some_and(|held| trees.contains(&&held.tree)) {
            return broken(
                "I2 what is live has its files",
                format!(
                    "{name} is live as {}, which has other files",
                    live.deployment
                ),
            );
        }
        let shown = self
            .rest
            .shown
            .get(self.key)
            .map(Vec::as_slice)
            .unwrap_or_default();
        if !shown.contains(&live.deployment) {
            return broken(
                "I2 the alias shows the newest",
                format!(
                    "{name} is live as {}, and the alias shows {shown:?}",
                    live.deployment
                ),
            );
        }
        Ok(())
    }

    /// Nothing at or below an accepted end is left.
    fn is_nothing_left_of_what_ended(&self) -> Checked {
        let Some(floor) = self.seen.floor() else {
            return Ok(());
        };
        // P3: an end that left no tag is forgotten with the store's memory.
        if self.seen.may_be_forgotten(Ordinal::end(floor)) {
            return Ok(());
        }
        // One that a newer revision took over, unchanged, is that revision's.
        let mut of_key = self.rest.of(self.key);
        match of_key.find(|held| self.seen.stands_for(&held.id, held.revision) <= floor) {
            Some(left) => broken(
                "END nothing is left of what ended",
                format!(
                    "{} ended at {floor}, and {} of revision {} is left",
                    self.key, left.id, left.revision
                ),
            ),
            None => Ok(()),
        }
    }

    /// I5: no deployment that no record knows.
    fn is_everything_known(&self) -> Checked {
        for held in self.rest.of(self.key) {
            let Some(record) = self.record else {
                return broken(
                    "I5 every deployment is known",
                    format!("{} of {}, which no record has", held.id, self.key),
                );
            };
            let is_live = record
                .live
                .as_ref()
                .is_some_and(|live| live.deployment == held.id);
            // What was announced is kept until the next announcement says that it was replaced.
            let is_kept = self.seen.announced_deployments.contains(&held.id)
                && (self.seen.keeps_more_than_one()
                    || self.seen.vanished
                    || self.live_unannounced().is_some());
            let is_adopted = record.adopted.contains_key(&held.id)
                && record
                    .live
                    .as_ref()
                    .is_none_or(|live| live.revision < held.revision);
            if !is_live && !is_kept && !is_adopted {
                return broken(
                    "I5 every deployment is known",
                    format!("{} of {}/{}", held.id, self.key, held.revision),
                );
            }
            // Adopted, and its event has ended: the sweeper should have let it go. After a wipe nobody knows that.
            let is_awaited =
                !self.was_told(Ordinal::update(held.revision), OutcomeKind::Superseded);
            if is_adopted && !is_awaited && !self.was_wiped && !is_kept && !is_live {
                return Ok(());
            }
        }
        Ok(())
    }

    fn is_the_record_tidy(&self) -> Checked {
        let Some(record) = self.record else {
            return Ok(());
        };
        if !record.condemned.is_empty() {
            return broken(
                "M5 nothing stays condemned",
                format!("{:?} of {}", record.condemned, self.key),
            );
        }
        Ok(())
    }

    /// The quota sets are what is live and what is built, which is nothing now.
    fn are_the_places_right(&self) -> Checked {
        let tenant = self.key.tenant.as_str();
        let mine = |set: QuotaSet| {
            self.rest
                .places
                .iter()
                .filter(move |(of, in_tenant, _)| *of == set && in_tenant == tenant)
        };
        if let Some((_, _, name)) = mine(QuotaSet::ConcurrentBuilds).next() {
            return broken(
                "QUOTA no build is left",
                format!("{name} of {tenant} is still counted as being built"),
            );
        }
        let had_end = self.seen.floor().is_some();
        if self.was_wiped || !self.seen.seeded.is_empty() || self.seen.vanished || had_end {
            // What a store forgot of idle contexts, their places included, is gone until their next event; the place of one whose
            // preview vanished has a deadline; and places have no fence: where an end loses its lease before its answer comes,
            // its leaving may land after the next update took the place.
            return Ok(());
        }
        let member = QuotaMember::LivePreview(self.key.clone()).name();
        let counts = mine(QuotaSet::LivePreviews).any(|(_, _, name)| *name == member);
        let is_live = self.record.is_some_and(|record| record.live.is_some());
        if counts != is_live {
            return broken(
                "QUOTA what is live counts",
                format!("{}: counted {counts}, live {is_live}", self.key),
            );
        }
        Ok(())
    }
}
