//! `cargo xtask simulate`: the engine in simulated worlds, one a seed, at full speed.

use std::{process::ExitCode, process::Stdio};

use anyhow::{Context, Result};
use clap::Args;

use crate::cargo::command;

/// Options of `cargo xtask simulate`.
#[derive(Args)]
pub(crate) struct Simulate {
    /// How many seeds.
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// This seed alone, with its story.
    #[arg(long)]
    seed: Option<u64>,
    /// Switch on each deliberate bug in turn, and run seeds until it is caught.
    #[arg(long)]
    mutants: bool,
    /// Only this deliberate bug.
    #[arg(long, value_name = "NAME")]
    mutant: Option<String>,
}

impl Simulate {
    /// Builds the simulation optimised, and runs it with the same options.
    pub(crate) fn run(self) -> Result<ExitCode> {
        let mut simulate = command([
            "run",
            "--quiet",
            "--release",
            "--package",
            "foreshow-simulation",
            "--",
        ]);
        simulate.arg(format!("--seeds={}", self.seeds));
        simulate.arg(format!("--from={}", self.from));
        if let Some(seed) = self.seed {
            simulate.arg(format!("--seed={seed}"));
        }
        if self.mutants {
            simulate.arg("--mutants");
        }
        if let Some(mutant) = self.mutant {
            simulate.arg(format!("--mutant={mutant}"));
        }
        let status = simulate
            .stdin(Stdio::null())
            .status()
            .context("cannot start the simulation")?;
        Ok(if status.success() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}
