use clap::Subcommand;
use serde_json::json;

use crate::args::Global;
use crate::config::{Backend, Role};
use crate::failure::{Exit, Failure, OrFail as _};
use crate::terminal::answer;
use crate::wiring::{Client, backend, fleet};

/// Declare the broker's exchanges and queues, or compare them with what they should be.
#[derive(Debug, Subcommand)]
pub(crate) enum Topology {
    /// Declare what is missing; changes nothing that is there
    Apply,
    /// Say what is missing or different; changes nothing
    Check,
}

impl Topology {
    pub(crate) async fn run(self, global: &Global) -> Result<Exit, Failure> {
        let loaded = Client::load(global)?;
        let Backend::RabbitMq { urls } = backend(&loaded.config, Role::Broker)? else {
            let words = "ok: the embedded broker needs none";
            answer(&if global.json {
                json!({ "ok": true, "drift": [] }).to_string()
            } else {
                words.to_owned()
            })?;
            return Ok(Exit::Done);
        };
        let broker = fleet::rabbitmq(&loaded.config, &urls)?;
        let opened = broker.opened().await.or_fail(Exit::Environment);
        opened.map_err(|failure| failure.help(fleet::HELP_BROKER))?;
        let exit = match self {
            Self::Apply => {
                broker.apply_topology().await.or_fail(Exit::Environment)?;
                answer(&if global.json {
                    json!({ "ok": true }).to_string()
                } else {
                    "ok: every exchange, queue and binding is there".to_owned()
                })?;
                Exit::Done
            }
            Self::Check => {
                let drift = broker.check_topology().await.or_fail(Exit::Environment)?;
                let told: Vec<_> = drift.iter().map(ToString::to_string).collect();
                if global.json {
                    answer(&json!({ "ok": told.is_empty(), "drift": told }).to_string())?;
                } else if told.is_empty() {
                    answer(
                        "ok: exchanges and queues are as they should be (bindings cannot be asked for; `topology apply` binds again)",
                    )?;
                } else {
                    answer(&told.join("\n"))?;
                    answer("What is missing is declared by `foreshow topology apply`.")?;
                }
                if told.is_empty() {
                    Exit::Done
                } else {
                    Exit::Failed
                }
            }
        };
        broker.close().await;
        Ok(exit)
    }
}
