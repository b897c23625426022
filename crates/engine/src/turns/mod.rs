//! Tenants take turns for a worker's run slots, so that one tenant's flood is not another's wait.
//!
//! Three rules. None of them knows a clock or chance, so a simulation repeats itself.
//!
//! 1. **A slot goes to the tenant that runs least here**, and among equals to the one that was served longest ago. It is max-min
//!    fairness of slots rather than round robin of starts, which would give most slots to whoever's builds take longest. A tenant
//!    with nothing running is served before anybody who came, began or ended after it came, so nobody starves. Within a tenant:
//!    first come, first served.
//! 2. **No slot is idle while somebody waits for one.** A free slot is given in the very step in which somebody lines up, a
//!    returned one in the step that returns it.
//! 3. **The window keeps room.** A worker holds only so many deliveries at once. Were all of them one tenant's, nobody else's could
//!    be seen, since the queue is first in, first out. So the deliveries that wait may fill a part of the window only
//!    ([`Bound`]); beyond it the tenant with the greatest burden gives up its newest, which is told [`Told::Beyond`] and leaves for
//!    the backlog. A burden is what a tenant has waiting here and has moved from here: whoever floods goes on moving, rather
//!    than share with the flood what is behind it. Whoever has little keeps it, even where many such fill the window, and a
//!    tenant's only one stays. What waits for another holder's lease fills the window as well and is counted
//!    ([`Turns::elsewhere`]), but is not told to leave: it has raised what its context should show, and somebody may have stepped
//!    down for it.
//!
//! Everything is safe to drop: a [`Turn`] leaves the line, a slot that was on its way to a dropped one goes to the next, a
//! dropped [`Slot`] is free.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use foreshow_contract::TenantId;
use tokio::sync::{Notify, oneshot};

/// The run slots of one worker, and who waits for them. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Turns(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// A slot is free that nobody waits for.
    idle: Notify,
}

/// How many deliveries may wait here before some of them leave for the backlog; `None`: any number. A tenant with a quarter of it
/// has little.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bound(pub(crate) Option<usize>);

impl Bound {
    /// Of a window of so many deliveries, of which so many run: a percentage of the others may wait. 100 is no bound.
    pub(crate) fn of_window(prefetch: usize, concurrency: usize, percent: usize) -> Self {
        let places = prefetch.saturating_sub(concurrency);
        Self((percent < 100).then(|| (places.saturating_mul(percent) / 100).max(1)))
    }
}

struct State {
    /// Above 0 only while nobody waits.
    free: usize,
    bound: Bound,
    tenants: BTreeMap<TenantId, Tenant>,
    /// All who wait, in line or elsewhere.
    waiting: usize,
    /// Counts whatever needs an order.
    next: u64,
}

#[derive(Default)]
struct Tenant {
    /// Slots it has.
    running: usize,
    /// When it last got a slot or gave one back, or came.
    served: u64,
    /// In the order in which they came.
    line: VecDeque<Waiter>,
    /// Deliveries that wait here for another holder's lease.
    elsewhere: usize,
    /// Deliveries that left from here and that were not seen again, as far as is known: other workers read the backlog too, and
    /// this one reads what they moved.
    moved: usize,
}

impl Tenant {
    fn waiting(&self) -> usize {
        self.line.len() + self.elsewhere
    }

    fn burden(&self) -> usize {
        self.waiting().saturating_add(self.moved)
    }

    /// Whether one of its deliveries can leave.
    fn can_spare(&self, little: usize) -> bool {
        let may_leave = self.line.iter().any(|waiter| waiter.may_leave);
        may_leave && self.waiting() > 1 && self.burden() > little
    }

    fn is_gone(&self) -> bool {
        self.running == 0 && self.waiting() == 0 && self.moved == 0
    }
}

struct Waiter {
    number: u64,
    may_leave: bool,
    tell: oneshot::Sender<Told>,
}

