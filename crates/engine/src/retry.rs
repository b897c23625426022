//! When a job is tried again.
//!
//! Full jitter: the wait is drawn uniformly between zero and a bound that doubles with each attempt, so jobs that
//! failed together do not come back together. A wait that the other side asked for is a lower limit to it.

use std::{num::NonZeroU32, time::Duration};

use backon::{BackoffBuilder, ExponentialBuilder};
use foreshow_contract::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Failure, OptionsError, code};

/// How often and how long a job is tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetryOptions {
    /// Attempts in all, the first included. Default 5. With 1 every passing fault ends an event.
    pub attempts: NonZeroU32,
    /// The bound of the first wait, in milliseconds. Default 1,000.
    pub min_ms: u64,
    /// The largest bound of a wait, in milliseconds. Default 300,000 (5 minutes).
    pub max_ms: u64,
    /// How old an event may get before it fails for its age alone, in seconds. Default 86,400 (a day): it also bounds
    /// waits that use up no attempt, such as rate limits.
    pub max_age_seconds: u64,
}

impl Default for RetryOptions {
    fn default() -> Self {
        Self {
            attempts: NonZeroU32::new(5).expect("5 is not 0"),
            min_ms: 1_000,
            max_ms: 300_000,
            max_age_seconds: 86_400,
        }
    }
}

/// Exponential backoff with full jitter.
#[derive(Clone, Debug)]
pub struct Backoff {
    min: Duration,
    max: Duration,
}

impl Backoff {
    /// # Errors
    /// Where `min` is zero or above `max`.
    pub fn try_new(min: Duration, max: Duration) -> Result<Self, OptionsError> {
        if min.is_zero() || min > max {
            return Err(OptionsError::new(
                "retry.min_ms",
                "must be above 0 and no more than retry.max_ms",
            ));
        }
        Ok(Self { min, max })
    }

    /// The largest wait after this attempt (from 1): doubling from `min`, never above `max`.
    pub fn bound(&self, attempt: NonZeroU32) -> Duration {
        let steps = usize::try_from(attempt.get().min(64)).expect("at most 64");
        ExponentialBuilder::new()
            .with_min_delay(self.min)
            .with_max_delay(self.max)
            .with_max_times(steps)
            .build()
            .last()
            .map_or(self.max, |bound| bound.min(self.max))
    }

    /// A wait after this attempt: uniform between zero and [`bound`](Self::bound).
    pub fn sample(&self, attempt: NonZeroU32, rng: &mut fastrand::Rng) -> Duration {
        self.bound(attempt).mul_f64(rng.f64())
    }
}

/// What to do after a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Come back after this long, as this attempt.
    Again {
        /// The wait.
        after: Duration,
        /// The attempt it will be.
        attempt: NonZeroU32,
    },
    /// The event ends as failed, with this code.
    GiveUp {
        /// The stable code.
        code: &'static str,
    },
}

