use std::io::stdout;

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::args::Cli;
use crate::failure::Exit;

/// Write completions for a shell.
#[derive(Debug, Args)]
#[command(after_help = "For bash: source <(foreshow completions bash)")]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(self) -> Exit {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "foreshow", &mut script);
        // Whoever closed the pipe has read enough.
        std::io::Write::write_all(&mut stdout().lock(), &script).ok();
        Exit::Done
    }
}
