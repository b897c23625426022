//! The thread on which leases are renewed.
//!
//! A lease that is not renewed in time is lost, and its job begins again. On the runtime of the jobs, one long stretch
//! without an await, of ours or of a library's, would delay renewals along with everything else; on few processors a handful
//! of them can hold up all threads. So renewals have a thread and a runtime of their own, named `leases`, and nothing else
//! runs there. With Redis its connection is driven there too, so it is a second one; the file's writes have a thread of their own
//! already, and both runtimes share that.
//!
//! What is on the thread never blocks it: a renewal is one question and its answer. It ends after the worker, whose jobs
//! hold the leases until then, and before the files are closed. Where this is dropped instead, the thread ends by itself.

use std::io;
use std::sync::Arc;
use std::thread;

use foreshow_engine::{Store, Tasks};
use foreshow_store::redis::RedisStore;
use tokio::runtime::{Builder, Handle};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::debug;

use super::backends::backend;
use super::fleet;
use crate::config::{Backend, Config, Role};
use crate::failure::{Exit, Failure, OrFail as _};

/// The thread's name, as `ps` and a debugger show it.
const NAME: &str = "leases";

/// The thread, and the store's connection on it.
pub(super) struct Leases {
    runtime: Handle,
    store: Option<RedisStore>,
    stop: DropGuard,
    thread: thread::JoinHandle<()>,
}

impl Leases {
    /// Starts the thread. It waits for no server.
    pub(super) fn start(config: &Config) -> Result<Self, Failure> {
        let mut leases = Self::begin().or_fail(Exit::Environment)?;
        if let Backend::Redis { url } = backend(config, Role::Store)? {
            let _on_the_thread = leases.runtime.enter();
            leases.store = Some(fleet::redis(config, &url)?);
        }
        Ok(leases)
    }

    fn begin() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let thread = thread::Builder::new()
            .name(NAME.to_owned())
            .spawn(move || {
                runtime.block_on(stopped.cancelled());
                // It may be looking up a host's name, which nobody waits for any more.
                runtime.shutdown_background();
            })?;
        Ok(Self {
            runtime: handle,
            store: None,
            stop: stop.drop_guard(),
            thread,
        })
    }

    /// Where a worker renews its leases.
    pub(super) fn tasks(&self) -> Tasks {
        Tasks::renewing_on(self.runtime.clone())
    }

    /// The store that answers there, where that is another than the jobs'.
    pub(super) fn store(&self) -> Option<Arc<dyn Store>> {
        let store = self.store.clone()?;
        Some(Arc::new(store))
    }

    /// Ends the thread, and its connections with it.
    pub(super) async fn end(self) {
        drop((self.store, self.stop));
        let thread = self.thread;
        let joined = tokio::task::spawn_blocking(move || thread.join()).await;
        if !matches!(joined, Ok(Ok(()))) {
            debug!("the thread that renews leases ended by a panic");
        }
    }
}

#[cfg(test)]
mod tests;
