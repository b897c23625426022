//! Development tasks: `cargo xtask <task>`.

mod cargo;
mod schemas;
mod test;

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
    /// Build the binary and run every test of the workspace.
    Test(test::Test),
    /// Check format and lints, warnings denied.
    Check,
    /// Write the JSON Schemas of events and results from the Rust types.
    Schemas,
    /// Measure: deploys and superseded events a second, memory when idle. Prints figures; asserts nothing.
    Bench,
}

fn main() -> Result<()> {
    match Cli::parse().task {
        Task::Test(test) => test.run(),
        Task::Check => test::check(),
        Task::Schemas => schemas::write(),
        Task::Bench => test::bench(),
    }
}
