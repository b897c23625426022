//! The contract of the provider port on every adapter: the local one with a gateway that really listens, the others with
//! simulators of their vendors.

#![expect(clippy::unwrap_used, reason = "test helpers")]

mod deno;
mod local;
#[path = "../simulated/mod.rs"]
mod simulated;
mod vercel;
mod visitor;

use foreshow_conformance::{hosted_provider_contract, provider_contract};

use crate::{deno::DenoWorld, local::LocalWorld, vercel::VercelWorld};

provider_contract!(local_keeps_the_contract: LocalWorld::new().await);
provider_contract!(deno_keeps_the_contract: DenoWorld::new().await);
provider_contract!(vercel_keeps_the_contract: VercelWorld::new().await);
hosted_provider_contract!(deno_keeps_the_contract_of_accounts: DenoWorld::new().await);
hosted_provider_contract!(vercel_keeps_the_contract_of_accounts: VercelWorld::new().await);
