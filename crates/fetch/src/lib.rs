//! A context's files by URL: `"bundle": { "url": "https://…/site.tar.gz", "sha256": "…" }`.
//!
//! Whoever names a URL names a request that *we* make, a stream that *we* store, and a wait that holds one of our slots. So
//! each of the three is bounded: where it goes by [`foreshow_egress`], how much it is by the limits of a context's files, how
//! long it takes by [`BundlesOptions`]. What arrives is believed for its SHA-256 and for nothing else: not for its name, its
//! type, its length or its version.
//!
//! | room | idea |
//! | --- | --- |
//! | `every` | which source a bundle's URL belongs to |
//! | `url_bundles` | one fetch: cache, or transfer, once at a time |
//! | `transfer` | one transfer: ask, follow, receive, go on where it broke |
//! | `partial`, `part` | what has arrived, and whether an answer continues it |
//! | `cache` | what arrived before, by tenant and digest |
//! | `flights` | who waits for whose transfer |
//! | `error` | what can go wrong, and what follows for the job |
//! | `options` | the configuration's section `bundles` |

mod cache;
mod error;
mod every;
mod flights;
mod options;
mod part;
mod partial;
mod retry_after;
mod transfer;
mod url_bundles;

pub use cache::{CacheSize, cache_size};
pub use every::EveryBundle;
pub use options::BundlesOptions;
pub use url_bundles::{FetchSetupError, UrlBundles};
