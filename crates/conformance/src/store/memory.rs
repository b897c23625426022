use std::sync::Arc;

use async_trait::async_trait;
use foreshow_engine::{Store, testing::MemoryStore};

use super::{Adapter, HandClock};

/// The store in memory: what the others are compared with.
pub struct Memory {
    store: MemoryStore,
    clock: HandClock,
}

impl Memory {
    /// An empty one, on a clock of its own.
    pub fn new() -> Self {
        let clock = HandClock::new();
        Self {
            store: MemoryStore::new(Arc::new(clock.clone())),
            clock,
        }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Adapter for Memory {
    fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.store.clone())
    }

    fn clock(&self) -> &HandClock {
        &self.clock
    }

    async fn another(&self) -> Arc<dyn Store> {
        self.store()
    }

    async fn wiped(&self) -> Arc<dyn Store> {
        Arc::new(MemoryStore::new(Arc::new(self.clock.clone())))
    }
}
