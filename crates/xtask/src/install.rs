//! Installs the programs that tests need and that are missing: on Debian and its like, as root. Elsewhere it says what
//! to do.
//!
//! A package of a server starts that server, and takes its usual port, unless `/usr/sbin/policy-rc.d` forbids it. Where
//! that file is missing it is put there for the time of the installation; one that is there decides itself.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use foreshow_servers::{find_rabbitmq, find_redis};

use crate::cargo::run;

/// A Debian package, and how to tell that it is not needed.
struct Need {
    package: &'static str,
    is_met: fn() -> bool,
}

const SERVERS: [Need; 3] = [
    Need {
        package: "rabbitmq-server",
        is_met: || find_rabbitmq().is_ok(),
    },
    Need {
        package: "redis-server",
        is_met: || find_redis().is_ok(),
    },
    // Makes the certificates of tests over TLS.
    Need {
        package: "openssl",
        is_met: || is_in_path("openssl"),
    },
];

/// What the clients in Python need.
const PYTHON: [Need; 2] = [
    Need {
        package: "python3",
        is_met: || is_in_path("python3"),
    },
    Need {
        package: "python3-venv",
        is_met: || python_has("venv, ensurepip") || python_has("pip"),
    },
];

/// What the clients in JavaScript need.
const NODE: [Need; 2] = [
    Need {
        package: "nodejs",
        is_met: || is_in_path("node"),
    },
    Need {
        package: "npm",
        is_met: || is_in_path("npm"),
    },
];

/// Installs what the tests need.
///
/// # Errors
/// Where something is missing that can't be installed here, with what to do.
pub(crate) fn everything() -> Result<()> {
    missing(SERVERS.iter().chain(&PYTHON).chain(&NODE))
}

/// Installs what `cargo xtask services` needs.
pub(crate) fn servers() -> Result<()> {
    missing(SERVERS.iter())
}

/// Installs what `cargo xtask conformance` needs.
pub(crate) fn node() -> Result<()> {
    missing(NODE.iter())
}

fn missing<'a>(needs: impl Iterator<Item = &'a Need> + Clone) -> Result<()> {
    let unmet = || needs.clone().filter(|need| !(need.is_met)());
    let packages: Vec<&str> = unmet().map(|need| need.package).collect();
    if packages.is_empty() {
        return Ok(());
    }
    let names = packages.join(" ");
    if !Path::new("/etc/debian_version").exists() {
        // Names what is missing, and how to get it, for servers.
        find_rabbitmq()?;
        find_redis()?;
        bail!(
            "missing here, by Debian's names: {names}. Install them (macOS: `brew install openssl python node`)"
        );
    }
    if !rustix::process::getuid().is_root() {
        bail!("missing: {names}. As root: `apt-get install --no-install-recommends {names}`");
    }
    let _quiet = QuietServices::new()?;
    if run(&mut install(&packages)).is_err() {
        // The lists of packages may be old, or not there.
        run(Command::new("apt-get").arg("update"))?;
        run(&mut install(&packages))?;
    }
    match unmet().next() {
        Some(need) => bail!(
            "{} is installed, but what it brings is not found",
            need.package
        ),
        None => Ok(()),
    }
}

fn install(packages: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    command
        .args(["install", "--yes", "--quiet", "--no-install-recommends"])
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive")
        // What it says is not a task's result.
        .stdout(Stdio::from(std::io::stderr()));
    command
}

/// Forbids installed services to start, as long as this lives.
struct QuietServices {
    ours: Option<PathBuf>,
}

impl QuietServices {
    fn new() -> Result<Self> {
        Self::at(Path::new("/usr/sbin/policy-rc.d"))
    }

    fn at(policy: &Path) -> Result<Self> {
        if policy.exists() {
            return Ok(Self { ours: None });
        }
        let what = || format!("cannot write {}", policy.display());
        fs::write(policy, "#!/bin/sh\nexit 101\n").with_context(what)?;
        fs::set_permissions(policy, fs::Permissions::from_mode(0o755)).with_context(what)?;
        let ours = Some(policy.to_owned());
        Ok(Self { ours })
    }
}

impl Drop for QuietServices {
    fn drop(&mut self) {
        if let Some(policy) = &self.ours {
            fs::remove_file(policy).ok();
        }
    }
}

fn is_in_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn python_has(modules: &str) -> bool {
    Command::new("python3")
        .args(["-c", &format!("import {modules}")])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_of_ours_goes_and_one_that_was_there_stays() {
        let folder = tempfile::tempdir().unwrap();
        let policy = folder.path().join("policy-rc.d");
        let quiet = QuietServices::at(&policy).unwrap();
        let said = Command::new(&policy).status().unwrap();
        assert_eq!(said.code(), Some(101));
        drop(QuietServices::at(&policy).unwrap());
        assert!(policy.exists(), "the second one found it");
        drop(quiet);
        assert!(!policy.exists());
    }
}
