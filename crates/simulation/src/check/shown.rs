//! What is shown only moves forward, and what is announced is there.

use std::time::Duration;

use foreshow_contract::{ContextKey, DeploymentId, Ordinal, OrdinalKind, ProviderName, Revision};

use super::{Seen, Watchtower};
use crate::{stats::Count, world::World};

impl Seen {
    /// The newest revision that the deployment stood for.
    pub(super) fn stands_for(&self, id: &DeploymentId, tag: Revision) -> Revision {
        self.stands_for
            .get(id)
            .copied()
            .map_or(tag, |known| known.max(tag))
    }

    /// Whether an event that was accepted keeps older revisions beside the live one.
    pub(super) fn keeps_more_than_one(&self) -> bool {
        self.events
            .values()
            .flatten()
            .any(|event| event.keep_revisions > 1)
    }

    /// The newest end that was accepted.
    pub(super) fn floor(&self) -> Option<Revision> {
        let ends = self
            .accepted
            .iter()
            .filter(|ordinal| ordinal.kind == OrdinalKind::End);
        ends.map(|ordinal| ordinal.revision).max()
    }

    /// After a wipe: whether this one, and what is older, may have been forgotten for good.
    pub(super) fn may_be_forgotten(&self, ordinal: Ordinal) -> bool {
        self.forgot_up_to.is_some_and(|up_to| ordinal <= up_to)
    }
}

impl Watchtower {
    /// The store has this deployment as live, standing for this revision.
    pub(crate) fn went_live(&mut self, key: &ContextKey, revision: Revision, id: &DeploymentId) {
        let seen = self.seen(key);
        let known = seen.stands_for.entry(id.clone()).or_insert(revision);
        *known = revision.max(*known);
        seen.live = Some(id.clone());
    }

    /// At a wipe: the newest revision of each context that went live or was announced.
    pub(crate) fn shown_revisions(&self) -> Vec<(ContextKey, Revision)> {
        let newest = |seen: &Seen| seen.stands_for.values().copied().max().max(seen.announced);
        self.contexts
            .iter()
            .filter_map(|(key, seen)| Some((key.clone(), newest(seen)?)))
            .collect()
    }

    pub(crate) fn no_tag_tells_of(&mut self, key: &ContextKey) {
        self.seen(key).forgets_announced();
    }

    /// The context's alias shows this deployment now.
    pub(crate) fn shown(
        &mut self,
        provider: &ProviderName,
        key: &ContextKey,
        id: &DeploymentId,
        tag: Revision,
        world: &World,
    ) {
        let seen = self.seen(key);
        // An alias that another provider has for the context is not the one that was announced last.
        if seen.announced_at.as_ref() != Some(provider) {
            return;
        }
        let (stands_for, announced) = (seen.stands_for(id, tag), seen.announced);
        let Some(announced) = announced.filter(|announced| stands_for < *announced) else {
            return;
        };
        // P3's limits: what a wipe made forget; and with more than one revision kept, a frozen holder's last alias call finds
        // the older deployment still there, until the next sweep.
        if seen.may_be_forgotten(Ordinal::update(announced)) || seen.keeps_more_than_one() {
            world.stats().count(Count::Excused);
            return;
        }
        self.violate("I3 what is shown never goes back", || {
            format!("the alias of {key} shows {id}, revision {stands_for}, after revision {announced} was announced")
        });
    }

    pub(crate) fn created(
        &mut self,
        key: &ContextKey,
        revision: Revision,
        id: &DeploymentId,
        at: Duration,
    ) {
        self.there.insert(id.clone());
        self.seen(key).creates.push((at, revision));
    }

    /// A deployment was removed by whoever was allowed to: never the one that is live, unless an end covers it.
    pub(crate) fn removed(
        &mut self,
        key: &ContextKey,
        _: Revision,
        id: &DeploymentId,
        world: &World,
    ) {
        self.there.remove(id);
        let was_wiped = self.wipes > 0;
        let seen = self.seen(key);
        seen.vanished |= was_wiped && seen.seeded.contains(id);
        if seen.live.as_ref() != Some(id) {
            return;
        }
        seen.live = None;
        let stood_for = seen.stands_for.get(id).copied();
        let is_ended = seen
            .floor()
            .zip(stood_for)
            .is_some_and(|(floor, revision)| revision <= floor);
        if is_ended {
            return;
        }
        if was_wiped {
            // What a wiped store was told is live is a guess from tags; the next event mends it.
            world.stats().count(Count::Excused);
            return;
        }
        self.violate("P3 what is live stays", || {
            format!("{id}, which the record of {key} has as live, was removed")
        });
    }

    /// Ready was told of this revision.
    pub(super) fn announced(
        &mut self,
        provider: &ProviderName,
        key: &ContextKey,
        revision: Revision,
        id: &DeploymentId,
        at: Duration,
        world: &World,
    ) {
        let is_there = self.there.contains(id);
        let was_wiped = self.wipes > 0;
        let seen = self.seen(key);
        // A newer event is accepted: it mends whatever this one lost to it.
        let is_passed = seen
            .accepted
            .last()
            .is_some_and(|newest| *newest > Ordinal::update(revision));
        let excused = is_passed || seen.vanished;
        if !is_there && !excused {
            if was_wiped {
                // After a wipe a cancel that was decided before it may land after it; the newer event is still queued.
                world.stats().count(Count::Excused);
            } else {
                self.violate("READY is there", || {
                    format!("revision {revision} of {key} was told ready, and {id} is gone")
                });
            }
        }
        let seen = self.seen(key);
        if seen.announced_deployments.insert(id.clone()) || seen.announced < Some(revision) {
            seen.readies.push(at);
        }
        if seen.announced <= Some(revision) {
            seen.announced_at = Some(provider.clone());
        }
        seen.announced = seen.announced.max(Some(revision));
    }
}
