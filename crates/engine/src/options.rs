//! What can be configured, with defaults that suit one machine. Rules across keys are checked by
//! [`EngineOptions::check`] at start.

use std::{
    collections::BTreeMap,
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

use foreshow_contract::TenantId;
use serde::{Deserialize, Serialize};

use crate::{
    retry::{Backoff, RetryOptions},
    routing::RoutingOptions,
};

/// No wait may be configured longer: a larger number is a mistake, and would overflow the clock.
const LONGEST_SECONDS: u64 = 30 * 86_400;

/// An option, or two together, that cannot be worked with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} {problem}")]
pub struct OptionsError {
    /// The key, dotted.
    pub key: &'static str,
    /// What is wrong, and what is allowed.
    pub problem: &'static str,
}

impl OptionsError {
    /// An error about `key`.
    pub fn new(key: &'static str, problem: &'static str) -> Self {
        Self { key, problem }
    }
}

/// Everything the engine can be told.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EngineOptions {
    /// Concurrency and shutdown.
    pub worker: WorkerOptions,
    /// Leases.
    pub lease: LeaseOptions,
    /// Waiting for another's lease.
    pub wait: WaitOptions,
    /// Attempts.
    pub retry: RetryOptions,
    /// Watching builds.
    pub build: BuildOptions,
    /// Cancelling builds that became obsolete.
    pub cancel: CancelOptions,
    /// Checking that a preview answers.
    pub probe: ProbeOptions,
    /// How long previews live.
    pub retention: RetentionOptions,
    /// Comparing what providers have with what the store knows.
    pub sweep: SweepOptions,
    /// Choosing among providers.
    pub routing: RoutingOptions,
    /// Whose domains are whose: each tenant's, as `demo.acme.dev`, or `*.acme.dev` for all names below it. Default none: a domain that
    /// its tenant is not named for here is refused, for at a provider all tenants share one account.
    pub domains: BTreeMap<TenantId, Vec<String>>,
    /// Limits of each tenant.
    pub limits: TenantLimits,
    /// Limits of each context's files.
    pub bundle: foreshow_bundle::Limits,
}

/// Concurrency and shutdown of one worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorkerOptions {
    /// Jobs of one queue that run at once. Default 32. Builds run at the provider, so this bounds memory and open calls, not CPUs.
    pub concurrency: NonZeroUsize,
    /// Deliveries held at once per queue, the backlog among them, running or waiting. Default 128. Below twice the concurrency, slots idle, and with
    /// little more than the concurrency nothing can wait here, so that a tenant's flood holds up everybody behind it.
    pub prefetch: NonZeroU32,
    /// How much of the window's places beyond the concurrency may be filled by deliveries that wait, in percent. Default 50.
    /// Beyond it whoever floods gives up its newest to `foreshow.deploy.backlog`, so that the queue keeps moving and
    /// whoever comes next is seen. Lower, and small bursts take that way too; higher, and fewer places are left for newcomers. At
    /// 100 nothing is moved: for an installation of one tenant, which pays one message more for each one in a flood.
    pub waiting_percent: u8,
    /// How long a shutdown waits for calls that are under way, in seconds. Default 25 (Kubernetes kills after 30).
    pub drain_seconds: u64,
    /// How long a delivery is held at most, waiting or building, in seconds. Default 1,200. Then it is parked, and whoever gets
    /// it next adopts its build. It must stay well below the broker's consumer timeout (RabbitMQ: 30 minutes unless
    /// configured), which would close the channel with everything on it.
    pub hold_seconds: u64,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self {
            concurrency: NonZeroUsize::new(32).expect("32 is not 0"),
            prefetch: NonZeroU32::new(128).expect("128 is not 0"),
            waiting_percent: 50,
            drain_seconds: 25,
            hold_seconds: 1_200,
        }
    }
}

/// Leases on contexts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LeaseOptions {
    /// How long a lease lives without renewal, in milliseconds. Default 15,000: after a crash, the time to take-over.
    pub ttl_ms: u64,
    /// How often it is renewed, in milliseconds. Default 5,000: one renewal may fail and the next has room to spare.
    pub renew_every_ms: u64,
    /// How long before its end the holder stops by its own clock, in milliseconds. Default 2,000: what a call that is
    /// already under way may take to land.
    pub margin_ms: u64,
}

