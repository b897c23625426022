//! The checker: from what was published, heard, done at the provider and recorded, to a verdict.
//!
//! It is pure, and knows nothing of faults beyond the [`Bounds`] that a fault's author states. Its counts are those of Jepsen's
//! queue checker, so that they can be compared: an event that was confirmed and heard of is *ok*, one that was confirmed and not
//! heard of is *lost*, one whose publishing failed and which was heard of all the same is *recovered*; a repeat of a result with
//! the same id and outcome is *duplicated* (at-least-once delivery allows that); and what was heard and cannot be explained is
//! *unexpected*.
//!
//! | invariant | it holds when | room |
//! | --- | --- | --- |
//! | I1 | each confirmed event has an end, and all its results agree | `ends` |
//! | I2 | what is live in the end is what the greatest accepted event asks for, and the alias shows it | `live` |
//! | I3 | once a revision was announced, no alias is moved to an older one | `live` |
//! | I4 | after one sweep a revision has one deployment | `deployments` |
//! | I5 | after two sweeps every deployment is the live one of its context's record | `deployments` |
//! | I6 | at each look, no more count against a tenant's limit than it allows | `limits` |
//! | I7 | no create comes in for an event that ended long before | `limits` |
//! | I8 | creates of a context in a storm stay within its bound | `limits` |
//! | I9 | a context under load shows a fresh preview often enough | `limits` |

mod deployments;
mod ends;
mod limits;
mod live;
mod run;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

pub(crate) use run::{
    AliasMove, Bounds, Create, End, Event, Final, Heard, Kind, Published, Run, Sample, Standing,
};

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) invariant: &'static str,
    /// What happened, with ids.
    pub(crate) what: String,
}

impl Violation {
    pub(crate) fn new(invariant: &'static str, what: impl Into<String>) -> Self {
        let what = what.into();
        Self { invariant, what }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.what)
    }
}

/// Counts in the terms of Jepsen's queue checker, and a few of our own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Events that were published.
    pub(crate) attempts: usize,
    /// Of which the broker confirmed a copy.
    pub(crate) acknowledged: usize,
    /// Confirmed, and heard of.
    pub(crate) ok: usize,
    /// Confirmed, and not heard of.
    pub(crate) lost: usize,
    /// Not confirmed, and heard of.
    pub(crate) recovered: usize,
    /// Results that repeat one with the same id and outcome.
    pub(crate) duplicated: usize,
    /// Results of what nobody published, and results that contradict others.
    pub(crate) unexpected: usize,
    /// Events that ended in two ways after the store lost its memory, as documented.
    pub(crate) forgotten: usize,
    /// Updates that failed.
    pub(crate) failed: usize,
    /// Deployments beyond one for each revision.
    pub(crate) extra_creates: u64,
    /// Deployments that no record knew after one sweep, and after two.
    pub(crate) orphans: (usize, usize),
}

/// What came of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) counts: Counts,
    pub(crate) violations: Vec<Violation>,
}

/// Repeats that came after their run was judged, and contradict what was told before; `forgot` says of which contexts that may be.
pub(crate) fn check_late(heard: &[Heard], forgot: impl Fn(&str) -> bool) -> Vec<Violation> {
    let mut told: BTreeMap<&Event, BTreeSet<&str>> = BTreeMap::new();
    for one in heard.iter().filter(|one| !forgot(&one.event.context)) {
        told.entry(&one.event).or_default().insert(&one.id);
    }
    told.retain(|_, ids| ids.len() > 1);
    told.into_iter()
        .map(|(event, ids)| {
            Violation::new("I1", format!("{event} was told as {ids:?}, in the end"))
        })
        .collect()
}

/// Judges a run.
pub(crate) fn check(run: &Run) -> Verdict {
    let mut verdict = Verdict::default();
    ends::check(run, &mut verdict);
    live::check(run, &mut verdict);
    deployments::check(run, &mut verdict);
    limits::check(run, &mut verdict);
    verdict
}
