use clap::Args;
use serde_json::json;

use crate::args::Global;
use crate::demo;
use crate::failure::{Exit, Failure};
use crate::interrupt::Interrupts;
use crate::logging::{self, Audience};
use crate::terminal::{answer, tell};
use crate::wiring::Service;

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
}

impl Up {
    pub(crate) async fn run(self, global: &Global) -> Result<Exit, Failure> {
        let loaded = global.load_with(self.listen.map(|addr| ("listen", "--listen", addr)))?;
        logging::start(global, &loaded.config.log, Audience::Operator)?;
        let mut interrupts = Interrupts::listen()?;
        let service = Service::start(&loaded).await?;
        greet(global, &service);
        let demo = async {
            if self.demo {
                show_demo(global, &service).await;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = interrupts.next() => {
                if !global.quiet && !global.json {
                    tell("Stopping. Ctrl-C again ends it at once.");
                }
            }
            () = service.broken() => {}
            () = demo => {}
        }
        tokio::select! {
            stopped = service.stop() => stopped.map(|()| Exit::Done),
            () = interrupts.next() => Ok(Exit::Interrupted),
        }
    }
}

fn greet(global: &Global, service: &Service) {
    if global.json {
        _ = answer(&json!({ "event": "up", "url": service.url }).to_string());
        return;
    }
    _ = answer(&format!("Foreshow is up at {}", service.url));
    if !global.quiet {
        let data_dir = global
            .data_dir
            .as_ref()
            .map_or_else(String::new, |dir| format!(" --data-dir {dir}"));
        _ = answer(&format!(
            "From another terminal: foreshow publish ./site --context my-site{data_dir}"
        ));
        _ = answer("Ctrl-C stops it.");
    }
}

/// A demo that fails is no reason to stop: what is up stays up.
async fn show_demo(global: &Global, service: &Service) {
    match demo::publish(&service.backends).await {
        Ok(result) if global.json => _ = answer(&String::from_utf8_lossy(&result.to_json())),
        Ok(result) => match demo::url(&result) {
            Ok(url) => _ = answer(&format!("Preview ready: {url}")),
            Err(failure) => tell(&failure.to_string()),
        },
        Err(failure) => tell(&failure.to_string()),
    }
}
