//! A simulator of Deno Deploy: the API's version 2, and the sites that it deploys.
//!
//! The API is mounted at `/v2` and at `/api/v2`; the vendor's JavaScript client (`@deno/sandbox`, option `apiEndpoint`) works
//! against it unmodified. The token is an organization's (`ddo_simulator` unless [`DenoOptions`] says otherwise).
//!
//! Hosts are those of the service with `localhost` for `deno.net` and the simulator's port: `my-app.acme.localhost:4001` in
//! production, `my-app-r2ysnrrhr352.acme.localhost:4001` for a revision, where `acme` is the organization's slug. Custom domains are
//! told as they were bound.
//!
//! What is simulated, and how far:
//!
//! - a revision's life by elapsed time (`build`), its progress and its logs as streams (`streams`);
//! - hosts per revision, promotion, detaching (`hosts`), all of it seen only after [`routing_ms`](DenoKnobs::routing_ms);
//! - files, not programs (`site`): nothing is installed, built or run. A dynamic app whose entrypoint is not among its files fails
//!   its warm-up, as it would;
//! - certificates and databases only as far as their API goes.
//!
//! Everything known is one `Organization` behind one lock, which is never held while waiting.

mod analytics;
mod apps;
mod assets;
mod build;
mod build_logs;
mod config;
mod databases;
mod deploy;
mod domain;
mod domains;
mod env;
mod error;
mod feeds;
mod fields;
mod hosts;
mod ids;
mod knobs;
mod labels;
mod layers;
mod organization;
mod page;
mod product;
mod progress;
mod revision;
mod revisions;
mod route;
mod routing;
mod runtime_logs;
mod site;
mod slug;
mod streams;

use std::sync::Mutex;

use foreshow_contract::Timestamp;
use http::StatusCode;
use serde_json::Value;

pub use knobs::{DenoKnobs, ErrorShape, StreamForm};
pub use route::Operation as DenoOperation;

use error::ApiError;
use feeds::Feed;
use fields::Fields;
use organization::Organization;
use page::Page;
use revision::Retention;

use crate::core::{Dial, Ground, Params, Query};

/// What the simulator is started with.
#[derive(Clone, Debug)]
pub struct DenoOptions {
    /// The organization's token: begins with `ddo_`.
    pub token: String,
    /// The organization's slug, a label of every host.
    pub organization: String,
    /// A personal token, for when [`personal_tokens`](DenoKnobs::personal_tokens) is on: begins with `ddp_`.
    pub personal_token: String,
    /// How it begins.
    pub knobs: DenoKnobs,
}

impl Default for DenoOptions {
    fn default() -> Self {
        Self {
            token: "ddo_simulator".to_owned(),
            organization: "acme".to_owned(),
            personal_token: "ddp_simulator".to_owned(),
            knobs: DenoKnobs::default(),
        }
    }
}

/// Deno Deploy. [`Simulator::<Deno>::start`](crate::Simulator::start) puts it on a port.
#[derive(Debug)]
pub struct Deno {
    ground: Ground,
    token: String,
    personal_token: String,
    organization: String,
    knobs: Dial<DenoKnobs>,
    known: Mutex<Organization>,
}

/// A call, as the handlers see it.
struct Asked<'a> {
    now: u64,
    knobs: DenoKnobs,
    dial: &'a Dial<DenoKnobs>,
    params: &'a Params,
    query: &'a Query,
    /// The header `Accept`.
    accept: &'a str,
    /// As it was sent, for its size.
    body: &'a [u8],
    /// The same, read; `None` where it is no JSON.
    json: Option<&'a Value>,
}

impl Asked<'_> {
    fn param(&self, name: &str) -> &str {
        self.params.get(name).map_or("", String::as_str)
    }

    fn fields(&self) -> Result<Fields<'_>, ApiError> {
        let json = self
            .json
            .ok_or_else(|| ApiError::malformed("The body is not valid JSON"))?;
        Fields::of_body(json)
    }

    /// Reads the field `retention`, which only enterprises may set to something.
    fn retention(&self, body: &Fields<'_>) -> Result<Option<Retention>, ApiError> {
        match body.text("retention")? {
            None => Ok(None),
            Some("auto") => Ok(Some(Retention::Auto)),
            Some("indefinite") if self.knobs.retention => Ok(Some(Retention::Indefinite)),
            Some("indefinite") => Err(ApiError::new(
                StatusCode::FORBIDDEN,
                "REVISION_RETENTION_NOT_AVAILABLE",
                "Retention of revisions is not available on this plan",
            )),
            Some(_) => Err(body.invalid("retention")),
        }
    }
}

/// What a handler answers.
enum Reply {
    Json(StatusCode, Value),
    Page(Page),
    Stream(Feed),
    Empty,
}

/// An instant as the API writes it.
fn rfc3339(ms: u64) -> String {
    let micros = i64::try_from(ms.saturating_mul(1000)).unwrap_or(i64::MAX);
    Timestamp::from_micros(micros).to_string()
}
