//! Clients that nobody here wrote, in other languages: they publish updates, and hear and parse results.
//!
//! The scripts in `interop/` are the README's examples. `cargo xtask test` installs what they need, and names it.

use std::{env, path::PathBuf, process::Stdio};

use foreshow_tests::{Foreshow, Up, fetch, write};
use serde_json::{Value, json};
use tokio::process::Command;

/// A client in one language: how its scripts are run.
#[derive(Clone, Copy, Debug)]
enum Client {
    /// pika, and the CloudEvents SDK: binary mode.
    Python,
    /// amqplib, and JSON by hand: structured mode.
    Node,
}

impl Client {
    fn script(self, foreshow: &Foreshow, name: &str, arguments: &[&str]) -> Command {
        let (program, folder, ending) = match self {
            Self::Python => {
                let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
                (tested("TESTED_PYTHON"), here.join("interop/python"), "py")
            }
            Self::Node => ("node".into(), tested("TESTED_NODE_CLIENT"), "mjs"),
        };
        let vhost = foreshow.ground().vhost().expect("a fleet has a vhost");
        let mut command = Command::new(program);
        command
            .arg(folder.join(format!("{name}.{ending}")))
            .args(arguments)
            .env("AMQP_URL", vhost.amqp_url())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Publishes a page as an update.
    async fn publish(self, foreshow: &Foreshow, tenant: &str, context: &str, revision: &str) {
        let page = format!("<h1>{context} by {self:?}: größer, \u{1f680}</h1>");
        write(foreshow.folder(), "page.html", &page);
        let file = foreshow.folder().join("page.html");
        let file = file.to_str().expect("a readable path");
        let arguments = [tenant, context, revision, file];
        let mut command = self.script(foreshow, "publish_update", &arguments);
        let output = command.output().await.expect("the client can be started");
        assert!(output.status.success(), "{self:?}: {output:?}");
    }

    /// Subscribes to the results of a context.
    async fn listen(self, foreshow: &Foreshow, tenant: &str, context: &str) -> Listener {
        let command = self.script(foreshow, "wait_for_result", &[tenant, context]);
        let mut script = Up::start(command);
        script.line_with("listening").await;
        Listener(script)
    }
}

/// A script that prints results until one is an end.
struct Listener(Up);

impl Listener {
    /// The end that it has heard.
    async fn end(mut self) -> Value {
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_language_publishes_updates_and_both_hear_and_parse_the_same_result() {
    let foreshow = Foreshow::fleet().await;
    let _up = foreshow.up().await;
    for client in [Client::Python, Client::Node] {
        let context = format!("ctx-{client:?}").to_lowercase();
        let python = Client::Python.listen(&foreshow, "acme", &context).await;
        let node = Client::Node.listen(&foreshow, "acme", &context).await;
        client.publish(&foreshow, "acme", &context, "7").await;

        let (heard, also) = (python.end().await, node.end().await);
        assert_eq!(heard, also, "one result, in both languages");
        assert_eq!(heard["type"], "dev.foreshow.preview.ready.v1", "{heard}");
        assert_eq!(heard["id"], format!("acme/{context}/7/updated/ready"));
        assert_eq!(heard["data"]["revision"], json!(7));
        let page = fetch(heard["data"]["url"].as_str().expect("a URL")).await;
        let expected = format!("<h1>{context} by {client:?}: größer, \u{1f680}</h1>");
        assert_eq!((page.status, page.text()), (200, expected.as_str()));
    }
    foreshow.close().await;
}

/// A refusal is a result like any other: whoever published can hear it in their own language.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_event_is_told_in_both_languages() {
    let foreshow = Foreshow::fleet().await;
    let _up = foreshow.up().await;
    let python = Client::Python.listen(&foreshow, "acme", "ctx-1").await;
    let node = Client::Node.listen(&foreshow, "acme", "ctx-1").await;
    // Below the smallest revision.
    Client::Python
        .publish(&foreshow, "acme", "ctx-1", "-1")
        .await;
    let (heard, also) = (python.end().await, node.end().await);
    assert_eq!(heard, also);
    assert_eq!(heard["type"], "dev.foreshow.event.rejected.v1", "{heard}");
    assert_eq!(heard["data"]["contextId"], "ctx-1");
    foreshow.close().await;
}
