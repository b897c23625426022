//! Wakes those who wait for a context, within one process.
//!
//! A helper for adapters of the store: they post a notice after each step that a waiter cares about. Across processes
//! an adapter adds its own means (polling, or the store's own notices).

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use foreshow_contract::ContextKey;
use tokio::sync::Notify;

/// One board per store. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct NoticeBoard {
    /// Sorted, so that a simulation wakes everybody in the same order each time.
    watched: Arc<Mutex<BTreeMap<ContextKey, Arc<Pin>>>>,
}

/// Where one context's notices hang. Not a `watch` channel: that wakes its receivers in an order of chance, and a simulation is to
/// repeat itself.
#[derive(Debug, Default)]
struct Pin {
    posted: AtomicU64,
    waiters: Notify,
}

impl Pin {
    fn post(&self) {
        self.posted.fetch_add(1, Ordering::SeqCst);
        self.waiters.notify_waiters();
    }
}

/// Whether anybody but the board has it.
fn is_watched(pin: &Arc<Pin>) -> bool {
    Arc::strong_count(pin) > 1
}

impl NoticeBoard {
    /// Wakes whoever watches the context.
    pub fn post(&self, key: &ContextKey) {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pin) = watched.get(key) {
            if is_watched(pin) {
                pin.post();
            } else {
                watched.remove(key);
            }
        }
    }

    /// Wakes whoever watches any context: notices may have been missed.
    pub fn post_all(&self) {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.retain(|_, pin| is_watched(pin));
        for pin in watched.values() {
            pin.post();
        }
    }

    /// Notices about the context, from now on.
    pub fn watch(&self, key: &ContextKey) -> Notice {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        if watched.len() >= 64 && watched.len().is_power_of_two() {
            watched.retain(|_, pin| is_watched(pin));
        }
        let pin = Arc::clone(watched.entry(key.clone()).or_default());
        let seen = pin.posted.load(Ordering::SeqCst);
        Notice { pin, seen }
    }
}

/// Notices about one context.
#[derive(Debug)]
pub struct Notice {
    pin: Arc<Pin>,
    seen: u64,
}

impl Notice {
    /// Returns once something was posted since the last return, or since the notice was made. Cancel-safe.
    pub async fn changed(&mut self) {
        loop {
            // Made before the look: what is posted from now on wakes it.
            let woken = self.pin.waiters.notified();
            let posted = self.pin.posted.load(Ordering::SeqCst);
            if posted != self.seen {
                self.seen = posted;
                return;
            }
            woken.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use foreshow_contract::{ContextId, TenantId};

    use super::*;

    fn key(context: &str) -> ContextKey {
        ContextKey {
            tenant: TenantId::try_new("acme").unwrap(),
            context: ContextId::try_new(context).unwrap(),
        }
    }

    #[tokio::test]
    async fn a_notice_between_watching_and_waiting_is_not_lost() {
        let board = NoticeBoard::default();
        let mut notice = board.watch(&key("a"));
        board.post(&key("b"));
        board.post(&key("a"));
        notice.changed().await;
    }

    #[tokio::test]
    async fn a_notice_to_all_wakes_each() {
        let board = NoticeBoard::default();
        let (mut a, mut b) = (board.watch(&key("a")), board.watch(&key("b")));
        board.post_all();
        a.changed().await;
        b.changed().await;
    }

    #[tokio::test]
    async fn contexts_that_nobody_watches_are_forgotten() {
        let board = NoticeBoard::default();
        for n in 0..1_000 {
            drop(board.watch(&key(&format!("c{n}"))));
        }
        assert!(board.watched.lock().unwrap().len() <= 128);
    }
}
