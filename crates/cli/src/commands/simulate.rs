//! `simulate`: a provider's API on this machine, to try Foreshow without an account.

use clap::{Args, Subcommand};
use foreshow_simulators::{Deno, DenoOptions, Simulator, Vercel, VercelOptions, core::Product};
use serde_json::json;

use crate::args::Global;
use crate::config::ListenAddr;
use crate::failure::{Exit, Failure, OrFail as _};
use crate::interrupt::Interrupts;
use crate::terminal::{answer, tell};

/// Stand in for a provider's API on this machine, sites included
#[derive(Debug, Subcommand)]
#[command(
    after_help = "Knobs and faults are turned while it runs: PUT JSON to URL/_simulator/knobs, POST to URL/_simulator/faults; GET tells \
                  them, and URL/_simulator/ledger every call. It keeps nothing: with it end its deployments."
)]
pub(crate) enum Simulate {
    /// Vercel's REST API
    Vercel(Stage),
    /// Deno Deploy's API, version 2
    Deno(Stage),
}

/// Where and how a simulator runs.
#[derive(Debug, Args)]
pub(crate) struct Stage {
    /// Where to listen; port 0 picks a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: ListenAddr,

    /// How long builds take, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 1_000)]
    build_ms: u64,

    /// Have every build fail
    #[arg(long)]
    fail: bool,
}

impl Simulate {
    pub(crate) async fn run(self, global: &Global) -> Result<Exit, Failure> {
        match self {
            Self::Vercel(stage) => {
                let options = VercelOptions::default();
                let token = options.tokens.first().cloned().unwrap_or_default();
                let settings = |at: &Simulator<Vercel>| {
                    vec![
                        ("FORESHOW_VERCEL__API_URL", at.api_url()),
                        ("FORESHOW_VERCEL__TOKEN", token),
                        // Names below vercel.app lead to Vercel.
                        (
                            "FORESHOW_VERCEL__ALIAS_SUFFIX",
                            format!("localhost:{}", at.address().port()),
                        ),
                    ]
                };
                stage.play(options, settings, global).await
            }
            Self::Deno(stage) => {
                let options = DenoOptions::default();
                let (token, org) = (options.token.clone(), options.organization.clone());
                let settings = |at: &Simulator<Deno>| {
                    vec![
                        ("FORESHOW_DENO__API_URL", at.api_url()),
                        ("FORESHOW_DENO__TOKEN", token),
                        ("FORESHOW_DENO__ORG", org),
                    ]
                };
                stage.play(options, settings, global).await
            }
        }
    }
}

impl Stage {
    async fn play<P: Product>(
        self,
        options: P::Options,
        settings: impl FnOnce(&Simulator<P>) -> Vec<(&'static str, String)>,
        global: &Global,
    ) -> Result<Exit, Failure> {
        let mut interrupts = Interrupts::listen()?;
        let simulator = Simulator::<P>::start(self.listen.0, options)
            .await
            .or_fail(Exit::Environment)?;
        let outcome = if self.fail {
            json!({ "kind": "failed", "log": ["error: this simulator was told to let every build fail"] })
        } else {
            json!({ "kind": "ready" })
        };
        let knobs = json!({ "builds": { "build_ms": self.build_ms, "outcome": outcome } });
        simulator.put_knobs(knobs).or_fail(Exit::Usage)?;
        let url = simulator.api_url();
        let settings = settings(&simulator);
        if global.json {
            let settings: serde_json::Map<_, _> = settings
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.as_str().into()))
                .collect();
            answer(&json!({ "url": url, "settings": settings }).to_string())?;
        } else {
            answer(&url)?;
            if !global.quiet {
                tell(&format!(
                    "A simulator of {} is up. Workers use it with",
                    P::NAME
                ));
                for (name, value) in settings {
                    tell(&format!("  {name}={value}"));
                }
                tell("Ctrl-C ends it, and everything that was deployed to it.");
            }
        }
        interrupts.next().await;
        simulator.stop().await;
        Ok(Exit::Done)
    }
}
