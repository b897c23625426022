//! What is to become of a deployment that its context's record may not name, and why.
//!
//! [`ContextRecord::appraise`] only looks; [`ContextRecord::judge`] writes down what follows. So a dry run, which applies the former
//! to what it read, and a sweep, whose store applies the latter in one step, decide by the same rules.

use std::fmt;

use foreshow_contract::{Ordinal, OrdinalKind, OutcomeKind, Revision, Timestamp};

use super::{ContextRecord, SettledOutcome, Suspect, Verdict};
use crate::{Deployment, mutants::mutant};

/// What becomes of a suspect, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// The record names it.
    Known(KnownAs),
    /// It stays for now.
    Stays(StaysAs),
    /// Nobody can want it any more.
    Goes(GoesBecause),
}

/// As what the record names a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownAs {
    /// It is live.
    Live,
    /// The lease's holder works on it.
    Building,
}

/// Why a deployment that the record does not name stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StaysAs {
    /// It serves an announced revision that was kept beside a newer one on purpose.
    Kept,
    /// Its event may still come, and has until then.
    Awaited {
        /// How long it may stay.
        until: Timestamp,
        /// Whether it was found for the first time: its time begins now.
        is_new: bool,
    },
}

/// Why nobody can want a deployment any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GoesBecause {
    /// It is condemned already, and whoever did that did not get to delete it.
    Condemned,
    /// An accepted end covers it, up to this revision.
    Ended(Revision),
    /// Something newer is live.
    Older(Revision),
    /// Another deployment of its revision is live.
    Second,
    /// Something newer was accepted, and nobody works on its own update.
    Passed(Ordinal),
    /// Its update has ended, and it is not what that left.
    Over(OutcomeKind),
    /// Its event did not come until then.
    Overdue(Timestamp),
}

impl Judgement {
    /// Whether judging writes anything, or a deletion follows.
    pub fn changes(&self) -> bool {
        match self {
            Self::Known(_) | Self::Stays(StaysAs::Kept) => false,
            Self::Stays(StaysAs::Awaited { is_new, .. }) => *is_new,
            Self::Goes(_) => true,
        }
    }

    /// What follows.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Known(_) => Verdict::Known,
            Self::Stays(_) => Verdict::Adopted,
            Self::Goes(_) => Verdict::Condemned,
        }
    }
}

/// For people: what goes before "stays" or "is deleted".
impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(KnownAs::Live) => f.write_str("it is what is live"),
            Self::Known(KnownAs::Building) => f.write_str("a worker is building it"),
            Self::Stays(StaysAs::Kept) => {
                f.write_str("it was announced, and kept beside a newer revision")
            }
            Self::Stays(StaysAs::Awaited { until, .. }) => {
                write!(f, "its event may still come, until {until}")
            }
            Self::Goes(why) => why.fmt(f),
        }
    }
}

impl fmt::Display for GoesBecause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Condemned => f.write_str("it is condemned already"),
            Self::Ended(floor) => write!(f, "an end covers everything up to revision {floor}"),
            Self::Older(live) => write!(f, "revision {live} is live, which is newer"),
            Self::Second => f.write_str("another deployment of its revision is live"),
            Self::Passed(by) => write!(f, "{by} was accepted, which is newer"),
            Self::Over(outcome) => {
                let outcome = outcome.word();
                write!(
                    f,
                    "its update has ended ({outcome}), and this is not what it left"
                )
            }
            Self::Overdue(since) => write!(f, "its event did not come until {since}"),
        }
    }
}

impl ContextRecord {
    /// What is to become of a deployment that the record may not name. `prior` is how the update of its revision ended;
    /// `is_kept` whether it serves an announced revision that was kept beside a newer one on purpose.
    pub fn appraise(
        &self,
        suspect: &Suspect,
        prior: Option<&SettledOutcome>,
        is_kept: bool,
        now: Timestamp,
    ) -> Judgement {
        let Deployment { id, revision, .. } = &suspect.deployment;
        if let Some(known) = self.names(suspect, now) {
            return Judgement::Known(known);
        }
        if self.condemned.contains(id) {
            return Judgement::Goes(GoesBecause::Condemned);
        }
        if is_kept && !self.is_ended(*revision) {
            return Judgement::Stays(StaysAs::Kept);
        }
        let known_until = self.adopted.get(id).copied();
        let why = self
            .unwanted(suspect, prior, now)
            .or_else(|| {
                known_until
                    .filter(|until| *until <= now)
                    .map(GoesBecause::Overdue)
            })
            .filter(|_| !mutant!(SweepAdoptsAll));
        why.map_or_else(
            || {
                Judgement::Stays(StaysAs::Awaited {
                    until: known_until.unwrap_or(suspect.stays_until),
                    is_new: known_until.is_none(),
                })
            },
            Judgement::Goes,
        )
    }

    /// [Decides](Self::appraise), and writes down what follows: a deployment that goes is condemned, one whose event may still
    /// come has its time begun.
    pub fn judge(
        &mut self,
        suspect: &Suspect,
        prior: Option<&SettledOutcome>,
        is_kept: bool,
        now: Timestamp,
    ) -> Verdict {
        let judgement = self.appraise(suspect, prior, is_kept, now);
        let id = &suspect.deployment.id;
        match &judgement {
            Judgement::Goes(GoesBecause::Condemned)
            | Judgement::Known(_)
            | Judgement::Stays(StaysAs::Kept) => {}
            Judgement::Goes(_) => {
                self.adopted.remove(id);
                if !mutant!(CondemnUnwritten) {
                    self.condemned.push(id.clone());
                }
            }
            Judgement::Stays(StaysAs::Awaited { until, .. }) => {
                self.adopted.insert(id.clone(), *until);
            }
        }
        judgement.verdict()
    }

    fn names(&self, suspect: &Suspect, now: Timestamp) -> Option<KnownAs> {
        let id = &suspect.deployment.id;
        if self
            .live
            .as_ref()
            .is_some_and(|live| live.deployment == *id)
        {
            return Some(KnownAs::Live);
        }
        let is_building = self.is_held(now)
            && self
                .building
                .as_ref()
                .is_some_and(|building| building.deployment == *id);
        is_building.then_some(KnownAs::Building)
    }

    fn unwanted(
        &self,
        suspect: &Suspect,
        prior: Option<&SettledOutcome>,
        now: Timestamp,
    ) -> Option<GoesBecause> {
        let revision = suspect.deployment.revision;
        if let Some(floor) = self.floor.filter(|floor| revision <= *floor) {
            return Some(GoesBecause::Ended(floor));
        }
        if let Some(live) = &self.live {
            if revision < live.revision {
                return Some(GoesBecause::Older(live.revision));
            }
            if revision == live.revision && suspect.live_is_there {
                return Some(GoesBecause::Second);
            }
        }
        // Superseded is not remembered, and needs no memory: whoever asks for what was passed is told so from now on.
        let update = Ordinal::update(revision);
        let is_worked_on = self.is_held(now)
            && self
                .lease
                .as_ref()
                .is_some_and(|lease| lease.ordinal == update);
        if update < self.desired && !is_worked_on {
            return Some(GoesBecause::Passed(self.desired));
        }
        prior
            .filter(|prior| prior.ordinal.kind == OrdinalKind::Update)
            .map(|prior| GoesBecause::Over(prior.outcome.kind()))
    }
}