impl Default for LeaseOptions {
    fn default() -> Self {
        Self {
            ttl_ms: 15_000,
            renew_every_ms: 5_000,
            margin_ms: 2_000,
        }
    }
}

impl LeaseOptions {
    /// How long a lease lives without renewal.
    pub fn ttl(&self) -> Duration {
        Duration::from_millis(self.ttl_ms)
    }

    /// How often it is renewed.
    pub fn renew_every(&self) -> Duration {
        Duration::from_millis(self.renew_every_ms)
    }

    /// How long before its end the holder stops.
    pub fn margin(&self) -> Duration {
        Duration::from_millis(self.margin_ms)
    }
}

/// Waiting in process for a context that another delivery holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WaitOptions {
    /// After this long the delivery goes to a delay queue, in seconds. Default 60. Well below the broker's consumer
    /// timeout (RabbitMQ: 30 minutes).
    pub bound_seconds: u64,
    /// How long it stays there, in milliseconds. Default 5,000.
    pub park_ms: u64,
}

impl Default for WaitOptions {
    fn default() -> Self {
        Self {
            bound_seconds: 60,
            park_ms: 5_000,
        }
    }
}

/// Watching a build.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BuildOptions {
    /// A build that takes longer has failed, in seconds. Default 900.
    pub timeout_seconds: u64,
    /// The first interval between questions, in milliseconds. Default 50.
    pub poll_min_ms: u64,
    /// The largest, in milliseconds. Default 2,000; intervals grow by half each time.
    pub poll_max_ms: u64,
}

impl Default for BuildOptions {
    fn default() -> Self {
        Self {
            timeout_seconds: 900,
            poll_min_ms: 50,
            poll_max_ms: 2_000,
        }
    }
}

/// When a newer update cancels the build of an older one. An end always does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CancelOptions {
    /// A context that has been stale for this long shows what is being built, in milliseconds. Default 10,000: under
    /// constant updates a preview is never older than this and one build. 0 cancels nothing.
    pub stale_ms: u64,
    /// So many builds in a row are cancelled at most. Default 3.
    pub in_a_row: u32,
    /// Between two cancels of a context, in milliseconds. Default 1,000.
    pub apart_ms: u64,
    /// A build that has run for this share of its usual time goes on, in percent. Default 75.
    pub close_percent: u32,
}

impl Default for CancelOptions {
    fn default() -> Self {
        Self {
            stale_ms: 10_000,
            in_a_row: 3,
            apart_ms: 1_000,
            close_percent: 75,
        }
    }
}

/// Comparing what providers have with what the store knows. One worker does it at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SweepOptions {
    /// How often, in seconds. Default 300. Each sweep lists every deployment at every provider: too often, and it uses up
    /// their rate limits.
    pub every_seconds: u64,
}

impl Default for SweepOptions {
    fn default() -> Self {
        Self { every_seconds: 300 }
    }
}

/// Checking that a ready preview answers at its URL with its own revision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProbeOptions {
    /// The path that is asked. Default `/`.
    pub path: String,
    /// How long it may take until it answers, in seconds. Default 60.
    pub timeout_seconds: u64,
}

impl Default for ProbeOptions {
    fn default() -> Self {
        Self {
            path: "/".to_owned(),
            timeout_seconds: 60,
        }
    }
}

/// How long previews live where the event does not say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionOptions {
    /// From the last update or touch, in seconds. Default 86,400 (a day).
    pub ttl_seconds: u64,
    /// Revisions kept beside each other, the live one included. Default 1.
    pub keep_revisions: NonZeroU32,
}

impl Default for RetentionOptions {
    fn default() -> Self {
        Self {
            ttl_seconds: 86_400,
            keep_revisions: NonZeroU32::MIN,
        }
    }
}

/// What each tenant may use.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TenantLimits {
    /// Contexts with a live preview. Default none. A new context over it fails with `quota_exceeded`; an update of a
    /// live one is never stopped.
    pub live_previews: Option<NonZeroU32>,
    /// Contexts that build at once. Default none. Over it, an update waits without using up an attempt.
    pub concurrent_builds: Option<NonZeroU32>,
}

