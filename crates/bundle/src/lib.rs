//! A context's files: read, check, ignore, digest.
//!
//! Files arrive inside an event ([`tree_from_inline`]) or as a local bundle ([`tree_from_bundle`]); both become a [`Tree`]:
//! safe paths, sorted, within [`Limits`], without what the ignore rules leave out, every file and the whole digested.
//! On the sending side [`collect`] walks a directory under the same rules, and [`pack`] or a [`BundleStore`] makes a bundle of it.
//!
//! Everything here is blocking: it reads disks and hashes megabytes. Async callers go through `spawn_blocking`.

mod archive;
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
mod sieve;
mod store;
mod tree;

pub use archive::tree_from_bundle;
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
