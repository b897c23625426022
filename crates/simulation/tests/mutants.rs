//! Each deliberate bug is caught: the checks are worth something.
#![cfg(feature = "mutants")]

use foreshow_simulation::{Mutant, run_with};

/// The first seeds that catch the rarer ones: a shortcut, and no more. Where draws have changed since, another one does.
const KNOWN: [(Mutant, u64); 6] = [
    (Mutant::ReleaseWithoutOwner, 281),
    (Mutant::AckBeforePublish, 36),
    (Mutant::RebuildSkipped, 35),
    (Mutant::AliasUnverified, 35),
    (Mutant::EndUnbounded, 44),
    (Mutant::DeadLetterOnce, 43),
];

/// Seeds that each is given.
const SEEDS: u64 = 500;

#[test]
fn each_is_caught() {
    for mutant in Mutant::ALL {
        let known = KNOWN.iter().filter(|(of, _)| *of == mutant);
        let mut seeds = known.map(|(_, seed)| *seed).chain(0..SEEDS);
        let caught = seeds.find(|&seed| run_with(seed, Some(mutant), false).violation.is_some());
        assert!(caught.is_some(), "{mutant:?} is not caught");
    }
}
