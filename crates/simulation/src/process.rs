//! A worker's process: all of its tasks are frozen together, and die together.
//!
//! Every task of an engine is wrapped here ([`Tasks::contained`]). A frozen process is not polled: its timers fire and its
//! answers arrive, and it sees them when it goes on, all at once. A dead one is dropped at its next poll, wherever it stood.
//! What it had sent is out of its hands in either case ([`crate::link`]).
//!
//! While a task is polled its name is known to the thread, so that a port sees who calls.

use std::{
    cell::Cell,
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
};

use foreshow_engine::{Tasks, tasks::Contained};

use crate::world::lock;

/// A task of a process: the process's number, and the task's within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TaskName(pub(crate) u64, pub(crate) u64);

thread_local! {
    static CURRENT: Cell<Option<TaskName>> = const { Cell::new(None) };
}

/// The task that is being polled; `None` outside of any process.
pub(crate) fn current_task() -> Option<TaskName> {
    CURRENT.get()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    Running,
    Frozen,
    Dead,
}

/// A process. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Process(Arc<Inner>);

struct Inner {
    number: u64,
    name: String,
    state: Mutex<State>,
    next_task: AtomicU64,
}

struct State {
    condition: Condition,
    wakers: BTreeMap<u64, Waker>,
}

impl Process {
    pub(crate) fn new(number: u64, name: String) -> Self {
        Self(Arc::new(Inner {
            number,
            name,
            state: Mutex::new(State {
                condition: Condition::Running,
                wakers: BTreeMap::new(),
            }),
            next_task: AtomicU64::new(0),
        }))
    }

    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    pub(crate) fn number(&self) -> u64 {
        self.0.number
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.condition() == Condition::Dead
    }

    pub(crate) fn is_running(&self) -> bool {
        self.condition() == Condition::Running
    }

    fn condition(&self) -> Condition {
        lock(&self.0.state).condition
    }

    /// Ends it at once, nothing said to anybody.
    pub(crate) fn kill(&self) {
        self.set(Condition::Dead);
    }

    /// Stops it in its tracks, as SIGSTOP does.
    pub(crate) fn freeze(&self) {
        if self.is_running() {
            self.set(Condition::Frozen);
        }
    }

    /// Lets it go on, as SIGCONT does.
    pub(crate) fn thaw(&self) {
        if self.condition() == Condition::Frozen {
            self.set(Condition::Running);
        }
    }

    fn set(&self, condition: Condition) {
        let mut state = lock(&self.0.state);
        state.condition = condition;
        let wakers: Vec<_> = state.wakers.values().cloned().collect();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// How its engine runs tasks.
    pub(crate) fn tasks(&self) -> Tasks {
        let process = self.clone();
        Tasks::contained(move |task| process.contain(task))
    }

    /// The task, as a part of this process.
    pub(crate) fn contain(&self, task: Contained) -> Contained {
        Box::pin(Shell {
            process: self.clone(),
            number: self.0.next_task.fetch_add(1, Ordering::Relaxed),
            task: Some(task),
        })
    }
}

struct Shell {
    process: Process,
    number: u64,
    task: Option<Contained>,
}

impl Shell {
    fn end(&mut self) -> Poll<()> {
        // What it drops may look at who drops it.
        let before = CURRENT.replace(Some(TaskName(self.process.number(), self.number)));
        self.task = None;
        CURRENT.set(before);
        lock(&self.process.0.state).wakers.remove(&self.number);
        Poll::Ready(())
    }
}

impl Future for Shell {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        {
            let mut state = lock(&this.process.0.state);
            match state.condition {
                Condition::Dead => {
                    drop(state);
                    return this.end();
                }
                Condition::Frozen | Condition::Running => {
                    let known = state.wakers.get(&this.number);
                    if !known.is_some_and(|waker| waker.will_wake(context.waker())) {
                        state.wakers.insert(this.number, context.waker().clone());
                    }
                }
            }
            if state.condition == Condition::Frozen {
                return Poll::Pending;
            }
        }
        let Some(task) = &mut this.task else {
            return Poll::Ready(());
        };
        let before = CURRENT.replace(Some(TaskName(this.process.number(), this.number)));
        let polled = task.as_mut().poll(context);
        CURRENT.set(before);
        if polled.is_ready() || this.process.is_dead() {
            return this.end();
        }
        Poll::Pending
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        lock(&self.process.0.state).wakers.remove(&self.number);
    }
}
