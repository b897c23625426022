//! How the Deno provider behaves.

use std::{num::NonZeroU32, path::PathBuf};

use foreshow_contract::Secret;
use serde::{Deserialize, Serialize};

/// Settings of the Deno Deploy provider.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DenoSettings {
    /// An organization's access token, which begins with `ddo_`: the console makes one under the organization's settings. A personal
    /// token, `ddp_`, is refused by the API.
    pub token: Secret,
    /// The organization's slug, as in `<app>.<slug>.deno.net`. Optional: it is learned from the first deployment. Set it where
    /// processes that never deploy have to tell URLs.
    pub org: Option<String>,
    /// Where the API is, without its version. Default `https://api.deno.com`. Plain http is taken for loopback alone, where
    /// previews are http as well.
    pub api_url: String,
    /// A file of certificates in PEM that are trusted beside the public ones. Default none.
    pub ca_file: Option<PathBuf>,
    /// The largest app, as the sum of its files, in bytes. Default 33,554,432 (32 MiB): every push sends every file in one JSON
    /// document, whose limit the vendor does not tell. Larger ones go to another provider.
    pub max_bytes: u64,
    /// How many deployments the organization's plan allows per hour, for all workers together. Default: not limited here; a Builder plan has
    /// 200 (2026-03). Too high or
    /// unset, the API's own refusals are waited out instead.
    pub creates_per_hour: Option<NonZeroU32>,
    /// How long it may take until a create is answered, beside the time for sending the files, in seconds. Default 20. Too short, and a
    /// slow one is given up; it is looked for, and adopted if it was made.
    pub create_timeout_seconds: NonZeroU32,
}

impl Default for DenoSettings {
    fn default() -> Self {
        Self::new(Secret::new(""))
    }
}

impl DenoSettings {
    /// The defaults, for a token.
    pub fn new(token: Secret) -> Self {
        Self {
            token,
            org: None,
            api_url: api_url(),
            ca_file: None,
            max_bytes: max_bytes(),
            creates_per_hour: None,
            create_timeout_seconds: NonZeroU32::new(20).expect("20 is not 0"),
        }
    }
}

fn api_url() -> String {
    "https://api.deno.com".to_owned()
}

const fn max_bytes() -> u64 {
    32 * 1024 * 1024
}
