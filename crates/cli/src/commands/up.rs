use std::path::Path;

use clap::Args;
use serde_json::json;

use crate::args::Global;
use crate::config::Loaded;
use crate::demo;
use crate::failure::{Exit, Failure};
use crate::interrupt::Interrupts;
use crate::logging::{self, Audience};
use crate::terminal::{answer, shell_quoted, tell};
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
        let greeted = greet(global, &loaded, &service.url);
        // Nobody who was not told the address could use it.
        if greeted.is_ok() {
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
        }
        tokio::select! {
            stopped = service.stop() => greeted.and(stopped).map(|()| Exit::Done),
            () = interrupts.next() => Ok(Exit::Interrupted),
        }
    }
}

fn greet(global: &Global, loaded: &Loaded, url: &str) -> Result<(), Failure> {
    if global.json {
        answer(&json!({ "event": "up", "url": url }).to_string())?;
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
