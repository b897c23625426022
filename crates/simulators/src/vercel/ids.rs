//! Ids and secrets as Vercel's look.

/// A prefix and letters and digits.
pub(super) fn new(prefix: &str, length: usize) -> String {
    let letters = std::iter::repeat_with(fastrand::alphanumeric).take(length);
    prefix.chars().chain(letters).collect()
}

/// The part of a deployment's host that nobody can guess: lower-case letters and digits.
pub(super) fn of_host() -> String {
    std::iter::repeat_with(|| fastrand::alphanumeric().to_ascii_lowercase())
        .take(9)
        .collect()
}
