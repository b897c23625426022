//! What happened in many worlds, counted, so that one sees that the faults really came.

use std::fmt;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Count {
    /// Events published, copies included.
    Events,
    /// Results published.
    Results,
    /// Calls over the simulated network.
    Calls,
    /// Workers killed.
    Crashes,
    /// Workers stopped for a while.
    Pauses,
    /// Workers asked to stop.
    Restarts,
    /// Stores that lost their memory.
    Wipes,
    /// Clocks that stepped.
    ClockSteps,
    /// Connections that broke.
    Disconnects,
    /// Requests that never arrived.
    RequestsLost,
    /// Answers that never arrived.
    AnswersLost,
    /// Requests that landed after their caller had given up.
    LateLandings,
    /// Requests that landed after their caller was gone.
    OrphanLandings,
    /// Leases granted.
    Grants,
    /// Leases granted after another had run out.
    TakeOvers,
    /// Leases lost, as the store told.
    LeasesLost,
    /// Deployments created.
    Creates,
    /// Builds cancelled for something newer.
    Cancels,
    /// Deployments condemned.
    Condemned,
    /// Deployments that vanished by themselves.
    Vanished,
    /// Errors that a provider gave.
    ProviderErrors,
    /// Attempts that were delayed.
    Delays,
    /// Deliveries moved to the backlog.
    Moves,
    /// Dead letters.
    DeadLetters,
    /// Results that were excused by a documented limit.
    Excused,
}

impl Count {
    const WORDS: [&str; 25] = [
        "events",
        "results",
        "calls",
        "crashes",
        "pauses",
        "restarts",
        "wipes",
        "clock steps",
        "disconnects",
        "requests lost",
        "answers lost",
        "late landings",
        "orphan landings",
        "grants",
        "take-overs",
        "leases lost",
        "creates",
        "cancels",
        "condemned",
        "vanished",
        "provider errors",
        "delays",
        "moves",
        "dead letters",
        "excused",
    ];
}

/// Totals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats([u64; Count::WORDS.len()]);

impl Stats {
    /// How many there were.
    pub fn get(&self, what: Count) -> u64 {
        self.0[what as usize]
    }

    pub(crate) fn count(&mut self, what: Count) {
        self.0[what as usize] += 1;
    }

    /// Adds another world's.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (word, count)) in Count::WORDS.iter().zip(self.0).enumerate() {
            let before = if place == 0 { "" } else { ", " };
            write!(f, "{before}{count} {word}")?;
        }
        Ok(())
    }
}
