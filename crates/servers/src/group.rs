//! A server's processes, which end together, at the latest with whoever started them.
//!
//! A shell leads a process group of its own and reads a pipe whose other end only we hold. Every process of the server
//! joins that group. When the pipe ends, because the [`Group`] is dropped or because we are dead, however that came (the
//! kernel closes it), the shell kills the whole group, itself included. So:
//!
//! - no process is ever killed by an id that may belong to somebody else by now: the shell leads the group as long as
//!   the group can be killed;
//! - Ctrl-C on the terminal does not reach the servers, whose tests may still want them;
//! - what makes itself a daemon, by a group or session of its own, would escape. Neither server does, and `epmd`, which
//!   RabbitMQ would start as a daemon, is started in the foreground beforehand.

use std::{
    os::unix::process::CommandExt as _,
    process::{Child, ChildStdin, Command, Stdio},
};

use anyhow::{Context as _, Result};

/// Ends with its pipe, and takes the group with it. A terminal's signals go elsewhere; a stray one does not end it early.
const LEADER: &str = "trap '' HUP INT TERM; while read -r _; do :; done; kill -KILL 0";

/// Processes that end when this is dropped, or when this process ends in whatever way.
#[derive(Debug)]
pub struct Group {
    leader: Child,
    pipe: Option<ChildStdin>,
}

impl Group {
    /// A group without processes, but for the one that guards it.
    ///
    /// # Errors
    /// Where no shell can be started.
    pub fn new() -> Result<Self> {
        let mut leader = Command::new("/bin/sh")
            .args(["-c", LEADER])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("cannot start /bin/sh to guard a server's processes")?;
        let pipe = leader.stdin.take();
        Ok(Self { leader, pipe })
    }

    /// Starts a process in the group.
    ///
    /// # Errors
    /// Where it can't be started.
    pub fn spawn(&self, command: &mut Command) -> Result<Child> {
        let group = self.leader.id().cast_signed();
        command
            .process_group(group)
            .stdin(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))
    }

    /// Kills every process of the group; those that this process has started remain to be waited for.
    pub fn end(&mut self) {
        drop(self.pipe.take());
        // It ends in milliseconds; waiting keeps it from staying behind as a zombie.
        self.leader.wait().ok();
    }

    /// The number of the group, for `ps`.
    pub fn id(&self) -> u32 {
        self.leader.id()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
    }
}
