//! How a command ends, and how that is told.

use std::fmt::{self, Write as _};
use std::process::ExitCode;

use serde_json::json;

use crate::config::Problem;

/// Exit codes: what a script may rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done; the preview is ready.
    Done = 0,
    /// The preview is not there: it failed, was rejected or superseded, or its context is unknown.
    Failed = 1,
    /// The command line, the configuration, or what was given to publish.
    Usage = 2,
    /// Broker, store, data folder, port, or the way to whoever asked.
    Environment = 3,
    /// Ctrl-C or SIGTERM came before the end.
    Interrupted = 130,
}

/// The same for `--help`.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0    done; for publish: the preview is ready
  1    the preview failed, its event was rejected or superseded, or the context is not known
  2    usage or configuration, or nothing to publish
  3    environment: broker, store, data folder, port or standard output
  130  interrupted before the end (up and watch, which have none, end with 0)";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A command that did not do what was asked: what, why, and what to do.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    complaints: Vec<Complaint>,
}

#[derive(Debug)]
struct Complaint {
    what: String,
    because: Vec<String>,
    help: Option<String>,
}

impl Failure {
    /// A failure that nothing lies beneath.
    pub(crate) fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self {
            exit,
            complaints: vec![Complaint {
                what: what.into(),
                because: Vec::new(),
                help: None,
            }],
        }
    }

    /// A failure with all that lies beneath it.
    pub(crate) fn of(exit: Exit, error: impl Into<anyhow::Error>) -> Self {
        let error = error.into();
        let mut told = vec![error.to_string()];
        for cause in error.chain().skip(1).map(ToString::to_string) {
            // Some errors show their source as well as naming it.
            if told.last().is_some_and(|last| !last.contains(&cause)) {
                told.push(cause);
            }
        }
        let what = told.remove(0);
        Self {
            exit,
            complaints: vec![Complaint {
                what,
                because: told,
                help: None,
            }],
        }
    }

    /// What to do about it.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        if let Some(complaint) = self.complaints.last_mut() {
            complaint.help = Some(help.into());
        }
        self
    }

    /// For programs.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        let errors: Vec<_> = self
            .complaints
            .iter()
            .map(|complaint| json!({ "message": complaint.what, "because": complaint.because, "help": complaint.help }))
            .collect();
        json!({ "exitCode": self.exit as u8, "errors": errors })
    }
}

impl From<Vec<Problem>> for Failure {
    fn from(problems: Vec<Problem>) -> Self {
        let complaint = |problem: Problem| Complaint {
            what: problem.to_string(),
            because: problem.because.into_iter().collect(),
            help: problem.help,
        };
        Self {
            exit: Exit::Usage,
            complaints: problems.into_iter().map(complaint).collect(),
        }
    }
}

/// `error: …`, then `because: …` for each cause and `help: …`, one line each.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = String::new();
        for complaint in &self.complaints {
            writeln!(lines, "error: {}", complaint.what)?;
            for cause in &complaint.because {
                writeln!(lines, "  because: {cause}")?;
            }
            if let Some(help) = &complaint.help {
                writeln!(lines, "  help: {help}")?;
            }
        }
        f.write_str(lines.trim_end())
    }
}

/// Turns any error into a failure where it is passed on.
pub(crate) trait OrFail<T> {
    /// With this exit code.
    fn or_fail(self, exit: Exit) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> OrFail<T> for Result<T, E> {
    fn or_fail(self, exit: Exit) -> Result<T, Failure> {
        self.map_err(|error| Failure::of(exit, error))
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn the_whole_chain_is_told_once_each() {
        let error = anyhow!("disk full")
            .context("could not write a.txt: disk full")
            .context("could not publish");
        let failure = Failure::of(Exit::Environment, error).help("free some space");
        assert_eq!(
            failure.to_string(),
            "error: could not publish\n  because: could not write a.txt: disk full\n  help: free some space"
        );
        assert_eq!(failure.to_json()["exitCode"], 3);
    }
}
