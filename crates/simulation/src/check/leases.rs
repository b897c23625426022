//! One holder at a time, by the store's clock; and no call of a holder's after its own clock has said stop.

use std::time::Duration;

use foreshow_contract::{ContextKey, DeploymentId, Ordinal, ProviderName, Revision, Timestamp};
use foreshow_engine::{Claim, Claimed, Deployment, LeaseId, Outcome, Owner};
use tokio::time::Instant;

use super::Watchtower;
use crate::{process::TaskName, stats::Count, world::World};

/// Timers have a grain of a millisecond, and a call may start in the one in which they fire.
const GRAIN: Duration = Duration::from_millis(2);

/// A context has a few waiters, and each asks when something changes; a loop would ask hundreds of times.
const HELD_PER_SECOND: u32 = 120;

/// A lease, as its holder knows of it.
pub(super) struct Hold {
    key: ContextKey,
    owner: Owner,
    fence: u64,
    ordinal: Ordinal,
    ttl: Duration,
    /// The last claim or renewal that was answered well was asked then.
    asked_at: Instant,
}

/// A lease, as the store must know of it.
pub(super) struct Shadow {
    owner: Owner,
    fence: u64,
    until: Timestamp,
}

impl Watchtower {
    pub(crate) fn sweeps(&mut self, task: Option<TaskName>) {
        self.sweepers.extend(task);
    }

    /// A task asks for a lease: it has none.
    pub(crate) fn claims(&mut self, task: Option<TaskName>) {
        self.lets_go(task);
    }

    /// A task gives its lease up: nothing at a provider may come after this.
    pub(crate) fn lets_go(&mut self, task: Option<TaskName>) {
        if let Some(task) = task {
            self.holds.remove(&task);
        }
    }

    pub(crate) fn granted(
        &mut self,
        task: Option<TaskName>,
        lease: &LeaseId,
        asked_at: Instant,
        ttl: Duration,
    ) {
        let Some(task) = task else { return };
        self.listed.retain(|(of, _), _| *of != task);
        self.holds.insert(
            task,
            Hold {
                key: lease.key.clone(),
                owner: lease.owner.clone(),
                fence: lease.fence,
                ordinal: lease.ordinal,
                ttl,
                asked_at,
            },
        );
    }

    pub(crate) fn renewed(&mut self, lease: &LeaseId, asked_at: Instant) {
        let mut holds = self.holds.values_mut();
        if let Some(hold) =
            holds.find(|hold| hold.fence == lease.fence && hold.owner == lease.owner)
        {
            hold.asked_at = hold.asked_at.max(asked_at);
        }
    }

    /// I6: whoever is granted a context finds nobody there whose lease runs.
    pub(crate) fn claim_landed(
        &mut self,
        claim: &Claim,
        claimed: &Claimed,
        now: Timestamp,
        world: &World,
    ) {
        // A claim that sees a lease run out takes it away, for good: the store's clock may be set back afterwards.
        if matches!(claimed, Claimed::Conflict | Claimed::Stale { .. })
            && self
                .shadows
                .get(&claim.key)
                .is_some_and(|shadow| shadow.until <= now)
        {
            self.shadows.remove(&claim.key);
        }
        match claimed {
            Claimed::Conflict | Claimed::Moot => return,
            Claimed::Finished(settled) if matches!(settled.outcome, Outcome::Reset { .. }) => {
                return;
            }
            Claimed::Finished(_) | Claimed::Stale { .. } => {
                let seen = self.seen(&claim.key);
                seen.accepted.insert(claim.ordinal);
                seen.decided.insert(claim.ordinal);
                return;
            }
            Claimed::Held { .. } => {
                let seen = self.seen(&claim.key);
                seen.accepted.insert(claim.ordinal);
                self.is_asked_again(&claim.key, world);
                return;
            }
            Claimed::Granted { .. } => {}
        }
        let Claimed::Granted { lease, .. } = claimed else {
            return;
        };
        let lease = lease.id();
        self.seen(&claim.key).accepted.insert(claim.ordinal);
        world.stats().count(Count::Grants);
        // A fence is above all earlier ones, also those of a record that was wiped; unless the store's clock was set back.
        let clock_stepped = self.clock_stepped;
        let greatest = &mut self.seen(&claim.key).greatest_fence;
        let before = std::mem::replace(greatest, lease.fence.max(*greatest));
        let is_again = self
            .shadows
            .get(&claim.key)
            .is_some_and(|shadow| shadow.owner == lease.owner);
        if before >= lease.fence && !is_again && !clock_stepped {
            self.violate("FENCE fences grow", || {
                format!(
                    "{} got fence {} of {} after {before}",
                    lease.owner, lease.fence, claim.key
                )
            });
        }
        let shadow = Shadow {
            owner: lease.owner.clone(),
            fence: lease.fence,
            until: now.saturating_add(claim.ttl),
        };
        let Some(before) = self.shadows.insert(claim.key.clone(), shadow) else {
            return;
        };
        if before.owner == lease.owner {
            return;
        }
        if before.until > now {
            self.violate("I6 one holder at a time", || {
                format!(
                    "{} was granted {} while {} held it until {}",
                    lease.owner, claim.key, before.owner, before.until
                )
            });
        }
        world.stats().count(Count::TakeOvers);
    }

    /// Waiters sleep; they do not ask in a loop.
    fn is_asked_again(&mut self, key: &ContextKey, world: &World) {
        let now = world.elapsed();
        let (since, count) = &mut self.seen(key).held;
        if now > *since + Duration::from_secs(1) {
            (*since, *count) = (now, 0);
        }
        *count += 1;
        let count = *count;
        if count > HELD_PER_SECOND {
            self.violate("LOAD nobody asks in a loop", || {
                format!("{count} questions about {key} were answered with `held` within a second")
            });
        }
    }

