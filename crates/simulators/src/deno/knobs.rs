//! What can be turned while the simulator runs.
//!
//! What a build will do is fixed when it is created. Its shape of errors, and how streams break, are asked at each call.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::core::BuildKnobs;

/// The knobs of the simulator of Deno Deploy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DenoKnobs {
    /// How builds go. An outcome `state` takes the words `boot_failed`, `boot_internal`, `timed_out`, `skipped` and `cancelled`;
    /// with any other word the revision ends in a status of that name, which nobody has heard of.
    pub builds: BuildKnobs,
    /// How long after a build succeeded, or a host was bound, promoted or detached, the change is seen: in `timelines`, in
    /// `hostnames`, and by visitors. The real service needs seconds.
    pub routing_ms: u64,
    /// How long a build that is cancelled goes on as `building`.
    pub cancel_ms: u64,
    /// A build that takes longer ends as `timed_out`. The real limit is 5 minutes (15 on Pro).
    pub build_limit_ms: u64,
    /// How many builds run at once; more wait as `queued`. `null` is no limit.
    pub concurrent_builds: Option<u32>,
    /// How many deploys are taken within an hour; more are answered 429. `null` is no limit.
    pub deployments_per_hour: Option<u32>,
    /// A body of `deploy` that is larger is answered 413. The real limit is not known; a deployment's files have 1 GB.
    pub max_deploy_bytes: u64,
    /// How many custom domains the organization may have. A live free plan had 0.
    pub max_custom_domains: u32,
    /// The shape of error bodies.
    pub errors: ErrorShape,
    /// The form of streams.
    pub streams: StreamForm,
    /// The next streams are cut, each after so many events, without an end.
    pub cut_streams: VecDeque<u32>,
    /// Whether pages are linked by a path alone, as the published sample shows; the vendor's JavaScript client cannot follow that.
    pub relative_links: bool,
    /// Whether personal tokens (`ddp_…` with `X-Deno-Org`) are accepted. A live one was refused.
    pub personal_tokens: bool,
    /// Whether a revision's `retention` may be set: for enterprises.
    pub retention: bool,
    /// How long a certificate takes. The real service needs about 90 s.
    pub certificate_ms: u64,
}

impl Default for DenoKnobs {
    fn default() -> Self {
        Self {
            builds: BuildKnobs::default(),
            routing_ms: 0,
            cancel_ms: 0,
            build_limit_ms: 300_000,
            concurrent_builds: None,
            deployments_per_hour: None,
            max_deploy_bytes: 1_000_000_000,
            max_custom_domains: 50,
            errors: ErrorShape::Flat,
            streams: StreamForm::AsAsked,
            cut_streams: VecDeque::new(),
            relative_links: false,
            personal_tokens: false,
            retention: false,
            certificate_ms: 0,
        }
    }
}

/// The shape of error bodies: which one the wire uses is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorShape {
    /// `{"code", "message"}`: what both of the vendor's clients read.
    Flat,
    /// `{"error": {"code", "message"}}`: what the published document promises.
    Nested,
}

/// The form of streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamForm {
    /// Server-sent events where `Accept` asks for them, else lines of JSON.
    AsAsked,
    /// Lines of JSON whatever is asked for: seen live.
    Ndjson,
}
