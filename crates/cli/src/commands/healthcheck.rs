use std::time::Duration;

use clap::Args;
use serde_json::json;

use crate::args::Global;
use crate::failure::{Exit, Failure};
use crate::terminal::answer;

/// A process that takes longer to say that it is well is not.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// Ask a running worker or gateway whether it gets on.
#[derive(Debug, Args)]
#[command(
    after_help = "For containers: exits with 0 where it gets on, and with 1 where it does not or nobody answers."
)]
pub(crate) struct Healthcheck {
    /// Its admin address [default: the configured `admin`]
    #[arg(long, value_name = "ADDR")]
    admin: Option<String>,

    /// Ask whether it can be given work, too
    #[arg(long)]
    ready: bool,
}

impl Healthcheck {
    pub(crate) async fn run(self, global: &Global) -> Result<Exit, Failure> {
        let loaded = global.load_with([("admin", "--admin", self.admin)])?;
        let Some(admin) = loaded.config.admin else {
            return Err(Failure::new(Exit::Usage, "there is no address to ask").help(
                "name it with --admin ADDR, as the worker or gateway was told, or set `admin` (FORESHOW_ADMIN)",
            ));
        };
        let mut addr = admin.0;
        if addr.ip().is_unspecified() {
            // It listens everywhere, so here too.
            addr.set_ip(match addr {
                std::net::SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                std::net::SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        }
        let page = if self.ready { "readyz" } else { "healthz" };
        let url = format!("http://{addr}/{page}");
        let (well, said) = match ask(&url).await {
            Ok((status, text)) => (status.is_success(), text.trim().to_owned()),
            Err(error) => (false, format!("{url} cannot be asked: {error:#}")),
        };
        let exit = if well { Exit::Done } else { Exit::Failed };
        if global.json {
            answer(&json!({ "ok": well, "said": said }).to_string())?;
        } else {
            answer(&said)?;
        }
        Ok(exit)
    }
}

async fn ask(url: &str) -> anyhow::Result<(reqwest::StatusCode, String)> {
    let client = foreshow_tls::inward().timeout(ANSWERS_WITHIN).build()?;
    let answer = client.get(url).send().await?;
    Ok((answer.status(), answer.text().await?))
}
