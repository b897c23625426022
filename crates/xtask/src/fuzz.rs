//! `cargo xtask fuzz`: each target for some minutes, from the seeds in `fuzz/seeds` and what earlier runs found worth keeping.
//!
//! What it finds stays in `fuzz/artifacts/<target>/`. Once mended, moved to `fuzz/seeds/<target>/` under a name that says what it is, it is
//! run by every ordinary test run from then on.

use std::{
    fs,
    io::{Write as _, stderr},
    path::Path,
    process::{Command, ExitCode, Stdio},
};

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::cargo::{has, root};

/// What an input may take, in seconds and MiB: more is a finding.
const TIMEOUT: &str = "-timeout=20";
const MEMORY: &str = "-rss_limit_mb=2048";

/// Options of `cargo xtask fuzz`.
#[derive(Args)]
pub(crate) struct Fuzz {
    /// How long each target runs, in minutes.
    #[arg(long, default_value_t = 5)]
    minutes: u32,
    /// The targets. Default: all, one after another.
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
}

impl Fuzz {
    pub(crate) fn run(self) -> Result<ExitCode> {
        check_tools()?;
        let folder = root().join("fuzz");
        let all = targets(&folder)?;
        let chosen = if self.targets.is_empty() {
            all.clone()
        } else {
            self.targets
        };
        for target in &chosen {
            ensure!(
                all.contains(target),
                "there is no target {target}: it is one of {}",
                all.join(", ")
            );
        }
        let seconds = u64::from(self.minutes) * 60;
        let mut found = Vec::new();
        for target in &chosen {
            let corpus = folder.join("corpus").join(target);
            fs::create_dir_all(&corpus)
                .with_context(|| format!("cannot make {}", corpus.display()))?;
            let status = nightly(&["fuzz", "run", target])
                .arg(&corpus)
                .arg(folder.join("seeds").join(target))
                .args(["--", TIMEOUT, MEMORY])
                .arg(format!("-max_total_time={seconds}"))
                .status()
                .context("cannot start cargo fuzz")?;
            if !status.success() {
                found.push(target.as_str());
            }
        }
        if found.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
        writeln!(
            stderr(),
            "found in {}: see fuzz/artifacts. Mend it, and move the input to fuzz/seeds, where every test run tries it.",
            found.join(", ")
        )?;
        Ok(ExitCode::FAILURE)
    }
}

/// What is needed beyond the workspace's own toolchain.
fn check_tools() -> Result<()> {
    ensure!(
        has("fuzz"),
        "cargo-fuzz is missing: cargo install cargo-fuzz --locked"
    );
    let compiler = Command::new("rustc")
        .args(["+nightly", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    ensure!(
        compiler.is_ok_and(|status| status.success()),
        "fuzzing needs a nightly compiler: rustup toolchain install nightly --profile minimal"
    );
    Ok(())
}

/// Each file in `fuzz_targets`.
fn targets(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder.join("fuzz_targets"))
        .with_context(|| format!("cannot list the targets in {}", folder.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if let Some(name) = path.file_stem().and_then(|name| name.to_str()) {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// The cargo of rustup, for ours may be the toolchain's own, which knows no `+nightly`; without what names ours to it.
fn nightly(arguments: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command
        .arg("+nightly")
        .args(arguments)
        .current_dir(root())
        .stdin(Stdio::null());
    for name in ["CARGO", "RUSTC", "RUSTUP_TOOLCHAIN", "CARGO_MANIFEST_DIR"] {
        command.env_remove(name);
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_seeds_and_no_seed_is_of_another() {
        let folder = root().join("fuzz");
        let seeds = fs::read_dir(folder.join("seeds")).unwrap();
        let mut seeded: Vec<_> = seeds
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        seeded.sort();
        assert_eq!(seeded, targets(&folder).unwrap());
    }
}
