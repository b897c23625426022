//! Identifiers in the service's forms.

use std::iter::repeat_with;

/// A random UUID (version 4), as apps and domains have.
pub(crate) fn uuid() -> String {
    let value = (fastrand::u128(..) & !(0xF000_u128 << 64) & !(0xC000_u128 << 48))
        | (0x4000_u128 << 64)
        | (0x8000_u128 << 48);
    let hex = format!("{value:032x}");
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default().to_owned();
    [
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32),
    ]
    .join("-")
}

/// A revision's id: short, lower case, no hyphen.
pub(crate) fn revision() -> String {
    random(12)
}

/// A layer's id: holds `_`, which a slug never does.
pub(crate) fn layer() -> String {
    format!("lyr_{}", random(12))
}

/// A slug for an app that was created without one.
pub(crate) fn slug() -> String {
    const FIRST: [&str; 8] = [
        "amber", "brisk", "calm", "dusty", "eager", "fair", "golden", "hazy",
    ];
    const SECOND: [&str; 8] = [
        "badger", "crane", "dingo", "egret", "finch", "gecko", "heron", "ibex",
    ];
    let pick = |words: [&'static str; 8]| fastrand::choice(words).unwrap_or("plain");
    format!("{}-{}-{}", pick(FIRST), pick(SECOND), random(6))
}

/// What a domain's owner publishes to prove it.
pub(crate) fn token() -> String {
    random(24)
}

fn random(length: usize) -> String {
    repeat_with(|| {
        if fastrand::bool() {
            fastrand::lowercase()
        } else {
            fastrand::digit(10)
        }
    })
    .take(length)
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_have_their_form() {
        let id = uuid();
        let lengths: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_eq!(id.as_bytes()[14], b'4');
        assert!(matches!(id.as_bytes()[19], b'8' | b'9' | b'a' | b'b'));
    }

    #[test]
    fn invented_slugs_are_slugs() {
        for _ in 0..100 {
            assert!(super::super::slug::is_valid(&slug()));
        }
    }
}
