//! Deliberate bugs, one at a time, to prove that the simulation would notice them. Compiled only with the feature
//! `mutants`; every other build has [`mutant!`] as a plain `false`.

#[cfg(feature = "mutants")]
use std::collections::BTreeMap;

#[cfg(feature = "mutants")]
use foreshow_contract::{ContextKey, Ordinal};

/// A rule of the protocol that can be broken on purpose.
#[cfg(feature = "mutants")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mutant {
    /// Steps under a lease do not look whether it is still held.
    FenceUnchecked,
    /// Nobody looks at the own clock: a holder goes on after its lease.
    OwnClockIgnored,
    /// A fence counts from the record alone, so it begins anew after a wipe.
    BareCounterFence,
    /// A lease is given back by whoever asks.
    ReleaseWithoutOwner,
    /// A lease belongs to a worker, so two deliveries of one worker both hold it.
    ReentrantLease,
    /// The delivery is acknowledged before its end is published.
    AckBeforePublish,
    /// A waiter is told superseded as soon as a newer event arrives, accepted or not.
    WaiterSupersededEarly,
    /// A waiter is not woken by a release.
    WaiterNeverWakes,
    /// A newer event always cancels the build.
    CancelUnbounded,
    /// A deployment that a predecessor started is not looked for.
    AdoptSkipped,
    /// The end's tombstone is not kept.
    TombstoneDropped,
    /// After a wipe the epoch is written without a rebuild, and nobody looks anything up.
    RebuildSkipped,
    /// The alias is not read back, and older deployments stay (M1).
    AliasUnverified,
    /// What goes live is recorded only when the event is settled (M1).
    LiveUnrecorded,
    /// The revision under the lease can be told superseded (M2).
    InWorkStale,
    /// Ends are not remembered (M3).
    EndsForgotten,
    /// The sweeper adopts whatever it does not know (M4).
    SweepAdoptsAll,
    /// The sweeper deletes without condemning first (M5).
    CondemnUnwritten,
    /// An end removes newer revisions too (M6).
    EndUnbounded,
    /// An end raises no floor when it is accepted (M7).
    FloorIgnored,
    /// The dead letter of a failed event is written once, or never (M8).
    DeadLetterOnce,
    /// An expiry is accepted without looking whether it is still due.
    ExpiryUnconditional,
    /// A reset forgets everything but the floor.
    ResetKeepsFloor,
}

#[cfg(feature = "mutants")]
impl Mutant {
    /// Every one.
    pub const ALL: [Self; 23] = [
        Self::FenceUnchecked,
        Self::OwnClockIgnored,
        Self::BareCounterFence,
        Self::ReleaseWithoutOwner,
        Self::ReentrantLease,
        Self::AckBeforePublish,
        Self::WaiterSupersededEarly,
        Self::WaiterNeverWakes,
        Self::CancelUnbounded,
        Self::AdoptSkipped,
        Self::TombstoneDropped,
        Self::RebuildSkipped,
        Self::AliasUnverified,
        Self::LiveUnrecorded,
        Self::InWorkStale,
        Self::EndsForgotten,
        Self::SweepAdoptsAll,
        Self::CondemnUnwritten,
        Self::EndUnbounded,
        Self::FloorIgnored,
        Self::DeadLetterOnce,
        Self::ExpiryUnconditional,
        Self::ResetKeepsFloor,
    ];
}

#[cfg(feature = "mutants")]
thread_local! {
    static ACTIVE: std::cell::Cell<Option<Mutant>> = const { std::cell::Cell::new(None) };
}

/// Switches one bug on for this thread, or all off, and forgets what has arrived.
#[cfg(feature = "mutants")]
pub fn activate(mutant: Option<Mutant>) {
    ACTIVE.set(mutant);
    NEWEST.take();
}

/// Whether the bug is on.
#[cfg(feature = "mutants")]
pub fn is_active(mutant: Mutant) -> bool {
    ACTIVE.get() == Some(mutant)
}

#[cfg(feature = "mutants")]
thread_local! {
    static NEWEST: std::cell::RefCell<BTreeMap<ContextKey, Ordinal>> =
        const { std::cell::RefCell::new(BTreeMap::new()) };
}

/// An event has arrived, and nothing more.
#[cfg(feature = "mutants")]
pub(crate) fn arrived(key: &ContextKey, ordinal: Ordinal) {
    NEWEST.with_borrow_mut(|newest| {
        let known = newest.entry(key.clone()).or_insert(ordinal);
        *known = ordinal.max(*known);
    });
}

/// What has arrived and is newer, where that bug is on.
#[cfg(feature = "mutants")]
pub(crate) fn superseded_early(key: &ContextKey, ordinal: Ordinal) -> Option<Ordinal> {
    let newest = NEWEST.with_borrow(|newest| newest.get(key).copied())?;
    (is_active(Mutant::WaiterSupersededEarly) && newest > ordinal).then_some(newest)
}

/// Whether this deliberate bug is on: never, but in a simulation.
#[cfg(feature = "mutants")]
macro_rules! mutant {
    ($name:ident) => {
        $crate::mutants::is_active($crate::mutants::Mutant::$name)
    };
}

/// Whether this deliberate bug is on: never, but in a simulation.
#[cfg(not(feature = "mutants"))]
macro_rules! mutant {
    ($name:ident) => {
        false
    };
}

pub(crate) use mutant;
