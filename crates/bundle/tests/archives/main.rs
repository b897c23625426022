//! Archives as strangers send them: what is read, and by what name the rest is refused.
//!
//! Every case is a test of its own: the archive is made by hand in it, byte for byte where that matters.

#![expect(
    clippy::unwrap_used,
    reason = "clippy knows #[test] functions, but not their helpers"
)]

mod any;
mod format;
mod gzip;
mod support;
mod tape;
mod tools;
mod zip;
mod zip_maker;
mod zstd;
