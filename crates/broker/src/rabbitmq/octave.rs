//! Delays: which queue a message waits in, and for how long.
//!
//! RabbitMQ looks for expired messages at a queue's head only, so one queue for all delays would keep a short one behind
//! a long one. There is a queue per octave instead: in the one of `n` seconds wait delays in `(n/2, n]`, so whoever is
//! ahead leaves within `n` from when the later one came. Never early, and at most one octave late.
//!
//! What is longer than the longest octave takes several hops; how much is left travels with the message, so that no two
//! clocks are compared.

use std::{num::NonZeroU8, time::Duration};

/// How many octaves there can be: 1 s to 65,536 s, more than 18 hours.
pub(super) const MAX_OCTAVES: NonZeroU8 = NonZeroU8::new(17).expect("17 is not 0");

/// One hop of a delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hop {
    /// The octave's length in seconds, which is its name.
    pub(super) octave_s: u32,
    /// The message's own time to live there.
    pub(super) ttl_ms: u64,
    /// How much of the delay is left after it.
    pub(super) left: Duration,
}

/// The lengths of all octaves.
pub(super) fn lengths(octaves: NonZeroU8) -> impl Iterator<Item = u32> {
    (0..octaves.get()).map(|octave| 1_u32 << octave)
}

/// The first hop of a delay.
pub(super) fn hop(after: Duration, octaves: NonZeroU8) -> Hop {
    let longest = lengths(octaves).last().expect("there is at least one");
    let octave_s = lengths(octaves)
        .find(|length| Duration::from_secs((*length).into()) >= after)
        .unwrap_or(longest);
    let here = after.min(Duration::from_secs(octave_s.into()));
    // Rounded up, and one more: the broker counts from the start of the millisecond in which the message arrived.
    let ttl_ms = here.as_nanos().div_ceil(1_000_000) + 1;
    Hop {
        octave_s,
        ttl_ms: u64::try_from(ttl_ms).unwrap_or(u64::MAX),
        left: after.saturating_sub(here),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_octaves_are_those_of_the_design() {
        let lengths: Vec<_> = lengths(MAX_OCTAVES).collect();
        assert_eq!((lengths[0], lengths[16], lengths.len()), (1, 65_536, 17));
    }

    #[test]
    fn a_delay_waits_in_the_smallest_octave_that_holds_it() {
        let octave = |ms| hop(Duration::from_millis(ms), MAX_OCTAVES).octave_s;
        assert_eq!(octave(0), 1);
        assert_eq!(octave(1_000), 1);
        assert_eq!(octave(1_001), 2);
        assert_eq!(octave(3_000), 4);
        assert_eq!(octave(65_536_000), 65_536);
        assert_eq!(hop(Duration::from_nanos(1), MAX_OCTAVES).ttl_ms, 2);
    }

    #[test]
    fn no_delay_is_cut_short() {
        for octaves in [1, 3, 17] {
            let octaves = NonZeroU8::new(octaves).unwrap();
            for ms in [
                0,
                1,
                999,
                1_000,
                4_001,
                65_536_000,
                65_536_001,
                2_592_000_000,
            ] {
                let (after, mut waited, mut left) =
                    (Duration::from_millis(ms), 0, Duration::from_millis(ms));
                loop {
                    let hop = hop(left, octaves);
                    assert!(u128::from(hop.ttl_ms) <= u128::from(hop.octave_s) * 1_000 + 1);
                    waited += hop.ttl_ms;
                    assert!(hop.left < left || left.is_zero());
                    left = hop.left;
                    if left.is_zero() {
                        break;
                    }
                }
                assert!(Duration::from_millis(waited) > after);
            }
        }
    }
}
