//! Gates: whether a provider's account may be called now, as the whole fleet sees it.
//!
//! A rate limit holds for an account, not for the worker that ran into it, and so does a provider's bad day. Each account has two
//! gates ([`Lane`]), for creates are limited apart from reads at most providers: a status that can be asked does not mean that a
//! create is let in. Transitions are pure functions; adapters of the store apply each in one atomic step.
//!
//! - **Closed** after a rate limit, until then; or after several failures in a row, for a time that doubles. No hint of a provider is
//!   believed beyond a bound: some say "in a day" whatever the limit.
//! - **On trial** when that time is over: one caller is let through, the others wait for what it tells, for a bounded time, since
//!   it may die.
//! - **Open** when an answer came back. Only the one on trial opens a closed gate: an answer to a call that began before it closed
//!   says nothing.
//!
//! A wiped store opens all gates, which costs one refused call each.

use std::{collections::BTreeMap, fmt, num::NonZeroU32, sync::Arc, time::Duration};

use foreshow_contract::Timestamp;
use serde::{Deserialize, Serialize};

/// How long a caller waits, at most, before asking again while another is on trial.
pub const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// A provider's account, the same in every worker that uses it: the provider's name, and what tells its accounts apart. Free of
/// secrets, for it is a key in the store and stands in logs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountId(Arc<str>);

impl AccountId {
    /// Wraps a name.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is limited together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lane {
    /// Creating deployments, with the uploads that belong to it.
    Create,
    /// Everything else.
    Other,
}

impl Lane {
    /// The word in keys and logs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Other => "other",
        }
    }

    /// What has this word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Create, Self::Other]
            .into_iter()
            .find(|lane| lane.word() == word)
    }
}

/// A gate: an account and a lane.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GateId {
    /// Whose calls.
    pub account: AccountId,
    /// Which of them.
    pub lane: Lane,
}

impl fmt::Display for GateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.account, self.lane.word())
    }
}

/// Why a gate is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Closed {
    /// The provider asked to wait, or the installation's own limit is used up.
    Limited,
    /// It failed several times in a row.
    Down,
}

impl Closed {
    /// The word in the store and in logs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Limited => "limited",
            Self::Down => "down",
        }
    }

    /// What has this word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Limited, Self::Down]
            .into_iter()
            .find(|why| why.word() == word)
    }
}

/// How a gate stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// Since it was closed last, and has not been opened: until when, and why.
    pub closed: Option<(Timestamp, Closed)>,
    /// Failures one after another, while it is open.
    pub failures: u32,
    /// How often it was closed for failures without being opened in between.
    pub closings: u32,
    /// Somebody tries, and is waited for until then.
    pub trial_until: Option<Timestamp>,
    /// Entries that count against the account's limit: who, and when. Only gates that are entered under a limit have any.
    pub entries: BTreeMap<String, Timestamp>,
}

/// A caller asks to be let through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GateEntry {
    /// Names the entry, the same when it is asked again: it counts once.
    pub name: String,
    /// How long it is waited for where it is on trial.
    pub trial: Duration,
    /// So many entries per rolling time, where that is limited.
    pub limit: Option<RateLimit>,
}

/// So many per rolling time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// How many.
    pub count: NonZeroU32,
    /// In how long, in seconds.
    pub per_seconds: NonZeroU32,
}

/// The answer to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateAnswer {
    /// Go on.
    Open,
    /// Go on, alone; what comes of it decides whether the gate opens.
    Trial,
    /// Not now.
    Closed {
        /// Ask again then.
        until: Timestamp,
        /// Why.
        why: Closed,
    },
}

/// What came of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateReport {
    /// It answered; whether well does not matter. `trial`: it was let through alone.
    Answered {
        /// Whether it was let through alone.
        trial: bool,
    },
    /// It asked to wait, for so long from now.
    Limited {
        /// How long, as bounded already.
        wait: Duration,
    },
    /// It failed for reasons of its own.
    Down {
        /// Whether it was let through alone.
        trial: bool,
        /// Failures in a row that close the gate.
        threshold: NonZeroU32,
        /// For how long at first.
        wait: Duration,
        /// For how long at most.
        wait_max: Duration,
    },
}

impl Gate {
    /// Lets a caller in, or not.
    pub fn enter(&mut self, entry: &GateEntry, now: Timestamp) -> GateAnswer {
        if let Some((until, why)) = self.closed {
            if until > now {
                return GateAnswer::Closed { until, why };
            }
            if let Some(until) = self.trial_until.filter(|until| *until > now) {
                // It is usually known much earlier what came of it.
                let until = until.min(now.saturating_add(LOOK_AGAIN));
                return GateAnswer::Closed { until, why };
            }
        }
        if let Some(limit) = entry.limit {
            let per = Duration::from_secs(limit.per_seconds.get().into());
            self.entries.retain(|_, at| at.saturating_add(per) > now);
            let is_full =
                self.entries.len() >= usize::try_from(limit.count.get()).unwrap_or(usize::MAX);
            let is_new = !self.entries.contains_key(&entry.name);
            if is_new && is_full {
                let oldest = self.entries.values().min().copied().unwrap_or(now);
                return GateAnswer::Closed {
                    until: oldest.saturating_add(per),
                    why: Closed::Limited,
                };
            }
            if is_new {
                self.entries.insert(entry.name.clone(), now);
            }
        }
        if self.closed.is_none() {
            return GateAnswer::Open;
        }
        self.trial_until = Some(now.saturating_add(entry.trial));
        GateAnswer::Trial
    }

