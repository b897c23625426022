//! Signals: Ctrl-C and SIGTERM ask to stop in order; a limit on file sizes is an error and no end.

use std::io;

use crate::failure::{Exit, Failure, OrFail as _};

/// Has a write beyond the limit on file sizes (`ulimit -f`) fail, as on a full disk, instead of killing the process.
pub(crate) fn survive_file_size_limits() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        /// SIGXFSZ has this number on Linux, macOS and the BSDs (on MIPS it is 31).
        const SIGXFSZ: i32 = 25;
        // What is once listened to never has its default effect again. Nobody needs to hear it: the write tells.
        drop(signal(SignalKind::from_raw(SIGXFSZ)));
    }
}

/// Hears of every request to stop.
pub(crate) struct Interrupts {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl Interrupts {
    /// Listens from now on: the process no longer ends by itself.
    pub(crate) fn listen() -> Result<Self, Failure> {
        Self::new().or_fail(Exit::Environment)
    }

    #[cfg(unix)]
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    #[cfg(not(unix))]
    #[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
    fn new() -> io::Result<Self> {
        Ok(Self {})
    }

    /// The next request. Cancel-safe.
    #[cfg(unix)]
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// The next request. Cancel-safe.
    #[cfg(not(unix))]
    pub(crate) async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::process::Command;

    use super::*;

    fn send(signal: &str) {
        let me = std::process::id().to_string();
        let sent = Command::new("kill").args([signal, &me]).status();
        assert!(sent.expect("there is a `kill`").success());
    }

    #[tokio::test]
    async fn a_second_request_to_stop_is_heard_after_the_first() {
        let mut interrupts = Interrupts::listen().unwrap();
        for signal in ["-INT", "-INT", "-TERM"] {
            send(signal);
            interrupts.next().await;
        }
    }
}
