//! Calls of cargo, in the workspace, with what it prints passed through.

use std::{
    env,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};

/// The workspace's folder.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors()
        .nth(2)
        .expect("xtask lies two folders below the root")
        .to_owned()
}

/// Where cargo puts what it builds.
pub(crate) fn target_dir() -> PathBuf {
    target_dir_named(env::var_os("CARGO_TARGET_DIR"))
}

/// Relative to the root, where [`command`] runs cargo, wherever we were started.
fn target_dir_named(name: Option<OsString>) -> PathBuf {
    root().join(name.unwrap_or_else(|| "target".into()))
}

/// Cargo with these arguments.
pub(crate) fn command<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root()).args(arguments);
    command
}

/// Runs a command; an exit other than 0 is an error that names it.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = format!("{command:?}");
    let status = command
        .status()
        .with_context(|| format!("cannot start {shown}"))?;
    ensure!(status.success(), "{shown} failed: {status}");
    Ok(())
}

/// Whether cargo has this subcommand.
pub(crate) fn has(subcommand: &str) -> bool {
    command([subcommand, "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_target_folder_lies_below_the_root() {
        for (name, folder) in [
            (None, root().join("target")),
            (Some("out/debug"), root().join("out/debug")),
            (Some("/elsewhere"), PathBuf::from("/elsewhere")),
        ] {
            assert_eq!(target_dir_named(name.map(OsString::from)), folder);
        }
    }
}
