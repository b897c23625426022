use clap::Subcommand;
use serde_json::json;

use crate::args::Global;
use crate::failure::{Exit, Failure};
use crate::terminal::answer;
use crate::wiring::{fetching, providers};

/// Show or check the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Show every key, its value, and where that was given
    Show,
    /// Check it, and say what is wrong, where, and how to mend it
    Check,
}

impl Config {
    pub(crate) fn run(self, global: &Global) -> Result<Exit, Failure> {
        let loaded = global.load()?;
        if let Self::Check = self {
            providers::check(&loaded.config)?;
            fetching::egress(&loaded.config)?;
        }
        let text = match (self, global.json) {
            (Self::Show, true) => loaded.to_json().to_string(),
            (Self::Show, false) => loaded.to_toml().trim_end().to_owned(),
            (Self::Check, true) => json!({ "ok": true, "file": loaded.file }).to_string(),
            (Self::Check, false) => match &loaded.file {
                Some(file) => format!("ok: {}", file.display()),
                None => {
                    "ok: no configuration file; defaults, environment and flags alone".to_owned()
                }
            },
        };
        answer(&text)?;
        Ok(Exit::Done)
    }
}
