use std::path::Path;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::serving;
use crate::args::Global;
use crate::config::Loaded;
use crate::demo;
use crate::failure::{Exit, Failure};
use crate::interrupt::Interrupts;
use crate::logging::{self, Audience};
use crate::terminal::{answer, shell_quoted, tell};
use crate::wiring::{Roles, Service};

/// How often servers that are away are looked for.
const LOOKS_EVERY: Duration = Duration::from_millis(200);

/// Run Foreshow on this machine: a worker and the gateway that serves previews.
#[derive(Debug, Args)]
#[command(after_help = "\
Ctrl-C or SIGTERM stops it in order: jobs under way are finished or handed over. Ctrl-C again ends it at once; nothing is
lost either way. Several may run on one data folder, each on a port of its own.")]
pub(crate) struct Up {
    /// Deploy a sample context too, and print its URL
    #[arg(long)]
    demo: bool,

    /// Where to serve previews; port 0 picks a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,

    /// Where to tell health and metrics [default: nowhere]
    #[arg(long, value_name = "ADDR")]
    admin: Option<String>,
}

impl Up {
    pub(crate) async fn run(self, global: &Global) -> Result<Exit, Failure> {
        let loaded = global.load_with([
            ("listen", "--listen", self.listen),
            ("admin", "--admin", self.admin),
        ])?;
        logging::start(global, &loaded.config.log, Audience::Operator)?;
        let interrupts = Interrupts::listen()?;
        let service = Service::start(&loaded, Roles::Both).await?;
        let demo = self.demo;
        serving::until_asked_to_stop(
            service,
            interrupts,
            global,
            |service| greet(global, &loaded, service),
            async |service| {
                if demo {
                    show_demo(global, service).await;
                }
            },
        )
        .await
    }
}

fn greet(global: &Global, loaded: &Loaded, service: &Service) -> Result<(), Failure> {
    let url = service.url.as_deref().unwrap_or_default();
    if global.json {
        let admin = service.admin.map(|addr| addr.to_string());
        answer(&json!({ "event": "up", "url": url, "admin": admin }).to_string())?;
        return Ok(());
    }
    answer(&format!("Foreshow is up at {url}"))?;
    if !global.quiet {
        answer(&format!(
            "From another terminal: {}",
            next_step(loaded.unusual_data_dir())
        ))?;
        answer("Ctrl-C stops it.")?;
    }
    Ok(())
}

/// The command that finds us.
fn next_step(data_dir: Option<&Path>) -> String {
    let data_dir = data_dir.map_or_else(String::new, |dir| {
        format!(" --data-dir {}", shell_quoted(&dir.to_string_lossy()))
    });
    format!("foreshow publish ./site --context my-site{data_dir}")
}

/// A demo that fails is no reason to stop: what is up stays up.
async fn show_demo(global: &Global, service: &Service) {
    // In a fleet, broker and store may be away yet.
    while service.backends.broker.ping().await.is_err()
        || service.backends.store.now().await.is_err()
    {
        tokio::time::sleep(LOOKS_EVERY).await;
    }
    let shown = demo::publish(&service.backends).await.and_then(|result| {
        if global.json {
            answer(&String::from_utf8_lossy(&result.to_json()))
        } else {
            answer(&format!("Preview ready: {}", demo::url(&result)?))
        }
    });
    if let Err(failure) = shown {
        tell(&failure.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_step_names_a_data_folder_that_is_not_the_usual_one() {
        assert_eq!(next_step(None), "foreshow publish ./site --context my-site");
        assert_eq!(
            next_step(Some(Path::new("/srv/my data"))),
            "foreshow publish ./site --context my-site --data-dir '/srv/my data'"
        );
    }
}