/// Decides what follows from a failure of this attempt of an event accepted at `accepted_at`.
pub fn next(
    failure: &Failure,
    attempt: NonZeroU32,
    accepted_at: Timestamp,
    now: Timestamp,
    options: &RetryOptions,
    rng: &mut fastrand::Rng,
) -> Next {
    let too_old = now.saturating_since(accepted_at) >= Duration::from_secs(options.max_age_seconds);
    let backoff = Backoff {
        min: Duration::from_millis(options.min_ms),
        max: Duration::from_millis(options.max_ms),
    };
    let again = match failure {
        Failure::Permanent(code) => return Next::GiveUp { code },
        Failure::RateLimited { until } | Failure::ProviderClosed { until } if !too_old => {
            // Not all at once when the wait is over, and never without any wait: it uses up no attempt.
            let min = Duration::from_millis(options.min_ms);
            let after = until.saturating_since(now).max(min / 2) + min.mul_f64(rng.f64() / 2.0);
            return Next::Again { after, attempt };
        }
        Failure::RateLimited { .. } | Failure::ProviderClosed { .. } => {
            return Next::GiveUp {
                code: code::TOO_OLD,
            };
        }
        Failure::Retryable { after } => backoff.sample(attempt, rng).max(after.unwrap_or_default()),
        Failure::ProviderDown => backoff.sample(attempt, rng),
    };
    if attempt >= options.attempts {
        return Next::GiveUp {
            code: failure.code(),
        };
    }
    if too_old {
        return Next::GiveUp {
            code: code::TOO_OLD,
        };
    }
    Next::Again {
        after: again,
        attempt: attempt.saturating_add(1),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn attempt(n: u32) -> NonZeroU32 {
        NonZeroU32::new(n).unwrap()
    }

    #[test]
    fn bounds_double_and_stop_at_the_maximum() {
        let backoff = Backoff::try_new(Duration::from_secs(1), Duration::from_secs(10)).unwrap();
        let bounds: Vec<_> = (1..=6)
            .map(|n| backoff.bound(attempt(n)).as_secs())
            .collect();
        assert_eq!(bounds, [1, 2, 4, 8, 10, 10]);
    }

    proptest! {
        #[test]
        fn a_wait_stays_within_its_bound(
            min_ms in 1_u64..10_000, extra_ms in 0_u64..1_000_000, n in 1_u32..1_000, seed: u64,
        ) {
            let max = Duration::from_millis(min_ms + extra_ms);
            let backoff = Backoff::try_new(Duration::from_millis(min_ms), max).unwrap();
            let wait = backoff.sample(attempt(n), &mut fastrand::Rng::with_seed(seed));
            prop_assert!(wait <= backoff.bound(attempt(n)));
            prop_assert!(backoff.bound(attempt(n)) <= max);
        }

        #[test]
        fn an_asked_wait_is_a_lower_limit(after_ms in 0_u64..1_000_000, n in 1_u32..5, seed: u64) {
            let failure = Failure::Retryable { after: Some(Duration::from_millis(after_ms)) };
            let now = Timestamp::from_micros(1_000_000);
            let next = next(&failure, attempt(n), now, now, &RetryOptions::default(), &mut fastrand::Rng::with_seed(seed));
            let Next::Again { after, attempt: following } = next else { panic!("{next:?}") };
            prop_assert!(after >= Duration::from_millis(after_ms));
            prop_assert_eq!(following.get(), n + 1);
        }
    }

    #[test]
    fn a_rate_limit_uses_up_no_attempt_but_is_bounded_by_age() {
        let options = RetryOptions::default();
        let rng = &mut fastrand::Rng::with_seed(1);
        let start = Timestamp::from_micros(0);
        let failure = Failure::RateLimited {
            until: Timestamp::from_micros(30_000_000),
        };
        let young = next(&failure, attempt(5), start, start, &options, rng);
        let Next::Again {
            after,
            attempt: same,
        } = young
        else {
            panic!("{young:?}")
        };
        assert_eq!(same, attempt(5));
        assert!((Duration::from_secs(30)..Duration::from_secs(31)).contains(&after));
        let past = Timestamp::from_micros(-1);
        let next_one = next(
            &Failure::RateLimited { until: past },
            attempt(1),
            start,
            start,
            &options,
            rng,
        );
        assert!(matches!(next_one, Next::Again { after, .. } if !after.is_zero()));
        let later = Timestamp::from_micros(90_000 * 1_000_000);
        assert_eq!(
            next(&failure, attempt(1), start, later, &options, rng),
            Next::GiveUp {
                code: code::TOO_OLD
            }
        );
    }

    #[test]
    fn a_permanent_failure_is_never_tried_again() {
        let now = Timestamp::from_micros(0);
        let next = next(
            &Failure::Permanent(code::BUILD_FAILED),
            attempt(1),
            now,
            now,
            &RetryOptions::default(),
            &mut fastrand::Rng::with_seed(1),
        );
        assert_eq!(
            next,
            Next::GiveUp {
                code: code::BUILD_FAILED
            }
        );
    }
}
