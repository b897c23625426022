use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::args::Cli;
use crate::failure::{Exit, Failure};
use crate::terminal::answer;

/// Write completions for a shell.
#[derive(Debug, Args)]
#[command(after_help = "For bash: source <(foreshow completions bash)")]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "foreshow", &mut script);
        answer(String::from_utf8_lossy(&script).trim_end())?;
        Ok(Exit::Done)
    }
}