/// What somebody in line is told.
#[derive(Debug)]
pub(crate) enum Told {
    /// It is its turn.
    Go(Slot),
    /// Its tenant has too many waiting here: leave for the backlog.
    Beyond,
}

/// A right to run, given back when it is dropped.
#[must_use = "a slot that is dropped is free again"]
pub(crate) struct Slot {
    turns: Turns,
    /// `None` while it is kept for a delivery that is still to be read.
    tenant: Option<TenantId>,
}

/// A place in the line, left when it is dropped.
pub(crate) struct Turn {
    turns: Turns,
    tenant: TenantId,
    number: u64,
    told: oneshot::Receiver<Told>,
}

/// A delivery that waits for another holder's lease, for as long as this lives.
pub(crate) struct Elsewhere {
    turns: Turns,
    tenant: TenantId,
}

impl Turns {
    pub(crate) fn new(slots: usize, bound: Bound) -> Self {
        Self(Arc::new(Shared {
            state: Mutex::new(State {
                free: slots,
                bound,
                tenants: BTreeMap::new(),
                waiting: 0,
                next: 0,
            }),
            idle: Notify::new(),
        }))
    }

    /// Stands in line, at the end of the tenant's. One that may not leave is never told that it is beyond.
    pub(crate) fn line_up(&self, tenant: &TenantId, may_leave: bool) -> Turn {
        let mut state = self.lock();
        let number = state.count();
        let (tell, told) = oneshot::channel();
        let waiter = Waiter {
            number,
            may_leave,
            tell,
        };
        state.waiting += 1;
        state.tenant(tenant).line.push_back(waiter);
        let mut step = Step::default();
        state.serve(self, &mut step);
        state.keep_room(&mut step);
        drop(state);
        step.tell();
        Turn {
            turns: self.clone(),
            tenant: tenant.clone(),
            number,
            told,
        }
    }

    /// From now on one more of the tenant's deliveries waits for another holder's lease.
    pub(crate) fn elsewhere(&self, tenant: &TenantId) -> Elsewhere {
        let mut state = self.lock();
        state.waiting += 1;
        state.tenant(tenant).elsewhere += 1;
        let mut step = Step::default();
        state.keep_room(&mut step);
        drop(state);
        step.tell();
        Elsewhere {
            turns: self.clone(),
            tenant: tenant.clone(),
        }
    }

    /// Waits until slots are free that nobody here waits for, and answers how many. For one caller at a time. Cancel-safe.
    pub(crate) async fn until_idle(&self) -> usize {
        loop {
            let free = self.lock().free;
            if free > 0 {
                return free;
            }
            self.0.idle.notified().await;
        }
    }

    /// A free slot for a delivery whose tenant is yet to be read, if there is one.
    pub(crate) fn try_slot(&self) -> Option<Slot> {
        let mut state = self.lock();
        state.free = state.free.checked_sub(1)?;
        drop(state);
        Some(Slot {
            turns: self.clone(),
            tenant: None,
        })
    }

    /// One of the tenant's deliveries was read from the backlog.
    pub(crate) fn came_back(&self, tenant: &TenantId) {
        let mut state = self.lock();
        let one = state.tenant(tenant);
        one.moved = one.moved.saturating_sub(1);
        state.forget_if_gone(tenant);
    }

