//! Where a worker's tasks run.
//!
//! Three kinds, kept apart on purpose: jobs on the runtime at hand; renewals of leases on a runtime of their own where there
//! is one, so that no busy job can delay them; and work that keeps a CPU busy, on threads that may block. A simulation
//! contains them all instead, so that it can freeze or end a worker as a whole, and computes in place, so that a run
//! repeats itself.

use std::future::Future;
#[cfg(any(test, feature = "testing"))]
use std::{pin::Pin, sync::Arc};

use tokio::{runtime::Handle, task::AbortHandle};

/// A task in a box, as a simulation wraps it.
#[cfg(any(test, feature = "testing"))]
pub type Contained = Pin<Box<dyn Future<Output = ()> + Send>>;

#[cfg(any(test, feature = "testing"))]
type Shell = Arc<dyn Fn(Contained) -> Contained + Send + Sync>;

/// Runs a worker's tasks.
#[derive(Clone, Default)]
pub struct Tasks {
    leases: Option<Handle>,
    #[cfg(any(test, feature = "testing"))]
    shell: Option<Shell>,
}

impl Tasks {
    /// Renews leases on this runtime. What the store needs to answer a renewal should run there too.
    pub fn renewing_on(leases: Handle) -> Self {
        Self {
            leases: Some(leases),
            ..Self::default()
        }
    }

    /// Wraps every task, and computes in place.
    #[cfg(any(test, feature = "testing"))]
    pub fn contained(shell: impl Fn(Contained) -> Contained + Send + Sync + 'static) -> Self {
        Self {
            shell: Some(Arc::new(shell)),
            ..Self::default()
        }
    }

    /// The task as it is to be spawned.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn contain(&self, task: impl Future<Output = ()> + Send + 'static) -> Contained {
        match &self.shell {
            Some(shell) => shell(Box::pin(task)),
            None => Box::pin(task),
        }
    }

    /// The task as it is to be spawned.
    #[cfg(not(any(test, feature = "testing")))]
    #[expect(clippy::unused_self, reason = "only a simulation wraps tasks")]
    pub(crate) fn contain<F: Future<Output = ()> + Send + 'static>(&self, task: F) -> F {
        task
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        tokio::spawn(self.contain(task)).abort_handle()
    }

    /// A task that keeps a lease.
    pub(crate) fn spawn_renewals(
        &self,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> AbortHandle {
        let task = self.contain(task);
        match &self.leases {
            Some(leases) => leases.spawn(task).abort_handle(),
            None => tokio::spawn(task).abort_handle(),
        }
    }

    /// Work that keeps a CPU busy, or blocks.
    pub(crate) async fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        #[cfg(any(test, feature = "testing"))]
        if self.shell.is_some() {
            return work();
        }
        tokio::task::spawn_blocking(work)
            .await
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }
}
