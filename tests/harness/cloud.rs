//! Providers across the network, on this machine.

use foreshow_simulators::{Deno, DenoOptions, Simulator, Vercel, VercelOptions};

use crate::Foreshow;

/// Simulators of Vercel and of Deno Deploy.
pub struct Cloud {
    /// Vercel.
    pub vercel: Simulator<Vercel>,
    /// Deno Deploy.
    pub deno: Simulator<Deno>,
}

/// Vercel's token, which nobody may see.
pub const VERCEL_TOKEN: &str = "planted-vercel-token";
/// Deno's.
pub const DENO_TOKEN: &str = "ddo_planted_deno_token";

impl Cloud {
    /// Starts both.
    ///
    /// # Panics
    /// Where they don't start.
    pub async fn start() -> Self {
        let vercel = VercelOptions {
            tokens: vec![VERCEL_TOKEN.to_owned()],
            ..VercelOptions::default()
        };
        let deno = DenoOptions {
            token: DENO_TOKEN.to_owned(),
            ..DenoOptions::default()
        };
        let (vercel, deno) = tokio::join!(
            Simulator::start_anywhere(vercel),
            Simulator::start_anywhere(deno)
        );
        Self {
            vercel: vercel.expect("a simulator starts"),
            deno: deno.expect("a simulator starts"),
        }
    }
}

impl Foreshow {
    /// Its workers deploy to these.
    #[must_use]
    pub fn deploying_to(self, cloud: &Cloud) -> Self {
        self.set("FORESHOW_VERCEL__API_URL", cloud.vercel.api_url())
            .set("FORESHOW_VERCEL__TOKEN", VERCEL_TOKEN)
            .set(
                "FORESHOW_VERCEL__ALIAS_SUFFIX",
                format!("localhost:{}", cloud.vercel.address().port()),
            )
            .set("FORESHOW_DENO__API_URL", cloud.deno.api_url())
            .set("FORESHOW_DENO__TOKEN", DENO_TOKEN)
            .set("FORESHOW_DENO__ORG", "acme")
    }
}
