//! Clients in other languages: the scripts of `interop/`, with the packages that `cargo xtask test` has installed.

use std::{
    env,
    path::{Path, PathBuf},
    process::Stdio,
};

use serde_json::Value;
use tokio::process::Command;

use crate::Up;

/// A client in one language.
#[derive(Clone, Copy, Debug)]
pub enum Client {
    /// pika, and the CloudEvents SDK: publishes in binary mode.
    Python,
    /// amqplib, and JSON by hand: publishes in structured mode.
    Node,
}

impl Client {
    /// Publishes a page as an update, over this AMQP URL.
    ///
    /// # Panics
    /// Where the script fails, with what it said.
    pub async fn publish(self, url: &str, tenant: &str, context: &str, revision: i64, page: &Path) {
        let page = page.to_str().expect("a readable path");
        let revision = revision.to_string();
        let arguments = [tenant, context, &revision, page];
        let mut command = self.script(url, "publish_update", &arguments);
        let output = command.output().await.expect("the client can be started");
        assert!(output.status.success(), "{self:?}: {output:?}");
    }

    /// Runs another of the client's scripts to its end: what it printed.
    ///
    /// # Panics
    /// Where the script fails, with what it said.
    pub async fn run(self, url: &str, script: &str, arguments: &[&str]) -> String {
        let mut command = self.script(url, script, arguments);
        let output = command.output().await.expect("the client can be started");
        assert!(output.status.success(), "{self:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Subscribes to the results of a context, over this AMQP URL.
    ///
    /// # Panics
    /// Where the script does not get there.
    pub async fn listen(self, url: &str, tenant: &str, context: &str) -> Listener {
        let mut script = Up::start(self.script(url, "wait_for_result", &[tenant, context]));
        script.line_with("listening").await;
        Listener(script)
    }

    fn script(self, url: &str, name: &str, arguments: &[&str]) -> Command {
        let (program, folder, ending) = match self {
            Self::Python => {
                let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/python");
                (tested("TESTED_PYTHON"), here, "py")
            }
            Self::Node => ("node".into(), tested("TESTED_NODE_CLIENT"), "mjs"),
        };
        let mut command = Command::new(program);
        command
            .arg(folder.join(format!("{name}.{ending}")))
            .args(arguments)
            .env("AMQP_URL", url)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }
}

/// A script that prints results until one is an end.
pub struct Listener(Up);

impl Listener {
    /// The end that it has heard: `id`, `type` and `data`.
    ///
    /// # Panics
    /// Where it hears none within a minute of the last.
    pub async fn end(mut self) -> Value {
        loop {
            let line = self.0.line_with("{").await;
            let result: Value = serde_json::from_str(&line)
                .unwrap_or_else(|error| panic!("{error}:\n{}", self.0.said()));
            if result["type"] != "dev.foreshow.preview.building.v1" {
                return result;
            }
        }
    }
}

fn tested(variable: &str) -> PathBuf {
    let value = env::var_os(variable);
    let value = value.unwrap_or_else(|| panic!("{variable} is not set: run `cargo xtask test`"));
    value.into()
}