impl EngineOptions {
    /// Checks what no single key can tell.
    ///
    /// # Errors
    /// Names the first key that cannot be worked with.
    pub fn check(&self) -> Result<(), OptionsError> {
        let seconds = [
            ("worker.drain_seconds", self.worker.drain_seconds),
            ("worker.hold_seconds", self.worker.hold_seconds),
            ("lease.ttl_ms", self.lease.ttl_ms / 1_000),
            ("wait.bound_seconds", self.wait.bound_seconds),
            ("wait.park_ms", self.wait.park_ms / 1_000),
            ("retry.max_ms", self.retry.max_ms / 1_000),
            ("build.timeout_seconds", self.build.timeout_seconds),
            ("build.poll_max_ms", self.build.poll_max_ms / 1_000),
            ("probe.timeout_seconds", self.probe.timeout_seconds),
            ("cancel.stale_ms", self.cancel.stale_ms / 1_000),
            ("cancel.apart_ms", self.cancel.apart_ms / 1_000),
            ("sweep.every_seconds", self.sweep.every_seconds),
        ];
        if let Some((key, _)) = seconds
            .into_iter()
            .find(|(_, seconds)| *seconds > LONGEST_SECONDS)
        {
            return Err(OptionsError::new(key, "must be no more than 30 days"));
        }
        for (key, limit) in [
            ("bundle.files", self.bundle.files as u64),
            ("bundle.total_bytes", self.bundle.total_bytes),
            ("bundle.file_bytes", self.bundle.file_bytes),
            ("bundle.depth", self.bundle.depth as u64),
        ] {
            if limit == 0 {
                return Err(OptionsError::new(
                    key,
                    "must be above 0, or no files are ever within it",
                ));
            }
        }
        if self.bundle.file_bytes > self.bundle.total_bytes {
            return Err(OptionsError::new(
                "bundle.file_bytes",
                "must be no more than bundle.total_bytes, which is what all files together may have",
            ));
        }
        if self.worker.hold_seconds == 0 {
            return Err(OptionsError::new(
                "worker.hold_seconds",
                "must be above 0, or no delivery is ever worked on",
            ));
        }
        if !(1..=100).contains(&self.worker.waiting_percent) {
            return Err(OptionsError::new(
                "worker.waiting_percent",
                "must be from 1 to 100",
            ));
        }
        if self.lease.renew_every_ms == 0 {
            return Err(OptionsError::new("lease.renew_every_ms", "must be above 0"));
        }
        if self
            .lease
            .renew_every_ms
            .saturating_add(self.lease.margin_ms)
            >= self.lease.ttl_ms
        {
            return Err(OptionsError::new(
                "lease.renew_every_ms",
                "plus lease.margin_ms must stay below lease.ttl_ms, or every lease is lost before it can be renewed",
            ));
        }
        Backoff::try_new(
            Duration::from_millis(self.retry.min_ms),
            Duration::from_millis(self.retry.max_ms),
        )?;
        if self.build.poll_min_ms == 0 || self.build.poll_min_ms > self.build.poll_max_ms {
            return Err(OptionsError::new(
                "build.poll_min_ms",
                "must be above 0 and no more than build.poll_max_ms",
            ));
        }
        self.routing.check()?;
        if self.sweep.every_seconds == 0 {
            return Err(OptionsError::new("sweep.every_seconds", "must be above 0"));
        }
        if self.retention.ttl_seconds == 0 {
            return Err(OptionsError::new(
                "retention.ttl_seconds",
                "must be above 0",
            ));
        }
        if !self.probe.path.starts_with('/') {
            return Err(OptionsError::new("probe.path", "must begin with a slash"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_sound() {
        EngineOptions::default().check().unwrap();
    }

    #[test]
    fn a_wait_that_nobody_can_mean_is_refused() {
        let mut options = EngineOptions::default();
        options.build.timeout_seconds = u64::MAX;
        assert_eq!(options.check().unwrap_err().key, "build.timeout_seconds");
    }

    #[test]
    fn a_lease_that_cannot_be_renewed_in_time_is_refused() {
        let mut options = EngineOptions::default();
        options.lease.renew_every_ms = 13_000;
        assert_eq!(options.check().unwrap_err().key, "lease.renew_every_ms");
    }
}
