//! `cargo xtask conformance`: what is ours, against what is the vendors'.
//!
//! - **Their clients, our simulators.** The npm clients of Vercel and Deno, pinned in `tests/conformance/node` and not changed,
//!   are run against `foreshow simulate`. What they are content with is no invention of ours.
//! - **Our requests, their documents.** `tests/conformance/openapi` drives the real adapters and holds each request against the
//!   vendor's OpenAPI document. The documents are the vendors' and large, so they are not in the repository: they lie in a folder
//!   that `--openapi` or `FORESHOW_OPENAPI` names. Without one this part is skipped, and said to be.
//!
//! Both print a line a claim. Here they are counted: a part that says nothing, or ends otherwise than what it said, has failed.

mod report;
mod simulator;

use std::{
    env,
    path::{Path, PathBuf, absolute},
    process::{Command, ExitCode, Stdio},
};

use anyhow::{Context, Result, anyhow, ensure};
use clap::Args;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::{
    cargo::{command, root, target_dir},
    install, interop,
    stop::{Stop, Stopped},
};
use report::{Part, Report, say};
use simulator::Simulator;

const VARIABLE: &str = "FORESHOW_OPENAPI";

/// Options of `cargo xtask conformance`.
#[derive(Args)]
pub(crate) struct Conformance {
    /// A folder with the vendors' OpenAPI documents, as vercel.json and deno-v2.openapi.json. Default: `FORESHOW_OPENAPI`; without
    /// either our requests are not held against them.
    #[arg(long, value_name = "DIR")]
    openapi: Option<PathBuf>,
}

/// A provider, and what is its vendor's.
struct Vendor {
    /// Its name in `foreshow simulate`, of its script, and for the checker of requests.
    name: &'static str,
    client: &'static str,
    document: &'static str,
}

const VENDORS: [Vendor; 2] = [
    Vendor {
        name: "vercel",
        client: "@vercel/client",
        document: "vercel.json",
    },
    Vendor {
        name: "deno",
        client: "@deno/sandbox",
        document: "deno-v2.openapi.json",
    },
];

impl Conformance {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let documents = self.documents()?;
        install::node()?;
        let runtime = tokio::runtime::Runtime::new()?;
        let ended = runtime.block_on(async {
            let mut stop = Stop::listen()?;
            check(documents.as_deref(), &mut stop).await
        });
        // A stopped installation of the clients may still be at it; it ends with us.
        runtime.shutdown_background();
        match ended? {
            Ok(report) => {
                say(&report.to_string())?;
                Ok(ExitCode::from(u8::from(report.has_failed())))
            }
            Err(stopped) => Ok(ExitCode::from(stopped.exit_code())),
        }
    }

    /// The folder of the documents, where there is one. Each has to be in it: what was asked for is not skipped.
    fn documents(&self) -> Result<Option<PathBuf>> {
        let named = env::var_os(VARIABLE).filter(|named| !named.is_empty());
        let Some(folder) = self.openapi.clone().or_else(|| named.map(PathBuf::from)) else {
            return Ok(None);
        };
        let folder = absolute(&folder).with_context(|| format!("no path: {}", folder.display()))?;
        for vendor in &VENDORS {
            let file = folder.join(vendor.document);
            ensure!(
                file.is_file(),
                "{} is missing: put {}'s OpenAPI document there, or leave out --openapi and {VARIABLE}",
                file.display(),
                vendor.name
            );
        }
        Ok(Some(folder))
    }
}

async fn check(documents: Option<&Path>, stop: &mut Stop) -> Result<Result<Report, Stopped>> {
    let from = root().join("tests/conformance/node");
    let clients = tokio::task::spawn_blocking({
        let from = from.clone();
        move || interop::node(&from, &target_dir().join("conformance"))
    });
    let checker =
        documents.map(|_| ["build", "--package", "foreshow-tests", "--bin", "openapi"].as_slice());
    // One by one: the program that is simulated with is to have no feature that only tests need.
    for build in [["build", "--package", "foreshow"].as_slice()]
        .into_iter()
        .chain(checker)
    {
        match stop.run(command(build)).await? {
            Ok(status) => ensure!(
                status.success(),
                "`cargo {}` failed: {status}",
                build.join(" ")
            ),
            Err(stopped) => return Ok(Err(stopped)),
        }
    }
    let scripts = match stop.or(clients).await {
        Ok(clients) => clients.map_err(|error| anyhow!(error))??,
        Err(stopped) => return Ok(Err(stopped)),
    };
    let mut report = Report::default();
    let programs = target_dir().join("debug");
    let versions = report::versions(&from.join("package.json"))?;
    for vendor in &VENDORS {
        let simulator = Simulator::start(&programs.join("foreshow"), vendor.name).await?;
        let mut script = Command::new("node");
        script
            .arg(scripts.join(format!("{}.mjs", vendor.name)))
            .envs(simulator.settings());
        let version = versions.get(vendor.client).map_or("", String::as_str);
        let name = format!("{} {version}, against our simulator", vendor.client);
        match listen(name, script, stop).await? {
            Ok(part) => report.add(part),
            Err(stopped) => return Ok(Err(stopped)),
        }
        simulator.stop().await?;
    }
    for vendor in &VENDORS {
        let name = format!(
            "our requests to {}, against {}",
            vendor.name, vendor.document
        );
        let Some(folder) = documents else {
            report.add(Part::skipped(
                name,
                format!("no document: give its folder as --openapi or {VARIABLE}"),
            ));
            continue;
        };
        let mut checker = Command::new(programs.join("openapi"));
        checker.arg(vendor.name).arg(folder.join(vendor.document));
        match listen(name, checker, stop).await? {
            Ok(part) => report.add(part),
            Err(stopped) => return Ok(Err(stopped)),
        }
    }
    Ok(Ok(report))
}

/// Runs a part to its end, passes on what it says, and counts.
async fn listen(name: String, command: Command, stop: &mut Stop) -> Result<Result<Part, Stopped>> {
    say(&format!("\n{name}"))?;
    let mut command = tokio::process::Command::from(command);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot start what checks {name}"))?;
    let mut lines = BufReader::new(child.stdout.take().context("it was to be piped")?).lines();
    let mut part = Part::new(name);
    loop {
        match stop.or(lines.next_line()).await {
            Ok(line) => match line? {
                Some(line) => {
                    part.hear(&line);
                    say(&line)?;
                }
                None => break,
            },
            Err(stopped) => return Ok(Err(stopped)),
        }
    }
    Ok(match stop.or(child.wait()).await {
        Ok(status) => {
            part.end(status?);
            Ok(part)
        }
        Err(stopped) => Err(stopped),
    })
}
