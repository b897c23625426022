//! Providers that speak to simulators of their vendors.

use std::{num::NonZeroU32, sync::Arc};

use foreshow_contract::{InstallationKey, Secret, Timestamp};
use foreshow_engine::{Clock, Provider};
use foreshow_providers::{DenoProvider, DenoSettings, VercelProvider, VercelSettings};
use foreshow_simulators::{Deno, Simulator, Vercel};

/// The token that the simulator of Deno Deploy takes.
pub(crate) const DENO_TOKEN: &str = "ddo_simulator";
/// The token that the simulator of Vercel takes.
pub(crate) const VERCEL_TOKEN: &str = "simulator-token";

/// The wall clock.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// One process of an installation, as its provider sees it.
pub(crate) struct Process {
    pub(crate) token: String,
    pub(crate) installation: InstallationKey,
    pub(crate) clock: Arc<dyn Clock>,
    /// How long a create is waited for; `None` is as long as usual.
    pub(crate) create_timeout_seconds: Option<NonZeroU32>,
}

impl Process {
    pub(crate) fn new(token: &str, installation: InstallationKey) -> Self {
        Self {
            token: token.to_owned(),
            installation,
            clock: Arc::new(SystemClock),
            create_timeout_seconds: None,
        }
    }
}

pub(crate) fn deno(simulator: &Simulator<Deno>, process: Process) -> Arc<dyn Provider> {
    let mut settings = DenoSettings::new(Secret::new(process.token));
    settings.api_url = simulator.api_url();
    if let Some(seconds) = process.create_timeout_seconds {
        settings.create_timeout_seconds = seconds;
    }
    let provider = DenoProvider::try_new(settings, process.installation, process.clock);
    Arc::new(provider.unwrap())
}

pub(crate) fn vercel(simulator: &Simulator<Vercel>, process: Process) -> Arc<dyn Provider> {
    let mut settings = VercelSettings {
        token: Secret::new(process.token),
        team_id: Some("team_simulator".to_owned()),
        api_url: simulator.api_url(),
        // Below it the simulator gives names away, as Vercel does below its own domain.
        alias_suffix: format!("localhost:{}", simulator.address().port()),
        ..VercelSettings::default()
    };
    if let Some(seconds) = process.create_timeout_seconds {
        settings.create_timeout_seconds = seconds;
    }
    let provider = VercelProvider::try_new(settings, &process.installation, process.clock);
    Arc::new(provider.unwrap())
}
