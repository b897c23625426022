//! What this process does with each context: what it works on, and who waits.
//!
//! It saves questions and never decides anything; that is the store's alone. A delivery of a context that is worked on here
//! asks the store without waiting for a run slot: it is most likely told to wait, or accepted as the newer one that makes the
//! running build obsolete, and neither should stand behind thirty builds of others. And of the deliveries that wait for one
//! context and revision one asks on behalf of all; the others wait along, for its seat.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use foreshow_contract::{ContextKey, Ordinal};
use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

use crate::notices::{Notice, NoticeBoard};

/// What this process does with each context.
#[derive(Default)]
pub(crate) struct Locals {
    state: Arc<Mutex<State>>,
    begun: NoticeBoard,
}

#[derive(Default)]
struct State {
    working: HashMap<ContextKey, Vec<Ordinal>>,
    seats: HashMap<(ContextKey, Ordinal), Weak<Turn<()>>>,
}

/// This process works on the context for as long as it lives.
pub(crate) struct Working {
    key: ContextKey,
    ordinal: Ordinal,
    state: Arc<Mutex<State>>,
}

/// The right to ask the store on behalf of all who wait for one revision here.
pub(crate) type Seat = OwnedMutexGuard<()>;

impl Locals {
    /// From now on this process works on the context, for this event.
    pub(crate) fn work_on(&self, key: &ContextKey, ordinal: Ordinal) -> Working {
        let mut state = lock(&self.state);
        let working = state.working.entry(key.clone()).or_default();
        working.push(ordinal);
        drop(state);
        self.begun.post(key);
        Working {
            key: key.clone(),
            ordinal,
            state: Arc::clone(&self.state),
        }
    }

    /// Tells when this process begins to work on the context, from now on.
    pub(crate) fn watch(&self, key: &ContextKey) -> Notice {
        self.begun.watch(key)
    }

    /// Whether this process works on the context.
    pub(crate) fn is_worked_on(&self, key: &ContextKey) -> bool {
        lock(&self.state).working.contains_key(key)
    }

    /// Whether this process works on the context for this very event.
    pub(crate) fn is_worked_on_for(&self, key: &ContextKey, ordinal: Ordinal) -> bool {
        let state = lock(&self.state);
        state
            .working
            .get(key)
            .is_some_and(|working| working.contains(&ordinal))
    }

    /// The seat of this revision, where it is free.
    pub(crate) fn try_seat(&self, key: &ContextKey, ordinal: Ordinal) -> Option<Seat> {
        self.turn(key, ordinal).try_lock_owned().ok()
    }

    /// Waits for the seat of this revision: first come, first seated. Cancel-safe.
    pub(crate) async fn seat(&self, key: &ContextKey, ordinal: Ordinal) -> Seat {
        self.turn(key, ordinal).lock_owned().await
    }

    fn turn(&self, key: &ContextKey, ordinal: Ordinal) -> Arc<Turn<()>> {
        let mut state = lock(&self.state);
        if state.seats.len() >= 64 && state.seats.len().is_power_of_two() {
            state.seats.retain(|_, seat| seat.strong_count() > 0);
        }
        let seat = state.seats.entry((key.clone(), ordinal)).or_default();
        seat.upgrade().unwrap_or_else(|| {
            let turn = Arc::default();
            *seat = Arc::downgrade(&turn);
            turn
        })
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        let mut state = lock(&self.state);
        if let Some(working) = state.working.get_mut(&self.key) {
            if let Some(place) = working.iter().position(|one| *one == self.ordinal) {
                working.swap_remove(place);
            }
            if working.is_empty() {
                state.working.remove(&self.key);
            }
        }
    }
}

fn lock(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use foreshow_contract::{ContextId, Revision, TenantId};
    use futures_util::FutureExt as _;

    use super::*;

    fn key() -> ContextKey {
        ContextKey {
            tenant: TenantId::try_new("acme").unwrap(),
            context: ContextId::try_new("ctx").unwrap(),
        }
    }

    fn update(revision: u64) -> Ordinal {
        Ordinal::update(Revision::try_new(revision).unwrap())
    }

    #[test]
    fn one_of_each_revision_has_the_seat() {
        let locals = Locals::default();
        let key = key();
        let first = locals.try_seat(&key, update(1)).unwrap();
        assert!(locals.try_seat(&key, update(1)).is_none());
        let mut second = Box::pin(locals.seat(&key, update(1)));
        assert!(second.as_mut().now_or_never().is_none());
        assert!(locals.seat(&key, update(2)).now_or_never().is_some());
        drop(first);
        assert!(second.now_or_never().is_some());
    }

    #[test]
    fn a_context_is_worked_on_until_the_last_job_of_it_is_done() {
        let locals = Locals::default();
        let (one, two) = (
            locals.work_on(&key(), update(1)),
            locals.work_on(&key(), update(2)),
        );
        drop(one);
        assert!(locals.is_worked_on(&key()));
        assert!(locals.is_worked_on_for(&key(), update(2)));
        assert!(!locals.is_worked_on_for(&key(), update(1)));
        drop(two);
        assert!(!locals.is_worked_on(&key()));
    }
}
