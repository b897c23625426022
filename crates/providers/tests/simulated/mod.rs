//! Providers that speak to simulators of their vendors.

use std::sync::Arc;

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

pub(crate) fn deno(
    simulator: &Simulator<Deno>,
    token: &str,
    installation: InstallationKey,
    clock: Arc<dyn Clock>,
) -> Arc<dyn Provider> {
    let settings = DenoSettings {
        api_url: simulator.api_url(),
        ..DenoSettings::new(Secret::new(token))
    };
    Arc::new(DenoProvider::try_new(settings, installation, clock).unwrap())
}

pub(crate) fn vercel(
    simulator: &Simulator<Vercel>,
    token: &str,
    installation: &InstallationKey,
    clock: Arc<dyn Clock>,
) -> Arc<dyn Provider> {
    let settings = VercelSettings {
        token: Secret::new(token),
        team_id: Some("team_simulator".to_owned()),
        api_url: simulator.api_url(),
        // Below it the simulator gives names away, as Vercel does below its own domain.
        alias_suffix: format!("localhost:{}", simulator.address().port()),
        ..VercelSettings::default()
    };
    Arc::new(VercelProvider::try_new(settings, installation, clock).unwrap())
}
