//! `foreshow simulate`, as a user runs it.

use std::{collections::BTreeMap, env, path::Path, process::Stdio, time::Duration};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::timeout,
};

use crate::stop::terminate;

/// How long it may take to start, or to end, on a machine that does much else.
const WITHIN: Duration = Duration::from_mins(1);

/// A simulator in a process of its own. It ends with this.
pub(super) struct Simulator {
    child: Child,
    told: Told,
}

/// What it tells when it is up.
#[derive(Deserialize)]
struct Told {
    settings: BTreeMap<String, String>,
}

impl Simulator {
    pub(super) async fn start(foreshow: &Path, vendor: &str) -> Result<Self> {
        let ours = env::vars_os().map(|(name, _)| name);
        let ours = ours.filter(|name| name.to_string_lossy().starts_with("FORESHOW_"));
        let mut command = Command::new(foreshow);
        // Whoever runs this may have settings of their own.
        ours.for_each(|name| {
            command.env_remove(name);
        });
        let mut child = command
            .args(["simulate", vendor, "--listen", "127.0.0.1:0", "--json"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", foreshow.display()))?;
        let mut lines = BufReader::new(child.stdout.take().context("it was to be piped")?).lines();
        let Ok(first) = timeout(WITHIN, lines.next_line()).await else {
            bail!("the simulator of {vendor} did not tell where it listens");
        };
        let first = first?.with_context(|| format!("the simulator of {vendor} ended at once"))?;
        let told = serde_json::from_str(&first)
            .with_context(|| format!("the simulator of {vendor} told no settings: {first}"))?;
        Ok(Self { child, told })
    }

    /// The settings that clients use it with, as it told them.
    pub(super) fn settings(&self) -> &BTreeMap<String, String> {
        &self.told.settings
    }

    /// Ends it, and waits for its end.
    pub(super) async fn stop(mut self) -> Result<()> {
        terminate(&self.child);
        let Ok(status) = timeout(WITHIN, self.child.wait()).await else {
            bail!("a simulator did not end when it was asked to");
        };
        let status = status?;
        if !status.success() {
            bail!("a simulator did not end well: {status}");
        }
        Ok(())
    }
}
