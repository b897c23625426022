//! Bundles by URL.
