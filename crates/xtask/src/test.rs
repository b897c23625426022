use anyhow::Result;
use clap::Args;

use crate::cargo::{command, has, run, target_dir};

/// Options of `cargo xtask test`.
#[derive(Args)]
pub(crate) struct Test {
    /// Passed on to the test runner, e.g. a filter.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

impl Test {
    /// Builds the binary that the stories drive, then runs everything. `cargo nextest` where it is installed, else
    /// `cargo test`: the same tests.
    pub(crate) fn run(self) -> Result<()> {
        run(&mut command(["build", "--package", "foreshow"]))?;
        let runner: &[&str] = if has("nextest") {
            &["nextest", "run"]
        } else {
            &["test"]
        };
        let mut tests = command(runner);
        tests.arg("--workspace").args(self.arguments);
        tests.env("TESTED_FORESHOW", target_dir().join("debug/foreshow"));
        run(&mut tests)
    }
}

/// What CI checks before it tests.
pub(crate) fn check() -> Result<()> {
    run(&mut command(["fmt", "--all", "--check"]))?;
    run(&mut command([
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))
}

/// Runs the benchmarks against the release binary.
pub(crate) fn bench() -> Result<()> {
    run(&mut command([
        "build",
        "--release",
        "--package",
        "foreshow",
    ]))?;
    let mut bench = command(["bench", "--package", "foreshow-tests"]);
    bench.env("TESTED_FORESHOW", target_dir().join("release/foreshow"));
    run(&mut bench)
}
