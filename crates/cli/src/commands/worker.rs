use clap::Args;
use serde_json::json;

use super::serving;
use crate::args::Global;
use crate::failure::{Exit, Failure};
use crate::interrupt::Interrupts;
use crate::logging::{self, Audience};
use crate::terminal::answer;
use crate::wiring::{Roles, Service};

/// Run a worker of a fleet: deploys contexts and cleans up behind them.
#[derive(Debug, Args)]
#[command(after_help = "\
Any number may run, on any machines. SIGTERM or Ctrl-C hands over what it holds, builds still running, to the others; killed,
its leases run out and the others take over. Broker or store may be away, at the start too: it waits for them.")]
pub(crate) struct Worker {
    /// Jobs of one queue that run at once [default: 32]
    #[arg(long, value_name = "N")]
    concurrency: Option<String>,

    /// Deliveries held at once per queue, running or waiting [default: 128]
    #[arg(long, value_name = "M")]
    prefetch: Option<String>,

    /// Where to tell health and metrics [default: nowhere]
    #[arg(long, value_name = "ADDR")]
    admin: Option<String>,
}

impl Worker {
    pub(crate) async fn run(self, global: &Global) -> Result<Exit, Failure> {
        let loaded = global.load_with([
            ("worker.concurrency", "--concurrency", self.concurrency),
            ("worker.prefetch", "--prefetch", self.prefetch),
            ("admin", "--admin", self.admin),
        ])?;
        logging::start(global, &loaded.config.log, Audience::Operator)?;
        let interrupts = Interrupts::listen()?;
        let service = Service::start(&loaded, Roles::Worker).await?;
        let greet = |service: &Service| {
            let admin = service.admin.map(|addr| addr.to_string());
            if global.json {
                answer(&json!({ "event": "worker", "admin": admin }).to_string())?;
            } else if let Some(admin) = admin {
                answer(&format!(
                    "A worker runs; its health is told at http://{admin}/healthz"
                ))?;
            } else {
                answer("A worker runs")?;
            }
            Ok(())
        };
        serving::until_asked_to_stop(service, interrupts, global, greet, async |_| {}).await
    }
}
