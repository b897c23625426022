//! What a vendor's simulator has to be.

use std::{fmt::Debug, sync::Arc, time::Duration};

use axum::response::Response;
use http::{HeaderMap, Method, StatusCode};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{ApiCall, Dial, Ground, Matched, site::Visit};

/// A vendor's API and sites. State lives behind the product's own lock; builds advance by the time that has passed when
/// somebody looks.
pub trait Product: Send + Sync + Sized + 'static {
    /// The vendor's name, e.g. `vercel`.
    const NAME: &'static str;
    /// What it is started with.
    type Options: Send;
    /// The closed set of what its API can be asked. [`operations!`] makes one.
    type Operation: Operation;
    /// What can be turned while it runs; `PUT /_simulator/knobs` merges into its JSON, so unknown fields should be denied.
    type Knobs: Clone + Debug + Send + Serialize + DeserializeOwned + 'static;

    /// Begins; the port is known by now.
    fn open(options: Self::Options, ground: Ground) -> Self;

    /// Its knobs.
    fn knobs(&self) -> &Dial<Self::Knobs>;

    /// Whether the call carries an accepted token: for the ledger. Refusing is the product's own affair.
    fn is_authorized(&self, headers: &HeaderMap) -> bool;

    /// What is asked; `None` is answered as [`Refusal::UnknownCall`]. [`find_route`](super::find_route) does it by a table.
    fn route(&self, method: &Method, path: &str) -> Option<Matched<Self::Operation>>;

    /// Answers a call of the API.
    fn answer(
        self: Arc<Self>,
        call: ApiCall<Self::Operation>,
    ) -> impl Future<Output = Response> + Send;

    /// Words a refusal as the vendor does.
    fn refuse(&self, refusal: Refusal) -> Response;

    /// Whether a host (lower case, without its port) that does not end in `.localhost` leads to a site: a bound domain.
    fn serves_host(&self, host: &str) -> bool;

    /// Answers a visit to a site.
    fn visit(&self, visit: Visit) -> Response;

    /// What there is, for people and tests: deployments, aliases or domains, projects or apps.
    fn state(&self) -> Value;

    /// Removes a deployment as the vendor's retention would; `false` where there is none.
    fn vanish(&self, id: &str) -> bool;

    /// The DNS records of a domain are there from now on; `false` where nobody asked for that domain.
    fn verify_domain(&self, domain: &str) -> bool;
}

/// What can be asked of an API: a closed set with names.
pub trait Operation: Copy + Debug + Eq + Send + Sync + 'static {
    /// All of them.
    const ALL: &'static [Self];

    /// Its name in the ledger and in faults, e.g. `create_deployment`.
    fn name(self) -> &'static str;
}

/// A refusal that the vendor's simulator has to word: body, code and headers are each vendor's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such call.
    UnknownCall {
        /// How it was asked.
        method: Method,
        /// The path that nobody knows.
        path: String,
    },
    /// The body is larger than any that is read.
    TooLarge {
        /// The most that is read.
        limit_bytes: usize,
    },
    /// A status that a fault asks for.
    Status {
        /// The status.
        status: StatusCode,
        /// The vendor's code; without, one that goes with the status.
        code: Option<String>,
        /// The message; without, any.
        message: Option<String>,
    },
    /// Too many calls. `Retry-After` is not the product's affair.
    RateLimited {
        /// How many are allowed.
        limit: u64,
        /// When the next one is, told in the vendor's own way; `None` is told nowhere.
        reset_after: Option<Duration>,
    },
}

/// Makes an [`Operation`]: `operations! { /// doc pub enum Name { /// doc Variant = "variant", } }`.
macro_rules! operations {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$of:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$of])* $variant,)+ }

        impl $crate::core::Operation for $name {
            const ALL: &'static [Self] = &[$(Self::$variant,)+];

            fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }
    };
}
pub(crate) use operations;
