//! The commands: each a struct of arguments with one `run`, and this list of them.

mod completions;
mod config;
mod dead_letters;
mod doctor;
mod end;
mod gateway;
mod healthcheck;
mod previews;
mod publish;
mod reset;
mod serving;
mod simulate;
mod sweep;
mod topology;
mod touch;
mod up;
mod watch;
mod why;
mod worker;

use clap::Subcommand;

use crate::args::Global;
use crate::failure::{Exit, Failure};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run Foreshow on this machine: a worker and the gateway that serves previews
    Up(up::Up),
    /// Run a worker of a fleet: deploys contexts and cleans up behind them
    Worker(worker::Worker),
    /// Run a gateway of a fleet: serves previews of the data folder, and keeps bundles
    Gateway(gateway::Gateway),
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
    /// Tell what a context shows, what it waits for, and what happened to it
    Why(why::Why),
    /// Forget a context that a revision far too great has closed, so that any revision is its newest
    Reset(reset::Reset),
    /// Look at what was given up, try it again, or drop it
    #[command(subcommand)]
    DeadLetters(dead_letters::DeadLetters),
    /// Compare providers and records now, and have expired previews removed
    Sweep(sweep::Sweep),
    /// Declare the broker's exchanges and queues, or compare them with what they should be
    #[command(subcommand)]
    Topology(topology::Topology),
    /// Stand in for a provider's API on this machine, to try Foreshow without an account
    #[command(subcommand)]
    Simulate(simulate::Simulate),
    /// Check broker, store, providers, data folder and clocks, and say how to mend each
    Doctor(doctor::Doctor),
    /// Ask a running worker or gateway whether it gets on
    Healthcheck(healthcheck::Healthcheck),
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
            Self::Worker(worker) => worker.run(global).await,
            Self::Gateway(gateway) => gateway.run(global).await,
            Self::Publish(publish) => publish.run(global).await,
            Self::End(end) => end.run(global).await,
            Self::Touch(touch) => touch.run(global).await,
            Self::Watch(watch) => watch.run(global).await,
            Self::Previews(previews) => previews.run(global).await,
            Self::Why(why) => why.run(global).await,
            Self::Reset(reset) => reset.run(global).await,
            Self::DeadLetters(letters) => letters.run(global).await,
            Self::Sweep(sweep) => sweep.run(global).await,
            Self::Topology(topology) => topology.run(global).await,
            Self::Simulate(simulate) => simulate.run(global).await,
            Self::Doctor(doctor) => doctor.run(global).await,
            Self::Healthcheck(healthcheck) => healthcheck.run(global).await,
            Self::Config(config) => config.run(global),
            Self::Completions(completions) => completions.run(),
        }
    }
}
