//! Rules that make the API misbehave, switched on and off while it runs.
//!
//! A rule names an operation (or none: all), lets the first `skip` calls through, and then holds for `times` calls or until it
//! is switched off. Of the rules that fit a call the one that was switched on first is applied, and only that one. A rate limit
//! with a window counts instead: it lets calls through up to its limit, and only those above it are refused.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{Fault, FaultKind};

/// Names a rule that was switched on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FaultId(pub u64);

/// A rule that is switched on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StandingFault {
    /// Names it.
    pub id: FaultId,
    /// How many calls it was applied to.
    pub applied: u64,
    /// How many calls it let through.
    pub let_through: u64,
    /// The rule as it was given.
    #[serde(flatten)]
    pub fault: Fault,
    /// When the calls of the window were let through.
    #[serde(skip)]
    window: VecDeque<u64>,
}

/// A fault to apply now.
#[derive(Clone, Debug)]
pub(crate) struct Applied {
    pub(crate) what: FaultKind,
    /// For a rate limit: when there is room again.
    pub(crate) room_after: Duration,
}

/// All rules.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Rules>);

#[derive(Debug, Default)]
struct Rules {
    last: u64,
    standing: Vec<StandingFault>,
}

impl Faults {
    fn rules(&self) -> MutexGuard<'_, Rules> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, fault: Fault) -> FaultId {
        let mut rules = self.rules();
        rules.last += 1;
        let id = FaultId(rules.last);
        rules.standing.push(StandingFault {
            id,
            applied: 0,
            let_through: 0,
            fault,
            window: VecDeque::new(),
        });
        id
    }

    pub(crate) fn standing(&self) -> Vec<StandingFault> {
        self.rules().standing.clone()
    }

    pub(crate) fn remove(&self, id: FaultId) -> bool {
        let mut rules = self.rules();
        let before = rules.standing.len();
        rules.standing.retain(|one| one.id != id);
        rules.standing.len() < before
    }

    pub(crate) fn clear(&self) {
        self.rules().standing.clear();
    }

    /// What happens to a call of this operation now.
    pub(crate) fn apply(&self, operation: &str, now_ms: u64) -> Option<Applied> {
        let mut rules = self.rules();
        rules
            .standing
            .iter_mut()
            .filter(|one| {
                let of = one.fault.operation.as_deref();
                of.is_none_or(|of| of == operation)
            })
            .find_map(|one| one.apply(now_ms))
    }
}

impl StandingFault {
    fn apply(&mut self, now_ms: u64) -> Option<Applied> {
        if self.fault.times.is_some_and(|times| self.applied >= times) {
            return None;
        }
        if self.let_through < self.fault.skip {
            self.let_through += 1;
            return None;
        }
        let mut room_after = Duration::ZERO;
        if let FaultKind::RateLimit(limit) = &self.fault.what {
            while self
                .window
                .front()
                .is_some_and(|at| at.saturating_add(limit.window_ms) <= now_ms)
            {
                self.window.pop_front();
            }
            if (self.window.len() as u64) < limit.limit {
                self.window.push_back(now_ms);
                self.let_through += 1;
                return None;
            }
            let since = self.window.front().copied().unwrap_or(now_ms);
            room_after =
                Duration::from_millis(since.saturating_add(limit.window_ms).saturating_sub(now_ms));
        }
        self.applied += 1;
        Some(Applied {
            what: self.fault.what.clone(),
            room_after,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{RateHint, RateLimit};

    fn names(faults: &Faults, calls: usize) -> Vec<Option<&'static str>> {
        let apply = |_| faults.apply("any", 0).map(|one| one.what.name());
        (0..calls).map(apply).collect()
    }

    #[test]
    fn a_rule_skips_holds_and_is_used_up() {
        let faults = Faults::default();
        faults.add(Fault::new(FaultKind::Hang).after(1).times(2));
        assert_eq!(names(&faults, 4), [None, Some("hang"), Some("hang"), None]);
    }

    #[test]
    fn of_two_rules_the_first_is_applied_until_it_is_used_up() {
        let faults = Faults::default();
        faults.add(Fault::new(FaultKind::ResetBefore).times(1));
        faults.add(Fault::status(500));
        assert_eq!(names(&faults, 2), [Some("reset_before"), Some("status")]);
    }

    #[test]
    fn a_window_lets_through_what_it_has_room_for_and_tells_when_it_has_room_again() {
        let faults = Faults::default();
        faults.add(Fault::new(FaultKind::RateLimit(RateLimit {
            hint: RateHint::Vendor,
            limit: 2,
            window_ms: 100,
        })));
        assert!(faults.apply("any", 0).is_none());
        assert!(faults.apply("any", 40).is_none());
        let refused = faults
            .apply("any", 60)
            .expect("two were let through in the last 100 ms");
        assert_eq!(refused.room_after, Duration::from_millis(40));
        assert!(
            faults.apply("any", 100).is_none(),
            "the first has left the window"
        );
        assert!(faults.apply("any", 101).is_some());
    }
}
