//! A context's files: read, check, ignore, digest.
//!
//! Files arrive inside an event ([`tree_from_inline`]) or as a local bundle ([`tree_from_bundle`]), which may be a tar, a tar.gz,
//! a tar.zst or a zip; all become a [`Tree`]:
//! safe paths, sorted, within [`Limits`], without what the ignore rules leave out, every file and the whole digested.
//! On the sending side [`collect()`] walks a directory under the same rules, and [`pack()`] or a [`BundleStore`] makes a bundle of it.
//!
//! # What is left out
//!
//! Patterns are git's. The defaults leave out secrets (`.env`), what is installed anew (`node_modules/`) and clutter; then come
//! `.gitignore`, `.vercelignore` and `.foreshowignore` at any depth, a later kind beating an earlier one, and `!` takes back.
//! Version control's and Foreshow's own data (`.git`, `.foreshow/`) are never deployed. The ignore files travel with the files, so
//! that sender and receiver agree, but aren't deployed. Mind that a `.gitignore` often lists the very build output that is
//! to be published: a `.foreshowignore` with `!dist/` publishes it. As in git, a folder that is left out is never looked
//! into: take back the folder, not a file in it.
//!
//! Everything here is blocking: it reads disks and hashes megabytes. Async callers go through `spawn_blocking`.

mod archive;
mod backing;
mod built_in;
mod collect;
mod collisions;
mod content;
mod digest;
mod error;
mod ignored;
mod inline;
mod limits;
mod pack;
mod path;
mod rules;
pub mod scratch;
mod sieve;
mod size;
mod store;
mod tree;

pub use archive::tree_from_bundle;
pub use backing::Backing;
pub use collect::{Collected, CollectedFile, collect};
pub use content::Content;
pub use digest::Sha1;
pub use error::BundleError;
pub use ignored::{IgnoreReason, Ignored};
pub use inline::tree_from_inline;
pub use limits::Limits;
pub use pack::{Packed, pack};
pub use path::{SafePath, UnsafePath, UnsafePathReason};
pub use store::{BundleStore, StoredBundle};
pub use tree::{Tree, TreeFile};
