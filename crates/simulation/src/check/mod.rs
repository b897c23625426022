//! What must hold, in every world: checked while it runs, and when it has come to rest.
//!
//! The tower sees what lands at the ports, not what the engine believes. Its rules are the project's promises; each exception
//! is one that the design documents, and is named where it is made.

mod ends;
mod leases;
mod load;
mod rest;
mod retention;
mod shown;

use std::collections::{BTreeMap, BTreeSet};

use foreshow_contract::{ContextKey, DeploymentId, Ordinal, OutcomeKind, ProviderName, Revision};

use self::leases::{Hold, Shadow};
pub(crate) use self::rest::{Rest, Steady, after_one_sweep, at_rest};
use crate::process::TaskName;

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which, in a word.
    pub invariant: &'static str,
    /// What was seen.
    pub why: String,
}

/// Sees everything that lands.
#[derive(Default)]
pub(crate) struct Watchtower {
    broken: Option<Violation>,
    holds: BTreeMap<TaskName, Hold>,
    sweepers: BTreeSet<TaskName>,
    shadows: BTreeMap<ContextKey, Shadow>,
    contexts: BTreeMap<ContextKey, Seen>,
    /// What a task's last list of a context at a provider told.
    listed: BTreeMap<(TaskName, ProviderName), Listed>,
    condemned: BTreeSet<DeploymentId>,
    /// Those that the record must still name as condemned, and refuse.
    in_force: BTreeMap<DeploymentId, ContextKey>,
    /// Deployments that exist.
    there: BTreeSet<DeploymentId>,
    rejected: BTreeSet<String>,
    dead_letters: BTreeSet<String>,
    wipes: u32,
    clock_stepped: bool,
    margin: std::time::Duration,
    cancels_in_a_row: u32,
}

/// A context, and its deployments as a provider listed them.
type Listed = (ContextKey, Vec<(DeploymentId, Revision)>);

/// What was seen of one context.
#[derive(Default)]
pub(crate) struct Seen {
    /// Everything published, by its place in the order.
    events: BTreeMap<Ordinal, Vec<Published>>,
    /// What the store accepted.
    accepted: BTreeSet<Ordinal>,
    /// How events were told to have ended.
    told: BTreeMap<Ordinal, BTreeSet<OutcomeKind>>,
    /// Events whose end was decided in the store's present memory, and in one that it lost.
    decided: BTreeSet<Ordinal>,
    decided_before_wipe: BTreeSet<Ordinal>,
    /// The newest revision that was announced as ready.
    announced: Option<Revision>,
    announced_at: Option<ProviderName>,
    /// Announced deployments.
    announced_deployments: BTreeSet<DeploymentId>,
    /// The newest revision that each deployment stood for.
    stands_for: BTreeMap<DeploymentId, Revision>,
    /// What the store last had as live.
    live: Option<DeploymentId>,
    /// After a wipe: up to this, what was shown or ended may come back, for no tag tells of it.
    forgot_up_to: Option<Ordinal>,
    /// Questions that were answered with `held` since then.
    held: (std::time::Duration, u32),
    greatest_fence: u64,
    /// Its record was made from what providers' tags tell.
    seeded: BTreeSet<DeploymentId>,
    /// A deployment of it vanished by itself.
    vanished: bool,
    /// Builds cancelled one after another.
    in_a_row: u32,
    /// When deployments were created, and readies announced first.
    creates: Vec<(std::time::Duration, Revision)>,
    readies: Vec<std::time::Duration>,
    /// It was reset, and what was told of events before that.
    was_reset: bool,
    told_before_reset: BTreeMap<Ordinal, BTreeSet<OutcomeKind>>,
    /// A copy that lost to these before is told so, maybe after.
    accepted_before_reset: BTreeSet<Ordinal>,
    /// Notices that are owed, of previews that expired or were reset.
    owed: BTreeSet<Revision>,
    /// When its events were published.
    published_at: Vec<std::time::Duration>,
}

/// A published event.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    pub(crate) id: String,
    /// The digest of its files; `None` of an end.
    pub(crate) tree: Option<String>,
    pub(crate) keep_revisions: u32,
}

impl Watchtower {
    pub(crate) fn new(margin: std::time::Duration, cancels_in_a_row: u32) -> Self {
        Self {
            margin,
            cancels_in_a_row,
            ..Self::default()
        }
    }

    /// The first promise that was broken.
    pub(crate) fn broken(&self) -> Option<&Violation> {
        self.broken.as_ref()
    }

    pub(crate) fn violate(&mut self, invariant: &'static str, why: impl FnOnce() -> String) {
        if self.broken.is_none() {
            self.broken = Some(Violation {
                invariant,
                why: why(),
            });
        }
    }

    fn seen(&mut self, key: &ContextKey) -> &mut Seen {
        self.contexts.entry(key.clone()).or_default()
    }

    pub(crate) fn published(
        &mut self,
        key: &ContextKey,
        ordinal: Ordinal,
        event: Published,
        at: std::time::Duration,
    ) {
        self.seen(key).published_at.push(at);
        let events = self.seen(key).events.entry(ordinal).or_default();
        if events.iter().all(|known| known.id != event.id) {
            events.push(event);
        }
    }

    pub(crate) fn store_clock_stepped(&mut self) {
        self.clock_stepped = true;
    }

    pub(crate) fn wipes(&self) -> u32 {
        self.wipes
    }

    /// The record was told by tags that this is live. What a holder from before a wipe had sent may have removed it, or may yet.
    pub(crate) fn seeded(&mut self, key: &ContextKey, id: &DeploymentId) {
        let is_gone = !self.there.contains(id);
        let seen = self.seen(key);
        seen.seeded.insert(id.clone());
        seen.live = None;
        seen.vanished |= is_gone;
    }

    pub(crate) fn vanished(&mut self, key: &ContextKey, id: &DeploymentId) {
        self.there.remove(id);
        self.seen(key).vanished = true;
    }
}
