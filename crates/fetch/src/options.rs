//! The configuration's section `bundles`.

use std::time::Duration;

use foreshow_engine::{Backoff, OptionsError};
use serde::{Deserialize, Serialize};

/// The guarded client gives up a server that says nothing for this long, whatever is configured here.
const LONGEST_SILENCE_MS: u64 = 60_000;

/// How bundles are fetched by their URLs, and what is kept of them. How large they may be is for the section `bundle` to say,
/// where requests may go for `egress`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BundlesOptions {
    /// How much disk fetched bundles may take up once nobody reads them, in bytes. Default 2,147,483,648 (2 GiB); 0 keeps
    /// none. What was used longest ago goes first. Each event whose bundle is there costs no transfer: retries, and
    /// the same files in other contexts of the same tenant.
    pub cache_bytes: u64,
    /// How long a server may take to begin its answer, connecting included, in milliseconds. Default 30,000, at most 60,000.
    pub answer_timeout_ms: u64,
    /// How long a transfer may go without a byte, in milliseconds. Default 30,000, at most 60,000.
    pub stall_timeout_ms: u64,
    /// How long a whole fetch may take, with all that is done again in it, in seconds. Default 600. It holds one of the
    /// worker's slots, so it must be below `worker.hold_seconds`; too short, and large bundles never arrive.
    pub fetch_timeout_seconds: u64,
    /// How often a transfer that broke off goes on where it stopped, before the whole job is tried again. Default 5; 0 never
    /// goes on.
    pub resumes: u32,
    /// The bound of the first wait before a transfer goes on, in milliseconds. Default 250. It doubles each time.
    pub resume_min_ms: u64,
    /// The largest such bound, in milliseconds. Default 5,000. A server that asks for a longer wait gets it, by the whole
    /// job's being tried again later.
    pub resume_max_ms: u64,
}

impl Default for BundlesOptions {
    fn default() -> Self {
        Self {
            cache_bytes: 2 << 30,
            answer_timeout_ms: 30_000,
            stall_timeout_ms: 30_000,
            fetch_timeout_seconds: 600,
            resumes: 5,
            resume_min_ms: 250,
            resume_max_ms: 5_000,
        }
    }
}

impl BundlesOptions {
    /// Checks what no single key can tell.
    ///
    /// # Errors
    /// Names the first key that cannot be worked with.
    pub fn check(&self, hold_seconds: u64) -> Result<(), OptionsError> {
        for (key, value) in [
            ("bundles.answer_timeout_ms", self.answer_timeout_ms),
            ("bundles.stall_timeout_ms", self.stall_timeout_ms),
        ] {
            if !(1..=LONGEST_SILENCE_MS).contains(&value) {
                return Err(OptionsError::new(
                    key,
                    "must be above 0 and no more than 60000: a server that is silent for a minute is given up",
                ));
            }
        }
        if self.fetch_timeout_seconds == 0 {
            return Err(OptionsError::new(
                "bundles.fetch_timeout_seconds",
                "must be above 0, or nothing is ever fetched",
            ));
        }
        if self.fetch_timeout_seconds.saturating_mul(1_000) < self.stall_timeout_ms {
            return Err(OptionsError::new(
                "bundles.fetch_timeout_seconds",
                "must be no less than bundles.stall_timeout_ms, or a server that stalls is never told of as such",
            ));
        }
        if self.fetch_timeout_seconds >= hold_seconds {
            return Err(OptionsError::new(
                "bundles.fetch_timeout_seconds",
                "must be below worker.hold_seconds, or a delivery could be held for longer than the broker allows",
            ));
        }
        if self.resume_min_ms == 0
            || self.resume_min_ms > self.resume_max_ms
            || self.resume_max_ms > LONGEST_SILENCE_MS
        {
            return Err(OptionsError::new(
                "bundles.resume_min_ms",
                "must be above 0 and no more than bundles.resume_max_ms, which may be 60000 at most",
            ));
        }
        Ok(())
    }

    pub(crate) fn answers_within(&self) -> Duration {
        Duration::from_millis(self.answer_timeout_ms)
    }

    pub(crate) fn stalled_after(&self) -> Duration {
        Duration::from_millis(self.stall_timeout_ms)
    }

    pub(crate) fn fetches_within(&self) -> Duration {
        Duration::from_secs(self.fetch_timeout_seconds)
    }

    pub(crate) fn backoff(&self) -> Result<Backoff, OptionsError> {
        let [min, max] = [self.resume_min_ms, self.resume_max_ms].map(Duration::from_millis);
        Backoff::try_new(min, max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOLD: u64 = 1_200;

    #[test]
    fn the_defaults_fit_together() {
        BundlesOptions::default().check(HOLD).unwrap();
    }

    #[test]
    fn what_cannot_be_meant_is_named() {
        let refused = |change: &dyn Fn(&mut BundlesOptions)| {
            let mut options = BundlesOptions::default();
            change(&mut options);
            options.check(HOLD).unwrap_err().key
        };
        for (change, key) in [
            (
                &(|o: &mut BundlesOptions| o.answer_timeout_ms = 0) as &dyn Fn(&mut BundlesOptions),
                "bundles.answer_timeout_ms",
            ),
            (&|o| o.stall_timeout_ms = 60_001, "bundles.stall_timeout_ms"),
            (
                &|o| o.fetch_timeout_seconds = 0,
                "bundles.fetch_timeout_seconds",
            ),
            (
                &|o| o.fetch_timeout_seconds = HOLD,
                "bundles.fetch_timeout_seconds",
            ),
            (&|o| o.resume_min_ms = 0, "bundles.resume_min_ms"),
            (&|o| o.resume_min_ms = 6_000, "bundles.resume_min_ms"),
        ] {
            assert_eq!(refused(change), key);
        }
    }
}
