use clap::Args;
use serde_json::json;

use super::serving;
use crate::args::Global;
use crate::failure::{Exit, Failure};
use crate::interrupt::Interrupts;
use crate::logging::{self, Audience};
use crate::terminal::answer;
use crate::wiring::{Roles, Service};

/// Run a gateway of a fleet: serves previews of the data folder, and keeps bundles.
#[derive(Debug, Args)]
pub(crate) struct Gateway {
    /// Where to serve; port 0 picks a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,

    /// Where to tell health and metrics [default: nowhere]
    #[arg(long, value_name = "ADDR")]
    admin: Option<String>,
}

impl Gateway {
    pub(crate) async fn run(self, global: &Global) -> Result<Exit, Failure> {
        let loaded = global.load_with([
            ("listen", "--listen", self.listen),
            ("admin", "--admin", self.admin),
        ])?;
        logging::start(global, &loaded.config.log, Audience::Operator)?;
        let interrupts = Interrupts::listen()?;
        let service = Service::start(&loaded, Roles::Gateway).await?;
        let greet = |service: &Service| {
            let url = service.url.as_deref().unwrap_or_default();
            let admin = service.admin.map(|addr| addr.to_string());
            if global.json {
                answer(&json!({ "event": "gateway", "url": url, "admin": admin }).to_string())?;
            } else {
                answer(&format!("A gateway is up at {url}"))?;
                if let Some(admin) = admin {
                    answer(&format!("Its health is told at http://{admin}/healthz"))?;
                }
            }
            Ok(())
        };
        serving::until_asked_to_stop(service, interrupts, global, greet, async |_| {}).await
    }
}
