//! Gets the clients in other languages ready: what `tests/interop` pins, installed below `target/interop`.
//!
//! Done once: a note of what was installed, from which list and with which interpreter, tells whether it is up to date.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result};

use crate::cargo::{root, run, target_dir};

/// What names the clients to the tests.
pub(crate) fn prepare() -> Result<Vec<(&'static str, PathBuf)>> {
    let to = target_dir().join("interop");
    let from = root().join("tests/interop");
    let mut variables = python(&from.join("python"), &to.join("python"))?;
    variables.push((
        "TESTED_NODE_CLIENT",
        node(&from.join("node"), &to.join("node"))?,
    ));
    Ok(variables)
}

/// A virtual environment with the pinned packages; a plain folder of packages where Python has no `venv`.
fn python(from: &Path, to: &Path) -> Result<Vec<(&'static str, PathBuf)>> {
    let list = from.join("requirements.txt");
    let (interpreter, packages) = (to.join("bin/python"), to.join("packages"));
    let done = installed_once(to, &list, "python3", || {
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv"])
            .arg(to)
            .stderr(Stdio::null())
            .stdout(Stdio::null());
        let mut pip = if run(&mut venv).is_ok() {
            Command::new(&interpreter)
        } else {
            fs::remove_file(&interpreter).ok();
            Command::new("python3")
        };
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--require-hashes",
            "--requirement",
        ])
        .arg(&list);
        if !interpreter.exists() {
            pip.arg("--target").arg(&packages);
        }
        run(pip.stdout(Stdio::from(std::io::stderr())))
    });
    done.context("cannot get the Python client ready")?;
    let python = if interpreter.exists() {
        interpreter
    } else {
        "python3".into()
    };
    Ok(vec![("TESTED_PYTHON", python), ("PYTHONPATH", packages)])
}

/// A copy of the scripts beside their packages, for that is where Node looks for them.
pub(crate) fn node(from: &Path, to: &Path) -> Result<PathBuf> {
    let lock = from.join("package-lock.json");
    let done = installed_once(to, &lock, "node", || {
        for name in ["package.json", "package-lock.json", ".npmrc"] {
            fs::copy(from.join(name), to.join(name))?;
        }
        let mut npm = Command::new("npm");
        npm.args([
            "ci",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            "--loglevel=error",
        ])
        .current_dir(to);
        run(npm.stdout(Stdio::from(std::io::stderr())))
    });
    done.context("cannot get the clients for Node ready")?;
    for entry in fs::read_dir(from)? {
        let script = entry?;
        if script
            .path()
            .extension()
            .is_some_and(|ending| ending == "mjs")
        {
            fs::copy(script.path(), to.join(script.file_name()))?;
        }
    }
    Ok(to.to_owned())
}

/// Installs into an empty folder, unless that was done from this list with this interpreter.
fn installed_once(
    to: &Path,
    list: &Path,
    interpreter: &str,
    install: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let read = || format!("cannot read {}", list.display());
    let wanted = fs::read_to_string(list).with_context(read)?;
    let wanted = format!("{}\n{}\n{wanted}", version(interpreter)?, to.display());
    let note = to.join("installed");
    if fs::read_to_string(&note).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    fs::remove_dir_all(to).ok();
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    install()?;
    fs::write(&note, wanted).with_context(|| format!("cannot write {}", note.display()))
}

fn version(interpreter: &str) -> Result<String> {
    let output = Command::new(interpreter).arg("--version").output();
    let output = output.with_context(|| format!("cannot start {interpreter}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn a_list_is_installed_once_and_again_when_it_changes_or_failed() {
        let folder = tempfile::tempdir().unwrap();
        let (to, list) = (folder.path().join("to"), folder.path().join("list"));
        let installed = Cell::new(0);
        let install = |result: Result<()>| {
            installed_once(&to, &list, "rustc", || {
                installed.set(installed.get() + 1);
                result
            })
        };
        fs::write(&list, "one").unwrap();
        assert!(install(Err(anyhow::anyhow!("no network"))).is_err());
        install(Ok(())).unwrap();
        install(Ok(())).unwrap();
        assert_eq!(installed.get(), 2);
        fs::write(&list, "two").unwrap();
        install(Ok(())).unwrap();
        assert_eq!(installed.get(), 3);
    }
}