    /// The backlog is empty: whatever was moved has come back.
    pub(crate) fn all_came_back(&self) {
        let mut state = self.lock();
        state.tenants.values_mut().for_each(|one| one.moved = 0);
        state.tenants.retain(|_, one| !one.is_gone());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn count(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn tenant(&mut self, name: &TenantId) -> &mut Tenant {
        let next = self.next;
        self.tenants.entry(name.clone()).or_insert_with(|| Tenant {
            served: next,
            ..Tenant::default()
        })
    }

    /// Gives what is free to those who wait.
    fn serve(&mut self, turns: &Turns, step: &mut Step) {
        while self.free > 0
            && let Some(name) = self.least_served()
        {
            self.free -= 1;
            self.waiting -= 1;
            let served = self.count();
            let tenant = self.tenant(&name);
            tenant.running += 1;
            tenant.served = served;
            let waiter = tenant.line.pop_front().expect("it has somebody in line");
            let slot = Slot {
                turns: turns.clone(),
                tenant: Some(name),
            };
            step.0.push((waiter.tell, Told::Go(slot)));
        }
    }

    fn least_served(&self) -> Option<TenantId> {
        let in_line = self.tenants.iter().filter(|(_, one)| !one.line.is_empty());
        let (name, _) = in_line.min_by_key(|(_, one)| (one.running, one.served))?;
        Some(name.clone())
    }

    /// Tells as many to leave as are beyond the bound and can be spared.
    fn keep_room(&mut self, step: &mut Step) {
        let Some(bound) = self.bound.0 else { return };
        let little = bound.div_ceil(4);
        while self.waiting > bound {
            let tenants = self.tenants.values_mut();
            let crowd = tenants.filter(|one| one.can_spare(little));
            let Some(greatest) = crowd.max_by_key(|one| (one.burden(), one.served)) else {
                return;
            };
            let newest = greatest.line.iter().rposition(|waiter| waiter.may_leave);
            let Some(waiter) = newest.and_then(|place| greatest.line.remove(place)) else {
                return;
            };
            greatest.moved += 1;
            self.waiting -= 1;
            step.0.push((waiter.tell, Told::Beyond));
        }
    }

    fn forget_if_gone(&mut self, name: &TenantId) {
        if self.tenants.get(name).is_some_and(Tenant::is_gone) {
            self.tenants.remove(name);
        }
    }
}

/// What is told once the lock is released: a slot that nobody takes any more is dropped, and that needs the lock.
#[derive(Default)]
struct Step(Vec<(oneshot::Sender<Told>, Told)>);

impl Step {
    fn tell(self) {
        for (tell, told) in self.0 {
            // A slot that nobody takes is free again with this.
            drop(tell.send(told));
        }
    }
}

impl Turn {
    /// Waits until there is something to be told. Once only.
    pub(crate) async fn told(&mut self) -> Told {
        let told = (&mut self.told).await;
        told.expect("whoever is taken out of the line is told why")
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.turns.lock();
        let number = self.number;
        if let Some(tenant) = state.tenants.get_mut(&self.tenant)
            && let Some(place) = tenant.line.iter().position(|one| one.number == number)
        {
            tenant.line.remove(place);
            state.waiting -= 1;
            state.forget_if_gone(&self.tenant);
        }
        // A slot that was told and not heard goes with the channel, after the lock.
    }
}

impl Slot {
    /// From now on it counts as this tenant's.
    pub(crate) fn taken_by(mut self, tenant: &TenantId) -> Self {
        if self.tenant.is_none() {
            let mut state = self.turns.lock();
            let served = state.count();
            let one = state.tenant(tenant);
            one.running += 1;
            one.served = served;
            drop(state);
            self.tenant = Some(tenant.clone());
        }
        self
    }
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Slot({:?})", self.tenant)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.turns.lock();
        state.free += 1;
        if let Some(name) = &self.tenant {
            let served = state.count();
            let tenant = state.tenant(name);
            tenant.running -= 1;
            tenant.served = served;
        }
        let mut step = Step::default();
        state.serve(&self.turns, &mut step);
        if let Some(name) = &self.tenant {
            state.forget_if_gone(name);
        }
        let is_idle = state.free > 0;
        drop(state);
        step.tell();
        if is_idle {
            self.turns.0.idle.notify_one();
        }
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        let mut state = self.turns.lock();
        state.waiting -= 1;
        state.tenant(&self.tenant).elsewhere -= 1;
        state.forget_if_gone(&self.tenant);
    }
}
