//! Wakes those who wait for a context, within one process.
//!
//! A helper for adapters of the store: they post a notice after each step that a waiter cares about. Across processes
//! an adapter adds its own means (polling, or the store's own notices).

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use foreshow_contract::ContextKey;
use tokio::sync::watch;

/// One board per store. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct NoticeBoard {
    /// Sorted, so that a simulation wakes everybody in the same order each time.
    watched: Arc<Mutex<BTreeMap<ContextKey, watch::Sender<()>>>>,
}

impl NoticeBoard {
    /// Wakes whoever watches the context.
    pub fn post(&self, key: &ContextKey) {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = watched.get(key) {
            if sender.is_closed() {
                watched.remove(key);
            } else {
                sender.send_replace(());
            }
        }
    }

    /// Wakes whoever watches any context: notices may have been missed.
    pub fn post_all(&self) {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.retain(|_, sender| !sender.is_closed());
        for sender in watched.values() {
            sender.send_replace(());
        }
    }

    /// Notices about the context, from now on.
    pub fn watch(&self, key: &ContextKey) -> Notice {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        if watched.len() >= 64 && watched.len().is_power_of_two() {
            watched.retain(|_, sender| !sender.is_closed());
        }
        let receiver = watched
            .entry(key.clone())
            .or_insert_with(|| watch::Sender::new(()))
            .subscribe();
        Notice { receiver }
    }
}

/// Notices about one context.
#[derive(Debug)]
pub struct Notice {
    receiver: watch::Receiver<()>,
}

impl Notice {
    /// Returns once something was posted since the last return, or since the notice was made. Cancel-safe.
    pub async fn changed(&mut self) {
        if self.receiver.changed().await.is_err() {
            // The board dropped the sender only because it saw no receiver; wait for good rather than spin.
            std::future::pending::<()>().await;
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
