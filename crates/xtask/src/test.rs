//! `cargo xtask test`: everything the tests need, the tests, and nothing left behind.
//!
//! RabbitMQ takes seconds to boot, and clients in other languages take a network: both get ready while cargo builds. The
//! servers end with this process, however it ends; nothing is printed after the runner's closing lines.

use std::process::{Command, ExitCode, ExitStatus};

use anyhow::{Context, Result, anyhow};
use clap::Args;
use foreshow_servers::shared::Servers;

use crate::{
    cargo::{command, has, run, target_dir},
    chaos::BINARY,
    install, interop,
    stop::{Stop, Stopped},
};

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
    pub(crate) fn run(self) -> Result<ExitCode> {
        install::everything()?;
        let runtime = tokio::runtime::Runtime::new()?;
        let ended = runtime.block_on(async {
            let mut stop = Stop::listen()?;
            self.run_until_stopped(&mut stop).await
        });
        // A stopped installation of a client may still be at it; it ends with us.
        runtime.shutdown_background();
        Ok(match ended? {
            Ok(status) => exit_code(status),
            Err(stopped) => ExitCode::from(stopped.exit_code()),
        })
    }

    async fn run_until_stopped(self, stop: &mut Stop) -> Result<Result<ExitStatus, Stopped>> {
        let mut servers = tokio::spawn(Servers::temporary());
        let clients = tokio::task::spawn_blocking(interop::prepare);
        match stop.run(command(BINARY)).await? {
            Ok(status) if status.success() => {}
            ended => return Ok(ended),
        }
        let servers = match stop.or(&mut servers).await {
            Ok(servers) => servers?.context("cannot start the servers that the tests need")?,
            Err(stopped) => {
                servers.abort();
                return Ok(Err(stopped));
            }
        };
        let clients = match stop.or(clients).await {
            Ok(clients) => clients.map_err(|error| anyhow!(error))??,
            Err(stopped) => return Ok(Err(stopped)),
        };
        let mut tests = command(runner());
        if !self.names_packages() {
            tests.arg("--workspace");
        }
        tests
            .args(self.arguments)
            .env("TESTED_FORESHOW", target_dir().join("debug/foreshow"))
            .envs(servers.variables())
            .envs(clients);
        stop.run(tests).await
    }

    /// Whether the arguments say which packages to test: of `--workspace` and `--package` cargo takes the former.
    fn names_packages(&self) -> bool {
        let mut arguments = self.arguments.iter().take_while(|word| *word != "--");
        arguments.any(|word| word.starts_with("-p") || word.starts_with("--package"))
    }
}

fn runner() -> &'static [&'static str] {
    if has("nextest") {
        &["nextest", "run"]
    } else {
        &["test"]
    }
}

fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    ExitCode::from(code.unwrap_or(1))
}

/// What CI checks before it tests.
pub(crate) fn check() -> Result<ExitCode> {
    run(&mut command(["fmt", "--all", "--check"]))?;
    run(&mut command([
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))?;
    Ok(ExitCode::SUCCESS)
}

/// Options of `cargo xtask bench`.
#[derive(Args)]
pub(crate) struct Bench {
    /// Benchmarks to run: bundles, dead_letters, embedded, fleet, flood, lifecycle. Default: all.
    names: Vec<String>,
    /// Passed on to the benchmark, e.g. which parts of it: `cargo xtask bench lifecycle -- take-over fleet`.
    #[arg(last = true)]
    arguments: Vec<String>,
}

impl Bench {
    /// Runs the benchmarks against the release binary.
    pub(crate) fn run(self) -> Result<ExitCode> {
        install::servers()?;
        run(&mut command([
            "build",
            "--release",
            "--package",
            "foreshow",
        ]))?;
        let mut bench: Command = command(["bench", "--package", "foreshow-tests"]);
        if self.names.is_empty() {
            bench.arg("--benches");
        }
        for name in &self.names {
            bench.args(["--bench", name]);
        }
        bench
            .arg("--")
            .args(&self.arguments)
            .env("TESTED_FORESHOW", target_dir().join("release/foreshow"));
        run(&mut bench)?;
        Ok(ExitCode::SUCCESS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_named_before_the_two_dashes_only() {
        let names = |words: &[&str]| {
            let arguments = words.iter().map(|word| (*word).to_owned()).collect();
            Test { arguments }.names_packages()
        };
        assert!(names(&["-p", "xtask"]) && names(&["--package=xtask"]) && names(&["-pxtask"]));
        assert!(!names(&[]) && !names(&["crash"]) && !names(&["--", "-p"]));
    }
}
