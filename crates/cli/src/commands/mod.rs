//! The commands: each a struct of arguments with one `run`, and this list of them.

mod completions;
mod config;
mod end;
mod previews;
mod publish;
mod touch;
mod up;
mod watch;

use clap::Subcommand;

use crate::args::Global;
use crate::failure::{Exit, Failure};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run Foreshow on this machine: a worker and the gateway that serves previews
    Up(up::Up),
    /// Deploy a directory and follow it until its preview is ready
    Publish(publish::Publish),
    /// End a context and remove its previews
    End(end::End),
    /// Keep a context's preview for longer
    Touch(touch::Touch),
    /// Show results as they come, until Ctrl-C
    Watch(watch::Watch),
    /// List contexts and their previews
    Previews(previews::Previews),
    /// Show or check the configuration
    #[command(subcommand)]
    Config(config::Config),
    /// Write completions for a shell
    Completions(completions::Completions),
}

impl Command {
    pub(crate) async fn run(self, global: &Global) -> Result<Exit, Failure> {
        match self {
            Self::Up(up) => up.run(global).await,
            Self::Publish(publish) => publish.run(global).await,
            Self::End(end) => end.run(global).await,
            Self::Touch(touch) => touch.run(global).await,
            Self::Watch(watch) => watch.run(global).await,
            Self::Previews(previews) => previews.run(global).await,
            Self::Config(config) => config.run(global),
            Self::Completions(completions) => completions.run(),
        }
    }
}
