//! What happens at a failure point. What was struck is told on stderr first, for whoever set the point and keeps time.

use std::time::Duration;

use foreshow_contract::ContextKey;
use rustix::process::{Signal, getpid, kill_process};
use tokio::runtime::Handle;

use super::{Action, Point, Then};
use crate::terminal;

pub(super) fn strike(action: Action, point: Point, key: Option<&ContextKey>) -> Then {
    let of = key.map_or_else(String::new, |key| format!(" of {key}"));
    terminal::tell(&format!("struck at {}{of}", point.word()));
    match action {
        Action::Kill => signal(Signal::KILL),
        Action::Stop => signal(Signal::STOP),
        Action::Term => signal(Signal::TERM),
        Action::Panic => panic!("failure point {}", point.word()),
        Action::Block(long) => block(long),
        Action::Fail => return Then::Fail,
    }
    Then::GoOn
}

fn signal(signal: Signal) {
    kill_process(getpid(), signal).expect("a process may signal itself");
}

/// Stands still on every thread of the runtime, as a computation that never awaits does.
fn block(long: Duration) {
    let threads = Handle::try_current().map_or(1, |runtime| runtime.metrics().num_workers());
    for _ in 1..threads {
        tokio::spawn(async move { stand_still(long) });
    }
    stand_still(long);
}

#[expect(
    clippy::disallowed_methods,
    reason = "to block the executor is the point of it"
)]
fn stand_still(long: Duration) {
    std::thread::sleep(long);
}
