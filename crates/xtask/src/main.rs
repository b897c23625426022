//! Development tasks: `cargo xtask <task>`.

mod cargo;
mod chaos;
mod conformance;
mod fuzz;
mod install;
mod interop;
mod schemas;
mod services;
mod simulate;
mod stop;
mod test;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Development tasks of Foreshow.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build the binary, start the servers that tests need, run every test of the workspace, stop the servers.
    Test(test::Test),
    /// A private RabbitMQ and Redis, to run tests by hand.
    #[command(subcommand)]
    Services(services::Services),
    /// Check format and lints, warnings denied.
    Check,
    /// Write the JSON Schemas of events and results from the Rust types.
    Schemas,
    /// The engine in simulated worlds, one a seed, with everything that can go wrong; a seed repeats itself exactly.
    Simulate(simulate::Simulate),
    /// Workers, RabbitMQ, Redis and provider broken in every way that one machine can, under load; then a checker.
    Chaos(chaos::Chaos),
    /// The vendors' own clients against the simulators of their APIs, and our requests against the vendors' OpenAPI documents.
    Conformance(conformance::Conformance),
    /// Strangers' bytes, guided by coverage: each fuzz target for some minutes. Needs cargo-fuzz and a nightly compiler.
    Fuzz(fuzz::Fuzz),
    /// Measure: deploys and superseded events a second, memory; take-over, hand-over, storms. Prints figures.
    Bench(test::Bench),
}

fn main() -> Result<ExitCode> {
    match Cli::parse().task {
        Task::Test(test) => test.run(),
        Task::Check => test::check(),
        Task::Services(services) => services.run(),
        Task::Schemas => schemas::write().map(|()| ExitCode::SUCCESS),
        Task::Simulate(simulate) => simulate.run(),
        Task::Chaos(chaos) => chaos.run(),
        Task::Conformance(conformance) => conformance.run(),
        Task::Fuzz(fuzz) => fuzz.run(),
        Task::Bench(bench) => bench.run(),
    }
}
