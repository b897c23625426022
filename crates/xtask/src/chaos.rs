//! `cargo xtask chaos`: real processes and servers, broken in every way that one machine can, and a checker.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::{
    cargo::{command, run, target_dir},
    install,
};

/// The binary with failure points, as chaos runs and the workspace's tests have it; a user's build has none.
pub(crate) const BINARY: [&str; 5] = [
    "build",
    "--package",
    "foreshow",
    "--features",
    "failure-points",
];

/// Options of `cargo xtask chaos`.
#[derive(Args)]
pub(crate) struct Chaos {
    /// Build for speed: more events in the same time.
    #[arg(long)]
    release: bool,
    /// Passed on to the runner: --minutes M, --seed S, --faults F2,F8, --events N, --report FILE.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

impl Chaos {
    /// Builds the binary and the runner, and runs it.
    pub(crate) fn run(self) -> Result<ExitCode> {
        install::servers()?;
        let (profile, folder) = if self.release {
            (&["--release"][..], "release")
        } else {
            (&[][..], "debug")
        };
        run(command(BINARY).args(profile))?;
        let mut chaos = command([
            "run",
            "--quiet",
            "--package",
            "foreshow-tests",
            "--bin",
            "chaos",
        ]);
        chaos.args(profile).arg("--").args(self.arguments).env(
            "TESTED_FORESHOW",
            target_dir().join(folder).join("foreshow"),
        );
        let status = chaos.status()?;
        let code = status.code().and_then(|code| u8::try_from(code).ok());
        Ok(ExitCode::from(code.unwrap_or(1)))
    }
}

#[cfg(test)]
mod tests {
    use crate::cargo::command;

    #[test]
    fn a_users_build_has_no_failure_points() {
        let features = |more: &[&str]| {
            let mut tree = command(["tree", "--package", "foreshow", "--depth", "0", "--offline"]);
            let tree = tree.args(["--edges", "normal", "--format", "{p} [{f}]"]);
            let output = tree.args(more).output().unwrap();
            assert!(output.status.success(), "{output:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        let users = features(&[]);
        assert!(
            users.starts_with("foreshow ") && !users.contains("failure-points"),
            "{users}"
        );
        let tested = features(&["--features", "failure-points"]);
        assert!(tested.contains("failure-points"), "{tested}");
    }
}
