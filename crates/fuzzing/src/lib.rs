//! What is tried on any bytes, as anybody may send them.
//!
//! Each function here takes bytes and asserts what must hold whatever they are: that nothing panics, and that what was taken
//! is as promised and what was refused is refused in bounded words without secrets. The same bodies run twice:
//!
//! - as fuzz targets (`fuzz/fuzz_targets`, `cargo xtask fuzz`), guided by coverage, for as long as somebody likes;
//! - in every ordinary test run (`tests/ordinary.rs`): over the seeds in `fuzz/seeds`, over random changes of them, and over
//!   random bytes, in seconds.
//!
//! An input that was found becomes a seed, and so a test.

mod archives;
#[cfg(feature = "configuration")]
mod configuration;
mod events;
mod ignore_files;
mod names;
mod paths;
mod providers;
mod records;
mod results;

pub use archives::archives;
#[cfg(feature = "configuration")]
pub use configuration::configuration;
pub use events::{events_binary, events_structured};
pub use ignore_files::ignore_files;
pub use names::names;
pub use paths::paths;
pub use providers::{provider_deno, provider_vercel};
pub use records::records;
pub use results::results;

/// What is tried on some bytes.
pub type Body = fn(&[u8]);

/// Every target by its name, which is also that of its folder of seeds.
pub const TARGETS: &[(&str, Body)] = &[
    ("archives", archives),
    #[cfg(feature = "configuration")]
    ("configuration", configuration),
    ("events_binary", events_binary),
    ("events_structured", events_structured),
    ("ignore_files", ignore_files),
    ("names", names),
    ("paths", paths),
    ("provider_deno", provider_deno),
    ("provider_vercel", provider_vercel),
    ("records", records),
    ("results", results),
];

/// Fails where a text for people is endless, or would change how a terminal or a log shows what surrounds it.
fn assert_showable(text: &str, max_chars: usize) {
    let chars = text.chars().count();
    assert!(
        chars <= max_chars,
        "{chars} characters are told: {text:.200}"
    );
    assert!(
        !text.contains(|c: char| c.is_control() && c != '\n' && c != '\t'),
        "control characters are told: {text:?}"
    );
}