    pub(crate) fn prolonged(&mut self, lease: &LeaseId, until: Timestamp) {
        if let Some(shadow) = self.shadows.get_mut(&lease.key)
            && shadow.owner == lease.owner
            && shadow.fence == lease.fence
        {
            shadow.until = shadow.until.max(until);
        }
    }

    /// The store took the lease back, if it was the one that holds.
    pub(crate) fn released(&mut self, lease: &LeaseId) {
        let is_it = |shadow: &Shadow| shadow.owner == lease.owner && shadow.fence == lease.fence;
        if self.shadows.get(&lease.key).is_some_and(is_it) {
            self.shadows.remove(&lease.key);
        }
    }

    /// I7: a call at a provider starts under a lease, and before its holder's own clock has said stop.
    pub(crate) fn calls_provider(
        &mut self,
        task: Option<TaskName>,
        operation: &'static str,
        of: Option<&ContextKey>,
        world: &World,
    ) {
        let Some(task) = task else { return };
        if self.sweepers.contains(&task) {
            return;
        }
        let margin = self.margin;
        let Some(hold) = self.holds.get(&task) else {
            self.violate("I7 no call without a lease", || {
                format!("process {} called `{operation}` with no lease", task.0)
            });
            return;
        };
        let late =
            (hold.asked_at + hold.ttl).saturating_duration_since(Instant::now()) + GRAIN < margin;
        let other = of.is_some_and(|of| *of != hold.key);
        if late || other {
            let (owner, held_for) = (hold.owner.clone(), hold.asked_at.elapsed());
            self.violate("I7 no call after the lease", || {
                format!(
                    "{owner} called `{operation}` at {:?}, {held_for:?} after it last asked for its lease{}",
                    world.elapsed(),
                    if other { ", of another context" } else { "" }
                )
            });
        }
    }

    pub(crate) fn listed(
        &mut self,
        task: Option<TaskName>,
        provider: &ProviderName,
        key: &ContextKey,
        listed: &[Deployment],
    ) {
        let Some(task) = task else { return };
        if !self.holds.contains_key(&task) {
            return;
        }
        let tagged = listed
            .iter()
            .map(|one| (one.id.clone(), one.revision))
            .collect();
        self.listed
            .insert((task, provider.clone()), (key.clone(), tagged));
    }

    /// Adopt before create: nobody creates what their last look at the provider showed.
    pub(crate) fn creates(
        &mut self,
        task: Option<TaskName>,
        provider: &ProviderName,
        key: &ContextKey,
        revision: Revision,
        _: &World,
    ) {
        let Some(task) = task else { return };
        let seen = match self.listed.get(&(task, provider.clone())) {
            Some((of, listed)) if of == key => listed,
            _ => {
                self.violate("P5 look before create", || {
                    format!("revision {revision} of {key} was created and nobody had looked for it")
                });
                return;
            }
        };
        let there: Option<DeploymentId> = seen
            .iter()
            .find(|(id, of)| *of == revision && !self.condemned.contains(id))
            .map(|(id, _)| id.clone());
        if let Some(there) = there {
            self.violate("P5 adopt before create", || {
                format!("revision {revision} of {key} was created though {there} was seen")
            });
        }
    }

    /// M6: nobody removes what is newer than their own event.
    pub(crate) fn removes(
        &mut self,
        task: Option<TaskName>,
        key: &ContextKey,
        id: &DeploymentId,
        revision: Revision,
    ) {
        let hold = task.and_then(|task| self.holds.get(&task));
        if let Some(ordinal) = hold
            .map(|hold| hold.ordinal)
            .filter(|ordinal| ordinal.revision < revision)
        {
            self.violate("M6 nobody removes what is newer", || {
                format!("the holder of {ordinal} removes {id} of {key}, revision {revision}")
            });
        }
    }

    /// M5: whoever is told to delete a deployment finds it condemned in its record, by the step that told them.
    ///
    /// Between that step and the deletion anybody may be granted the context, list the deployment and adopt it; that the record
    /// refuses it is all that keeps it from going live and vanishing. The harm itself takes a sweep, an adoption and a deletion
    /// within one second of each other; the promise that everything else leans on is seen at each judgement.
    pub(crate) fn condemned(&mut self, key: &ContextKey, id: &DeploymentId, is_written: bool) {
        self.condemned.insert(id.clone());
        self.in_force.insert(id.clone(), key.clone());
        if !is_written {
            self.violate("M5 condemned before it is deleted", || {
                format!("{id} of {key} is to be deleted, and its record does not say so")
            });
        }
    }

    /// It is gone at its provider.
    pub(crate) fn condemned_is_forgotten(&mut self, id: &DeploymentId) {
        self.in_force.remove(id);
    }

    /// M5: what is condemned is neither worked on nor live again.
    pub(crate) fn accepted_into_record(&mut self, id: &DeploymentId) {
        if let Some(key) = self.in_force.get(id).cloned() {
            self.violate("M5 condemned is refused", || {
                format!("the record of {key} took {id}, which is condemned")
            });
        }
    }

    /// The store forgot everything: what was decided, and who holds what.
    pub(crate) fn wiped(&mut self) {
        self.wipes += 1;
        self.shadows.clear();
        self.in_force.clear();
        for seen in self.contexts.values_mut() {
            seen.wiped();
        }
    }
}
