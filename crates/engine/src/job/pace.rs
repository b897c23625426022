//! How long builds take, and whether one that is obsolete is worth its end.
//!
//! A newer revision makes a running build obsolete, and cancelling it saves its cost. But a context whose updates come faster
//! than its builds would then never show anything. So an update cancels a build only where all of this holds:
//!
//! - it is not close to its end, by how long builds of this context took before (else of its provider, in this process);
//! - fewer than so many were cancelled one after another;
//! - the last cancel is a while ago;
//! - the context has not been stale for longer than its bound: then whatever is being built is shown, and the preview is never
//!   older than the bound and one build.
//!
//! An end cancels always. What was cancelled, and since when the context is stale, is in its record: a bound that each worker
//! counted for itself would be no bound.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use foreshow_contract::ProviderName;
use tokio::time::Instant;

use crate::{CancelOptions, ContextRecord, mutants::mutant};

/// How long builds took at each provider, as this process saw it.
#[derive(Default)]
pub(crate) struct Pace(Mutex<BTreeMap<ProviderName, Taken>>);

/// Means that follow the last few.
#[derive(Clone, Copy)]
struct Taken {
    /// The build alone.
    build: Duration,
    /// From the create to the first answer at its URL.
    whole: Duration,
}

impl Pace {
    /// A build took this long, and everything from its create this long.
    pub(crate) fn built(&self, provider: &ProviderName, build: Duration, whole: Duration) {
        let mut paces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mean = paces
            .entry(provider.clone())
            .or_insert(Taken { build, whole });
        mean.build = (mean.build * 3 + build) / 4;
        mean.whole = (mean.whole * 3 + whole) / 4;
    }

    /// How long a build takes.
    pub(crate) fn of(&self, provider: &ProviderName) -> Option<Duration> {
        self.taken(provider).map(|taken| taken.build)
    }

    /// How long it takes from a create to the first answer.
    pub(crate) fn ready_after(&self, provider: &ProviderName) -> Option<Duration> {
        self.taken(provider).map(|taken| taken.whole)
    }

    fn taken(&self, provider: &ProviderName) -> Option<Taken> {
        let paces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        paces.get(provider).copied()
    }
}

/// What is known, at the grant, of how patient to be with a build that may become obsolete.
#[derive(Clone, Debug)]
pub(super) struct Patience {
    options: CancelOptions,
    granted_at: Instant,
    /// At the grant: how long the context had been stale, how many builds had been cancelled, and how long ago the last.
    stale_for: Duration,
    in_a_row: u32,
    last_cancel_ago: Option<Duration>,
    build_takes: Option<Duration>,
}

/// Whether an obsolete build goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Obsolete {
    /// Stop it.
    Cancel,
    /// Let it come to its end.
    GoOn(&'static str),
    /// Ask again after this long.
    NotYet(Duration),
}

impl Patience {
    /// What the record tells, as the claim that was asked for at `granted_at` left it.
    pub(super) fn new(options: CancelOptions, record: &ContextRecord, granted_at: Instant) -> Self {
        // All by the store's clock; from here on by this process's own.
        let now = record.lease.as_ref().map(|lease| lease.since);
        let since = |at| now.map_or(Duration::ZERO, |now| now.saturating_since(at));
        Self {
            options,
            granted_at,
            stale_for: record.stale_since.map_or(Duration::ZERO, since),
            in_a_row: record.cancels.map_or(0, |cancels| cancels.in_a_row),
            last_cancel_ago: record.cancels.map(|cancels| since(cancels.last_at)),
            build_takes: record.build_ms.map(Duration::from_millis),
        }
    }

    /// What becomes of the build of an update, now that a newer one was accepted. `building` is where, and since when.
    pub(super) fn with_newer(
        &self,
        building: Option<(&ProviderName, Instant)>,
        pace: &Pace,
    ) -> Obsolete {
        if mutant!(CancelUnbounded) {
            return Obsolete::Cancel;
        }
        let options = &self.options;
        let held_for = self.granted_at.elapsed();
        if self.in_a_row >= options.in_a_row {
            return Obsolete::GoOn("enough builds were cancelled one after another");
        }
        if self.stale_for + held_for > Duration::from_millis(options.stale_ms) {
            return Obsolete::GoOn("the context has been stale for long enough");
        }
        if let Some((provider, since)) = building
            && let Some(takes) = self.build_takes.or_else(|| pace.of(provider))
            && since.elapsed() * 100 >= takes * options.close_percent
        {
            return Obsolete::GoOn("the build is close to its end");
        }
        if let Some(ago) = self.last_cancel_ago {
            let left = Duration::from_millis(options.apart_ms).saturating_sub(ago + held_for);
            if !left.is_zero() {
                return Obsolete::NotYet(left);
            }
        }
        Obsolete::Cancel
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn patience() -> Patience {
        Patience {
            options: CancelOptions::default(),
            granted_at: Instant::now(),
            stale_for: Duration::ZERO,
            in_a_row: 0,
            last_cancel_ago: None,
            build_takes: Some(secs(8)),
        }
    }

    async fn after(patience: &Patience, building_for: Duration) -> Obsolete {
        let provider = ProviderName::from("fake");
        let since = Instant::now();
        tokio::time::advance(building_for).await;
        patience.with_newer(Some((&provider, since)), &Pace::default())
    }

    #[tokio::test(start_paused = true)]
    async fn a_young_build_is_cancelled_and_one_that_is_close_to_its_end_is_not() {
        assert_eq!(after(&patience(), secs(5)).await, Obsolete::Cancel);
        assert!(matches!(
            after(&patience(), secs(6)).await,
            Obsolete::GoOn(_)
        ));
    }

    #[tokio::test(start_paused = true)]
    async fn the_fourth_in_a_row_goes_on() {
        let tired = Patience {
            in_a_row: 3,
            ..patience()
        };
        assert!(matches!(after(&tired, secs(1)).await, Obsolete::GoOn(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_context_that_was_stale_for_its_bound_shows_what_it_has() {
        let stale = Patience {
            stale_for: secs(9),
            ..patience()
        };
        assert_eq!(after(&stale, secs(1)).await, Obsolete::Cancel);
        assert!(matches!(after(&stale, secs(1)).await, Obsolete::GoOn(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn two_cancels_are_a_second_apart() {
        let just_now = Patience {
            last_cancel_ago: Some(Duration::from_millis(300)),
            in_a_row: 1,
            ..patience()
        };
        let half = Duration::from_millis(500);
        let left = Duration::from_millis(200);
        assert_eq!(after(&just_now, half).await, Obsolete::NotYet(left));
        assert_eq!(after(&just_now, half).await, Obsolete::Cancel);
    }

    #[tokio::test(start_paused = true)]
    async fn a_context_without_builds_of_its_own_goes_by_its_provider() {
        let new = Patience {
            build_takes: None,
            ..patience()
        };
        let provider = ProviderName::from("fake");
        let pace = Pace::default();
        let since = Instant::now();
        tokio::time::advance(secs(2)).await;
        assert_eq!(
            new.with_newer(Some((&provider, since)), &pace),
            Obsolete::Cancel
        );
        pace.built(&provider, secs(2), secs(3));
        assert!(matches!(
            new.with_newer(Some((&provider, since)), &pace),
            Obsolete::GoOn(_)
        ));
    }
}