    /// Notes what came of a call.
    pub fn report(&mut self, report: &GateReport, now: Timestamp) {
        match *report {
            GateReport::Answered { trial } => {
                if trial || self.closed.is_none() {
                    self.closed = None;
                    self.failures = 0;
                    self.closings = 0;
                    self.trial_until = None;
                }
            }
            GateReport::Limited { wait } => self.close(now.saturating_add(wait), Closed::Limited),
            GateReport::Down {
                trial,
                threshold,
                wait,
                wait_max,
            } => {
                self.failures = self.failures.saturating_add(1);
                let is_enough = self.closed.is_none() && self.failures >= threshold.get();
                if trial || is_enough {
                    let doubled = wait
                        .saturating_mul(1 << self.closings.min(16))
                        .min(wait_max);
                    self.closings = self.closings.saturating_add(1);
                    self.close(now.saturating_add(doubled), Closed::Down);
                }
            }
        }
    }

    /// Whether a call would be let through, perhaps on trial; without asking for it.
    pub fn is_open(&self, now: Timestamp) -> bool {
        let is_tried = self.trial_until.is_some_and(|until| until > now);
        self.closed
            .is_none_or(|(until, _)| until <= now && !is_tried)
    }

    fn close(&mut self, until: Timestamp, why: Closed) {
        self.failures = 0;
        self.trial_until = None;
        // A limit that is told late does not shorten one that was told before.
        let until = self
            .closed
            .filter(|(_, was)| *was == why)
            .map_or(until, |(was, _)| was.max(until));
        self.closed = Some((until, why));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_micros(second * 1_000_000)
    }

    fn entry(name: &str) -> GateEntry {
        GateEntry {
            name: name.to_owned(),
            trial: secs(10),
            limit: None,
        }
    }

    fn down(trial: bool) -> GateReport {
        GateReport::Down {
            trial,
            threshold: NonZeroU32::new(3).unwrap(),
            wait: secs(5),
            wait_max: secs(15),
        }
    }

    #[test]
    fn a_limit_closes_the_gate_and_then_one_is_let_through_alone() {
        let mut gate = Gate::default();
        gate.report(&GateReport::Limited { wait: secs(30) }, at(0));
        let closed = GateAnswer::Closed {
            until: at(30),
            why: Closed::Limited,
        };
        assert_eq!(gate.enter(&entry("a"), at(29)), closed);
        assert!(gate.is_open(at(30)));
        assert_eq!(gate.enter(&entry("a"), at(30)), GateAnswer::Trial);
        assert!(!gate.is_open(at(30)));
        let waits = GateAnswer::Closed {
            until: at(33),
            why: Closed::Limited,
        };
        assert_eq!(gate.enter(&entry("b"), at(31)), waits);
        gate.report(&GateReport::Answered { trial: true }, at(32));
        assert_eq!(gate.enter(&entry("b"), at(32)), GateAnswer::Open);
    }

    #[test]
    fn whoever_tries_and_dies_is_followed_by_another() {
        let mut gate = Gate::default();
        gate.report(&GateReport::Limited { wait: secs(1) }, at(0));
        assert_eq!(gate.enter(&entry("a"), at(1)), GateAnswer::Trial);
        assert_eq!(gate.enter(&entry("b"), at(11)), GateAnswer::Trial);
    }

    #[test]
    fn an_answer_to_an_older_call_does_not_open_it() {
        let mut gate = Gate::default();
        gate.report(&GateReport::Limited { wait: secs(30) }, at(0));
        gate.report(&GateReport::Answered { trial: false }, at(1));
        assert!(!gate.is_open(at(1)));
    }

    #[test]
    fn failures_in_a_row_close_it_for_a_time_that_doubles_up_to_a_bound() {
        let mut gate = Gate::default();
        gate.report(&down(false), at(0));
        gate.report(&GateReport::Answered { trial: false }, at(0));
        for _ in 0..2 {
            gate.report(&down(false), at(0));
            assert!(gate.is_open(at(0)));
        }
        gate.report(&down(false), at(0));
        let mut closed_until = vec![gate.closed.unwrap().0];
        for _ in 0..3 {
            let now = gate.closed.unwrap().0;
            assert_eq!(gate.enter(&entry("a"), now), GateAnswer::Trial);
            gate.report(&down(true), now);
            closed_until.push(gate.closed.unwrap().0);
        }
        assert_eq!(closed_until, [at(5), at(15), at(30), at(45)]);
    }

    #[test]
    fn entries_under_a_limit_are_counted_once_each_and_forgotten_in_time() {
        let limit = RateLimit {
            count: NonZeroU32::new(2).unwrap(),
            per_seconds: NonZeroU32::new(60).unwrap(),
        };
        let limited = |name: &str| GateEntry {
            limit: Some(limit),
            ..entry(name)
        };
        let mut gate = Gate::default();
        assert_eq!(gate.enter(&limited("a"), at(0)), GateAnswer::Open);
        assert_eq!(gate.enter(&limited("a"), at(1)), GateAnswer::Open);
        assert_eq!(gate.enter(&limited("b"), at(10)), GateAnswer::Open);
        let closed = GateAnswer::Closed {
            until: at(60),
            why: Closed::Limited,
        };
        assert_eq!(gate.enter(&limited("c"), at(20)), closed);
        assert_eq!(gate.enter(&limited("c"), at(60)), GateAnswer::Open);
    }
}
