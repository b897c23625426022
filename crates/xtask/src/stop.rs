//! Ctrl-C and SIGTERM: tasks that have started something end it first.

use std::{future::Future, process::ExitStatus, time::Duration};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    process::{Child, Command},
    signal::unix::{self, SignalKind},
    time::timeout,
};

/// How long a command may take to end after it was asked to.
const END_WITHIN: Duration = Duration::from_secs(30);

/// Somebody wants us to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// Ctrl-C. The terminal has told our children, too.
    Interrupt,
    /// SIGTERM or SIGHUP, told to us alone.
    Terminate,
}

impl Stopped {
    /// What a shell would say of a command that the signal ended.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
}

/// Listens for both from its making on: they no longer end this process by themselves.
pub(crate) struct Stop {
    interrupt: unix::Signal,
    terminate: unix::Signal,
    hang_up: unix::Signal,
}

impl Stop {
    pub(crate) fn listen() -> Result<Self> {
        let listen = |kind| unix::signal(kind).context("cannot listen for signals");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }

    pub(crate) async fn wait(&mut self) -> Stopped {
        tokio::select! {
            _ = self.interrupt.recv() => Stopped::Interrupt,
            _ = self.terminate.recv() => Stopped::Terminate,
            _ = self.hang_up.recv() => Stopped::Terminate,
        }
    }

    /// What the future gives, unless somebody wants us to end before.
    pub(crate) async fn or<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Stopped> {
        tokio::select! {
            done = work => Ok(done),
            stopped = self.wait() => Err(stopped),
        }
    }

    /// Runs a command to its end. Where we are stopped it is asked to end, too, and then ended.
    pub(crate) async fn run(
        &mut self,
        command: std::process::Command,
    ) -> Result<Result<ExitStatus, Stopped>> {
        let shown = format!("{command:?}");
        let mut child = Command::from(command)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {shown}"))?;
        let stopped = match self.or(child.wait()).await {
            Ok(status) => return Ok(Ok(status?)),
            Err(stopped) => stopped,
        };
        if stopped == Stopped::Terminate {
            terminate(&child);
        }
        if timeout(END_WITHIN, child.wait()).await.is_err() {
            child.kill().await?;
        }
        Ok(Err(stopped))
    }
}

/// Asks a process to end.
pub(crate) fn terminate(child: &Child) {
    let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    if let Some(pid) = pid {
        // It may have just ended by itself.
        kill_process(pid, Signal::TERM).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_command_that_ends_by_itself_gives_its_status() {
        let mut stop = Stop::listen().unwrap();
        let mut command = std::process::Command::new("sh");
        command.args(["-c", "exit 7"]);
        let status = stop.run(command).await.unwrap().unwrap();
        assert_eq!(status.code(), Some(7));
    }

    #[tokio::test]
    async fn sigterm_ends_the_command_too_and_is_told() {
        let mut stop = Stop::listen().unwrap();
        let mut command = std::process::Command::new("sh");
        // Tells us to end, and would run on.
        command.args(["-c", "kill -TERM $PPID; exec sleep 600"]);
        let stopped = stop.run(command).await.unwrap().unwrap_err();
        assert_eq!(stopped, Stopped::Terminate);
        assert_eq!(stopped.exit_code(), 143);
    }
}
